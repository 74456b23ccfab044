package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"oubliette/bench/store"
)

// feed hands out ids of items that are in a store, each once, and puts the
// items in again when all are gone.
type feed struct {
	store store.Store
	items []Item
	ids   []string // of items, in random order
	next  int
}

func newFeed(ctx context.Context, s store.Store, items []Item, ids []string) (*feed, error) {
	f := &feed{store: s, items: items, ids: ids}
	return f, f.fill(ctx)
}

func (f *feed) fill(ctx context.Context) error {
	f.next = 0
	if err := load(ctx, f.store, f.items); err != nil {
		return err
	}
	return store.Settle(ctx, f.store)
}

// take answers n ids, all of them in the store.
func (f *feed) take(ctx context.Context, n int) ([]string, error) {
	if n > len(f.ids) {
		return nil, fmt.Errorf("%d ids wanted of %d", n, len(f.ids))
	}
	if f.next+n > len(f.ids) {
		if err := f.fill(ctx); err != nil {
			return nil, err
		}
	}
	f.next += n
	return f.ids[f.next-n : f.next], nil
}

// deletes is the workload of the same name.
type deletes struct {
	settings
	es    entrants
	feeds map[string]*feed
	sheet *sheet
}

func runDelete(ctx context.Context, s settings, out *sheet) (err error) {
	es, err := enter(s.Dir, s.Stores...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, es.close()) }()
	d := &deletes{settings: s, es: es, feeds: make(map[string]*feed), sheet: out}
	items, ids := newMaker(small, 1).items(s.Items, 0), shuffled(s.Items, 2)
	for _, e := range es {
		if d.feeds[e.Name], err = newFeed(ctx, e.Store, items, ids); err != nil {
			return fmt.Errorf("%s: load: %w", e.Name, err)
		}
	}
	return d.run(ctx)
}

// run measures single deletes, calls of a hundredth, a tenth and all of the
// items, and single deletes again. By then every store has written much more
// than its log holds: Pebble, whose log takes whole items, works in recycled
// log files by then, which sync faster than new ones; Oubliette, whose log
// takes next to nothing, does so later.
func (d *deletes) run(ctx context.Context) error {
	for _, step := range []func() error{
		func() error { return d.singles(ctx, "fresh stores") },
		func() error { return d.calls(ctx, max(1, d.Items/100), 20, nil) },
		func() error { return d.calls(ctx, max(1, d.Items/10), 5, &target{want: 1e6}) },
		func() error { return d.calls(ctx, d.Items, 1, nil) },
		func() error { return d.singles(ctx, "after these") },
		func() error { return d.together(ctx) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// calls measures calls of size ids.
func (d *deletes) calls(ctx context.Context, size, calls int, t *target) error {
	rate, syncs := series{}, series{}
	err := d.es.rounds(ctx, d.Rounds, func(_ int, e *entrant) error {
		ids, err := d.feeds[e.Name].take(ctx, size*min(calls, d.Items/size))
		if err != nil {
			return err
		}
		began := e.fs.tally()
		seconds, err := clock(func() error {
			for call := range slices.Chunk(ids, size) {
				if err := e.Delete(ctx, call); err != nil {
					return err
				}
			}
			return nil
		})
		rate.add(e, float64(len(ids))/seconds)
		syncs.add(e, float64(e.fs.since(began).syncs)/float64(len(ids)/size))
		return err
	})
	name := fmt.Sprintf("%s ids a call", number(float64(size)))
	d.sheet.add(d.es, table{workload: "delete", name: name, unit: "ids/s", values: rate, target: t})
	d.sheet.add(d.es, table{workload: "delete", name: name, unit: "syncs a call", values: syncs})
	return err
}

// Slices are short and many: what else the machine does then falls on all
// stores alike, and the median leaves the worst of it out.
const (
	singleOps   = 20 // deletes in a slice of one goroutine
	singleTurns = 30 // slices a round
	manyWorkers = 64
	manyOps     = 16 // deletes of each of them in a slice
	manyTurns   = 10
)

// singles measures deletes of one id by one goroutine.
func (d *deletes) singles(ctx context.Context, when string) error {
	rate, syncs := series{}, series{}
	err := d.es.rounds(ctx, singleTurns*d.Rounds, func(_ int, e *entrant) error {
		ops, perOp, err := d.slice(ctx, e, 1, min(singleOps, d.Items))
		rate.add(e, ops)
		syncs.add(e, perOp)
		return err
	})
	name := "single, 1 goroutine, " + when
	d.sheet.add(d.es, table{workload: "delete", name: name, unit: "deletes/s", values: rate, target: &target{want: 0.8, ratio: true, subject: " pebble"}})
	d.sheet.add(d.es, table{workload: "delete", name: name, unit: "syncs a delete", values: syncs})
	return err
}

// together measures deletes of one id by many goroutines, and by one in the
// same turns: the speed-up is what sharing syncs is worth.
func (d *deletes) together(ctx context.Context) error {
	workers := min(manyWorkers, d.Items)
	one, many, syncs := series{}, series{}, series{}
	err := d.es.rounds(ctx, manyTurns*d.Rounds, func(_ int, e *entrant) error {
		ops, _, err := d.slice(ctx, e, 1, min(singleOps, d.Items))
		if err != nil {
			return err
		}
		one.add(e, ops)
		ops, perOp, err := d.slice(ctx, e, workers, min(manyOps, d.Items/workers))
		many.add(e, ops)
		syncs.add(e, perOp)
		return err
	})
	name := fmt.Sprintf("single, %d goroutines", workers)
	d.sheet.add(d.es, table{workload: "delete", name: name, unit: "deletes/s", values: many})
	d.sheet.add(d.es, table{workload: "delete", name: name + ", against 1", unit: "deletes/s", values: many,
		base: one, baseName: "1 goroutine", target: &target{want: 5, ratio: true, subject: " of 1 goroutine"}})
	d.sheet.add(d.es, table{workload: "delete", name: name, unit: "syncs a delete", values: syncs})
	return err
}

// slice lets workers delete ops ids each, one by one; it answers deletes a
// second and syncs a delete.
func (d *deletes) slice(ctx context.Context, e *entrant, workers, ops int) (rate, syncs float64, err error) {
	ids, err := d.feeds[e.Name].take(ctx, workers*ops)
	if err != nil {
		return 0, 0, err
	}
	began := e.fs.tally()
	seconds, err := clock(func() error {
		return spread(workers, func(g int) error {
			for i := g * ops; i < (g+1)*ops; i++ {
				if err := e.Delete(ctx, ids[i:i+1]); err != nil {
					return err
				}
			}
			return nil
		})
	})
	n := float64(len(ids))
	return n / seconds, float64(e.fs.since(began).syncs) / n, err
}
