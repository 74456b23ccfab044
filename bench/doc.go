// Command bench compares Oubliette with other stores on one machine, side by
// side in one run, and kills processes that write to them.
//
//	go run -C bench . [delete|upsert|erase|all] [--dir DIR] [--items N] [--rounds N] [--json]
//	go run -C bench . crash [--engine NAME|all] [--kills N] [--fresh N] [--broken N] [--seed S] [--dir DIR] [--keep] [--json]
//
// # Crashes
//
// crash starts processes that write to a store on the real file system, kills
// them in the middle of whatever they do, opens what they leave and holds it
// against every call that was acknowledged; then the store erases, and every
// byte of every file is searched for what was deleted. Package crash says how,
// what each verdict means and what a kill cannot show. It exits with 1 when a
// store has broken what it promises, and keeps the folder then. Bytes that are
// left by a store that does not promise to erase are a finding, no failure. The
// seed that it prints chooses the same calls again; the moments of the kills
// are the machine's.
//
// The stores are those of package peers: oubliette, pebble and pebble3 as
// below, with a ledger, small segments and a short deadline, and badger, bbolt
// and sqlite. One more takes one file in that folder, or, outside of it, a
// program that hands a store.Kind to crash.Run.
//
// # Pages
//
// --html writes the figures as a page, too: one file that needs nothing else, with
// a chart and a table of every case (package html). report makes the page of a run
// whose JSON was kept:
//
//	go run -C bench . --json > run.json
//	go run -C bench . report run.json --html run.html
//
// The page is written whole or not at all; what is no run is refused, and a page
// that was there before stays.
//
// # What a figure is
//
// Machines are shared, disks have moods, and a run differs from the next by
// more than two stores do. So all stores are open at the same time and take
// turns: a short slice of work each, in alternating order, many rounds of it.
// A figure is the median of the slices with the least and the greatest beside
// it, and what counts is the ratio of the medians of one run; the median of the
// rounds' own ratios stands beside it. Absolute figures of two runs are not to
// be compared.
//
// Every store works on the real file system, in a fresh folder that is removed
// at the end, and syncs every call. Each goes through a file system of its own
// that counts writes and syncs on their way to the operating system's.
//
// # The stores that are measured
//
//   - oubliette: package engine with its defaults;
//   - pebble: Pebble as it comes, one key an item, the value sealed;
//   - pebble3: the same with three keys an item, so that vector, contents and
//     head (id and metadata) are read apart, as they are in Oubliette.
//
// Pebble is given what serves it here: the newest format, a memtable of 64 MiB,
// no compression of what is sealed, and values sealed on all cores.
//
// # The workloads
//
//   - delete: calls of 1,000, 10,000 and 100,000 ids with the syncs they take;
//     single deletes by one goroutine, before and after these, and by 64;
//   - upsert: calls of 1,000 items of 4 KB, by one writer and by eight;
//   - erase: a tenth of the items deleted at random and their bytes taken off
//     the disk: time, bytes written for it, disk blocks, and a search of every
//     file for bytes noted before.
//
// Background work that a call leaves behind is waited for between the slices of
// upsert and erase: it would fall on whoever is next. It is not in the figure
// that the target is about, and printed apart: that is what the store does to
// the machine.
package main
