// Command bench compares Oubliette with other stores on one machine, side by
// side in one run, and kills processes that write to them.
//
//	go run -C bench . [delete|erase|read|ingest|open|grow|all] [--stores NAMES] [--items N] [--rounds N]
//	    [--pending N] [--grow N] [--mnist DIR|--fvecs FILE|--jsonl FILE] [--limit TIME] [--dir DIR] [--profile DIR] [--json] [--html FILE]
//	go run -C bench . report RUN.json --html FILE
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
// The stores are those of package peers, with a ledger, small segments and a short
// deadline for ours. One more takes one file in that folder, or, outside of it, a
// program that hands a store.Kind to crash.Run.
//
// # Pages
//
// --html writes the figures as a page, too: one file that needs nothing else, with
// the targets, the machine, the stores, and a chart and a table of every case
// (package html). report makes the page of a run whose JSON was kept. The go command
// runs both in the folder bench, so names of files are whole here:
//
//	go run -C bench . --json > run.json
//	go run -C bench . report "$PWD/run.json" --html "$PWD/run.html"
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
// be compared. Before the first round every store takes a turn that counts for
// nothing.
//
// Every store works on the real file system, in a fresh folder that is removed
// at the end, and syncs every call. Those that can work on a file system of a
// caller's have one that counts writes and syncs on their way to the operating
// system's; the others have no rows in those tables.
//
// A store that is slow at something must not make a run last for ever: after --limit
// in one measurement it takes no further turn in it, and the report says so, and
// after how many of its rounds.
//
// Targets are about Oubliette, most of them against a store of the same run; file
// targets.go has all of them. A run ends with the list of those that it could judge,
// each with its ratio, met or missed; the sheet of --json has them at their figures.
//
// # The stores that are measured
//
//   - oubliette: package engine with its defaults;
//   - pebble: Pebble, one key an item;
//   - pebble3: the same with three keys an item, so that vector, contents and
//     head (id and metadata) are read apart, as they are in Oubliette;
//   - badger: Badger with its own encryption, one key an item;
//   - bbolt, sqlite: one key, or one row, an item; SQLite with a write-ahead log and
//     secure_delete.
//
// The peers but Badger seal their values with one AEAD, on all cores, and open what
// they read. A run prints which versions they are and how each is set up; --stores
// chooses among them.
//
// # The workloads
//
//   - delete: calls of 1 to 100,000 ids by 1, 8 and 64 goroutines, as far as there
//     are items, with the syncs they take; single deletes by one goroutine before
//     and after these;
//   - erase: 0.1, 1, 10 and 50 % of the items deleted at random and their bytes
//     taken off the disk: the time from the delete until a search of every byte of
//     every file finds none of the pieces that were noted before, the search left
//     out of it; bytes written for it, and disk blocks given back. A store erases as
//     its documents say (store.Store's Erase); where a search finds something then,
//     its Compact is added; what is left before and after that are figures of their own. Of
//     Badger, which encrypts whole files, those are searched decrypted as well;
//   - read: point reads, and scans of all, with warm caches: before half of the items
//     are deleted, while they are, when they are hidden and not yet erased, and when
//     they are erased and compacted; each against a twin of the store, with the same
//     items and none of them deleted, in the same turns;
//   - ingest: calls of 1,000 items, by one writer and by eight, into empty stores:
//     the calls alone, and the whole run with the background work behind them;
//   - open: the time until a store has been opened and has read one item, in fresh
//     processes: closed in good order, and after a kill with nothing, a tenth of
//     --pending and --pending tombstones waiting, which came in calls of 1,000 or of
//     one; memory and disk for each tombstone. Background work is kept from applying
//     them until the kill. A kill leaves the page cache: reads from a cold disk are not
//     in it;
//   - grow: the same deletes of one id and point reads in stores of a hundredth, a
//     tenth and all of --grow items, in turns, each against the store's own with the
//     fewest; memory and disk an item.
//
// At the end of delete, erase, read and ingest stands what each store takes of disk
// when it is closed, and of memory when a fresh process has opened it. While they run
// all stores are in one process, where nobody can tell whose memory it is.
//
// Background work that a call leaves behind is waited for between the slices of
// ingest and erase, of stores that can tell when it is over (store.Settler): it
// would fall on whoever is next.
//
// Items are made: 768 dimensions, 1 KiB of contents, 200 bytes of metadata. delete,
// open and grow take small ones, because they need many and do not look at what they
// hold. The other workloads take real items with --mnist (the MNIST test set's two
// gzipped IDX files), --fvecs (vectors, nothing else) or --jsonl (one object a line:
// id, vector, contents, metadata): as many as --items says, or all that there are. A
// file is read to its end before anything is written, and refused with the place of
// the first thing that is wrong in it.
package main
