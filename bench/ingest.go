package main

import (
	"context"
	"errors"
	"fmt"

	"oubliette/bench/store"
)

// runIngest measures upserts by one writer and by eight, each into stores that are
// empty at first.
func runIngest(ctx context.Context, s *settings, out *sheet) error {
	return errors.Join(ingestBy(ctx, s, out, 1), ingestBy(ctx, s, out, 8))
}

// ingests is the workload with so many writers.
type ingests struct {
	from    stock
	batch   int // items a call
	writers int // each of them makes one call a slice
	es      entrants
	items   []Item // of one slice
	filled  int    // the round that items are of
	slices  map[string]int

	rate, syncs, amp, blocks series
	took                     series // seconds of a slice, background work included
}

func ingestBy(ctx context.Context, s *settings, out *sheet, writers int) (err error) {
	es, err := enter(ctx, s.Dir, 0, s.Stores...)
	if err != nil {
		return err
	}
	defer func() { err = es.closeAfter(err) }()
	u := &ingests{from: s.large(), batch: ingestCall(s.largeItems()), writers: writers, es: es,
		rate: series{}, syncs: series{}, amp: series{}, blocks: series{}, took: series{}, slices: make(map[string]int), filled: warmUpRound}
	u.items = itemsOf(u.from, 0, u.batch*writers)
	course := s.course(out, s.largeItems()/len(u.items)-1, "ingest, %s", u).warmed(u.rate, u.syncs, u.amp, u.took)
	err = es.rounds(ctx, course, func(round int, e *entrant) error {
		if u.filled < round {
			refill(u.from, u.items, (round+1)*len(u.items)) // those before are of the warm-up
			u.filled = round
		}
		return u.slice(ctx, e)
	})
	if err == nil {
		err = u.weigh()
	}
	u.report(out)
	if err != nil || writers > 1 { // more writers leave the same
		return err
	}
	return es.footprints(ctx, out, "ingest", func(*entrant) string { return u.from.id(0) })
}

// ingestLargest is how many items a call has, and what the targets are about.
const ingestLargest = 1000

// ingestCall is so many, or fewer where eight writers would not get to ten calls
// each.
func ingestCall(items int) int { return max(1, min(ingestLargest, items/80)) }

func (u *ingests) targets() []target {
	if u.batch < ingestLargest {
		return nil
	}
	return targetsOfIngest
}

// slice measures one slice of calls, then the background work behind it.
func (u *ingests) slice(ctx context.Context, e *entrant) error {
	began := e.fs.tally()
	seconds, err := clock(func() error {
		return spread(u.writers, func(g int) error {
			return e.Upsert(ctx, u.items[g*u.batch:(g+1)*u.batch])
		})
	})
	if err != nil {
		return err
	}
	syncs := e.fs.since(began).syncs
	behind, err := clock(func() error { return store.Settle(ctx, e.Store) })
	n := float64(len(u.items))
	u.rate.add(e, n/seconds)
	u.took.add(e, seconds+behind)
	u.slices[e.Name]++
	if e.OnFS {
		u.syncs.add(e, float64(syncs)/float64(u.writers))
		u.amp.add(e, float64(e.fs.since(began).written)/(n*float64(u.from.bytes())))
	}
	return err
}

// weigh notes how much disk an item takes.
func (u *ingests) weigh() error {
	for _, e := range u.es {
		b, err := diskBlocks(e.dir)
		if err != nil {
			return err
		}
		u.blocks.add(e, b/float64(u.slices[e.Name]*len(u.items)))
	}
	return nil
}

func (u *ingests) String() string {
	return fmt.Sprintf("%s of %d bytes a call, %s", plural(u.batch, "item"), u.from.bytes(), plural(u.writers, "writer"))
}

func (u *ingests) report(out *sheet) {
	for _, t := range []table{
		{unit: "items/s, the calls alone", values: u.rate},
		{unit: "items/s over the whole run, background work included", values: u.whole(), targets: u.targets()},
		{unit: "syncs a call", values: u.syncs},
		{unit: "bytes written a byte of items", values: u.amp},
		{unit: "bytes of disk an item", values: u.blocks},
	} {
		t.workload, t.name = "ingest", u.String()
		out.add(u.es, t)
	}
}

// whole is the rate over all slices together.
func (u *ingests) whole() series {
	out := series{}
	for _, e := range u.es {
		seconds := 0.0
		for _, t := range u.took[e.Name] {
			seconds += t
		}
		if seconds > 0 {
			out.add(e, float64(len(u.took[e.Name])*len(u.items))/seconds)
		}
	}
	return out
}
