package main

import (
	"context"
	"fmt"
	"slices"
)

// deletes is the workload of the same name.
type deletes struct {
	*settings
	es    entrants
	feeds map[string]*feed
	out   *sheet
}

// deleteCase is one case of it: ids a call, and how many goroutines call.
type deleteCase struct {
	size, workers int
	when          string // where a case is measured twice
}

// Calls of so many ids are made by so many goroutines, as far as there are items.
var (
	deleteSizes   = []int{1, 10, 100, 1000, 10_000, 100_000}
	deleteWorkers = []int{1, 8, 64}
)

func runDelete(ctx context.Context, s *settings, out *sheet) (err error) {
	es, err := enter(ctx, s.Dir, 0, s.Stores...)
	if err != nil {
		return err
	}
	defer func() { err = es.closeAfter(err) }()
	d := &deletes{settings: s, es: es, feeds: make(map[string]*feed), out: out}
	ids := shuffled(s.small(), s.Items, 2)
	for _, e := range es {
		if d.feeds[e.Name], err = newFeed(ctx, e.Store, s.small(), ids); err != nil {
			return fmt.Errorf("%s: %w", e.Name, err)
		}
	}
	for _, c := range deleteCases(s.Items) {
		if err := d.measure(ctx, c); err != nil {
			return err
		}
	}
	return es.footprints(ctx, out, "delete", func(e *entrant) string { return d.feeds[e.Name].peek() })
}

// deleteCases are those that so many items allow. Single deletes by one goroutine
// come first, and again last: by then every store has written much more than its
// log holds. Pebble, whose log takes whole items, works in recycled log files by
// then, which sync faster than new ones; Oubliette, whose log takes next to
// nothing, does so later.
func deleteCases(items int) (out []deleteCase) {
	for _, size := range deleteSizes {
		for _, workers := range deleteWorkers {
			if size*workers <= items {
				out = append(out, deleteCase{size: size, workers: workers})
			}
		}
	}
	out[0].when = ", fresh stores"
	return append(out, deleteCase{1, 1, ", after the large calls"})
}

// Slices are short and many: what else the machine does then falls on all
// stores alike, and the median leaves the worst of it out.
const (
	sliceCalls = 20     // of a goroutine, at most
	sliceIDs   = 20_000 // beyond which no further call is added to a slice
	sliceTurns = 20     // slices a round, at most
)

// slice is how many calls each goroutine makes in one slice, and how many slices a
// round has.
func (c deleteCase) slice(items int) (calls, turns int) {
	all := c.size * c.workers // ids, with a call of each goroutine
	calls = max(1, min(sliceCalls, sliceIDs/all, items/all))
	return calls, max(1, min(sliceTurns, sliceIDs/(all*calls)))
}

func (c deleteCase) String() string {
	return fmt.Sprintf("%s a call, %s%s", plural(c.size, "id"), plural(c.workers, "goroutine"), c.when)
}

// targets of a case; most have none.
func (c deleteCase) targets() []target {
	switch {
	case c.size == 1 && c.workers == 1:
		return targetsOfSingleDelete
	case c.size == 1 && c.workers == 64:
		return targetsOfCrowdedDelete
	case c.size >= 1000 && c.workers == 1:
		return targetsOfLargeDelete
	}
	return nil
}

func (d *deletes) measure(ctx context.Context, c deleteCase) error {
	rate, syncs := series{}, series{}
	calls, turns := c.slice(d.Items)
	course := d.course(d.out, turns*d.Rounds, "delete, %v", c).warmed(rate, syncs)
	err := d.es.rounds(ctx, course, func(_ int, e *entrant) error {
		ids, err := d.feeds[e.Name].take(ctx, c.size*c.workers*calls)
		if err != nil {
			return err
		}
		began := e.fs.tally()
		seconds, err := clock(func() error { return c.delete(ctx, e, ids) })
		rate.add(e, float64(len(ids))/seconds)
		if e.OnFS {
			syncs.add(e, float64(e.fs.since(began).syncs)/float64(c.workers*calls))
		}
		return err
	})
	d.out.add(d.es, table{workload: "delete", name: c.String(), unit: "ids/s", values: rate, targets: c.targets()})
	d.out.add(d.es, table{workload: "delete", name: c.String(), unit: "syncs a call", values: syncs})
	return err
}

// delete lets each goroutine delete its share of ids, call by call.
func (c deleteCase) delete(ctx context.Context, e *entrant, ids []string) error {
	share := len(ids) / c.workers
	return spread(c.workers, func(g int) error {
		for call := range slices.Chunk(ids[g*share:(g+1)*share], c.size) {
			if err := e.Delete(ctx, call); err != nil {
				return err
			}
		}
		return nil
	})
}
