package main

import (
	"context"
	"errors"
	"fmt"

	"oubliette/bench/store"
)

// runUpsert measures upserts of large items by one writer and by eight, each
// into stores that are empty at first.
func runUpsert(ctx context.Context, s settings, out *sheet) error {
	return errors.Join(runUpserts(ctx, s, out, 1), runUpserts(ctx, s, out, 8))
}

// upserts is the workload with so many writers.
type upserts struct {
	batch   int // items a call
	writers int // each of them makes one call a slice
	es      entrants
	items   []Item // of one slice

	rate, syncs, amp series
	took             map[string]float64 // seconds of all slices, background work included
}

func runUpserts(ctx context.Context, s settings, out *sheet, writers int) (err error) {
	es, err := enter(s.Dir, s.Stores...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, es.close()) }()
	u := &upserts{batch: max(1, s.Items/100), writers: writers, es: es, rate: series{}, syncs: series{}, amp: series{}, took: make(map[string]float64)}
	all := max(1, s.Items/u.batch)
	m := newMaker(large, 3)
	u.items = m.items(u.batch*writers, 0)
	rounds := max(1, all/writers)
	err = es.rounds(ctx, rounds, func(round int, e *entrant) error {
		if e == es.turn(round)[0] {
			m.refill(u.items, round*len(u.items))
		}
		return u.slice(ctx, e)
	})
	u.report(out)
	return err
}

// slice measures one slice of calls, then the background work behind it.
func (u *upserts) slice(ctx context.Context, e *entrant) error {
	began := e.fs.tally()
	seconds, err := clock(func() error {
		return spread(u.writers, func(g int) error {
			return e.Upsert(ctx, u.items[g*u.batch:(g+1)*u.batch])
		})
	})
	if err != nil {
		return err
	}
	u.syncs.add(e, float64(e.fs.since(began).syncs)/float64(u.writers))
	behind, err := clock(func() error { return store.Settle(ctx, e.Store) })
	n := float64(len(u.items))
	u.rate.add(e, n/seconds)
	u.took[e.Name] += seconds + behind
	u.amp.add(e, float64(e.fs.since(began).written)/(n*float64(large.bytes())))
	return err
}

func (u *upserts) report(out *sheet) {
	name := fmt.Sprintf("%s items of %d bytes a call, %d writers", number(float64(u.batch)), large.bytes(), u.writers)
	if u.writers == 1 {
		name = name[:len(name)-1]
	}
	out.add(u.es, table{workload: "upsert", name: name, unit: "items/s", values: u.rate, target: &target{want: 1, ratio: true, subject: " pebble"}})
	out.add(u.es, table{workload: "upsert", name: name, unit: "items/s over the whole run, background work included", values: u.whole()})
	out.add(u.es, table{workload: "upsert", name: name, unit: "syncs a call", values: u.syncs})
	out.add(u.es, table{workload: "upsert", name: name, unit: "bytes written a byte of items", values: u.amp})
}

// whole is the rate over all slices together.
func (u *upserts) whole() series {
	out := series{}
	for _, e := range u.es {
		if n := len(u.rate[e.Name]) * len(u.items); n > 0 {
			out.add(e, float64(n)/u.took[e.Name])
		}
	}
	return out
}
