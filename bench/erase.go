package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"oubliette/bench/store"
)

// erases is the workload that deletes a tenth of the items at a time and takes
// their bytes off the disk.
type erases struct {
	settings
	es    entrants
	ids   []string            // to be deleted, in order; the noted ones first
	notes map[string]*needles // bytes of some of them, as they went to the disk

	seconds, amp              series
	noted, left, loaded       series
	purged, compacted, volume series
}

const (
	eraseRounds = 3  // each deletes a tenth of the items that there were at first
	notedItems  = 64 // whose bytes are searched for
)

func runErase(ctx context.Context, s settings, out *sheet) (err error) {
	es, err := enter(s.Dir, s.Stores...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, es.close()) }()
	r := &erases{settings: s, es: es, notes: make(map[string]*needles)}
	for _, p := range []*series{&r.seconds, &r.amp, &r.noted, &r.left, &r.loaded, &r.purged, &r.compacted, &r.volume} {
		*p = series{}
	}
	if err = r.load(ctx); err == nil {
		err = r.run(ctx)
	}
	r.report(out)
	return err
}

// load fills the stores. The items that the search is for go in one by one,
// right after the first thousand, while their store's writes are noted.
func (r *erases) load(ctx context.Context) error {
	watched := min(notedItems, r.Items/10)
	first := min(1000, r.Items-watched)
	for _, e := range r.es {
		m := newMaker(large, 4)
		if err := load(ctx, e, m.items(first, 0)); err != nil {
			return fmt.Errorf("%s: load: %w", e.Name, err)
		}
		n, err := note(ctx, e, m.items(watched, first))
		if err != nil {
			return fmt.Errorf("%s: load: %w", e.Name, err)
		}
		r.notes[e.Name] = n
		batch := m.items(min(1000, r.Items), 0)
		for at := first + watched; at < r.Items; at += len(batch) {
			batch = batch[:min(len(batch), r.Items-at)]
			m.refill(batch, at)
			if err := e.Upsert(ctx, batch); err != nil {
				return fmt.Errorf("%s: load: %w", e.Name, err)
			}
		}
	}
	for n := range watched {
		r.ids = append(r.ids, id(first+n))
	}
	for _, id := range shuffled(r.Items, 5) {
		if !slices.Contains(r.ids[:watched], id) {
			r.ids = append(r.ids, id)
		}
	}
	return r.es.settle(ctx)
}

// note upserts items one by one and keeps what goes into the files that take
// item bytes first.
func note(ctx context.Context, e *entrant, items []Item) (*needles, error) {
	n := newNeedles()
	for i := range items {
		writes, err := e.fs.note(func() error { return e.Upsert(ctx, items[i:i+1]) })
		if err != nil {
			return nil, err
		}
		for _, w := range writes {
			if strings.HasSuffix(w.path, e.ItemFiles) {
				n.add(w.bytes)
			}
		}
	}
	return n, nil
}

// run deletes and erases, round by round, then compacts.
func (r *erases) run(ctx context.Context) error {
	for _, e := range r.es {
		if err := r.look(e, r.noted, r.loaded); err != nil {
			return err
		}
	}
	tenth := max(1, r.Items/10)
	err := r.es.rounds(ctx, min(eraseRounds, r.Rounds), func(round int, e *entrant) error {
		return r.round(ctx, e, r.ids[round*tenth:(round+1)*tenth])
	})
	if err != nil {
		return err
	}
	for _, e := range r.es {
		if err := r.look(e, r.left, r.purged); err != nil {
			return err
		}
		if err := e.Compact(ctx); err != nil {
			return fmt.Errorf("%s: compact: %w", e.Name, err)
		}
		if err := store.Settle(ctx, e.Store); err != nil {
			return err
		}
		blocks, err := diskBlocks(e.dir)
		if err != nil {
			return err
		}
		r.compacted.add(e, blocks/(1<<20))
	}
	return nil
}

// round deletes ids and erases them. What the delete itself writes counts.
func (r *erases) round(ctx context.Context, e *entrant, ids []string) error {
	began := e.fs.tally()
	if err := e.Delete(ctx, ids); err != nil {
		return err
	}
	var bytes uint64
	seconds, err := clock(func() (err error) {
		bytes, err = e.Erase(ctx)
		return err
	})
	if err != nil {
		return err
	}
	if bytes == 0 { // it does not say: the items' bytes in the clear
		bytes = uint64(len(ids) * large.bytes())
	}
	r.seconds.add(e, seconds)
	r.volume.add(e, float64(bytes)/(1<<20))
	r.amp.add(e, float64(e.fs.since(began).written)/float64(bytes))
	return nil
}

// look counts the noted pieces that are in a store's files, and its blocks.
func (r *erases) look(e *entrant, found, blocks series) error {
	n, err := r.notes[e.Name].search(e.dir)
	if err != nil {
		return err
	}
	found.add(e, float64(n))
	b, err := diskBlocks(e.dir)
	blocks.add(e, b/(1<<20))
	return err
}

func (r *erases) report(out *sheet) {
	add := func(name, unit string, v series, t *target) {
		out.add(r.es, table{workload: "erase", name: name, unit: unit, values: v, target: t})
	}
	what := fmt.Sprintf("%s of %s items of %d bytes", number(float64(r.Items/10)), number(float64(r.Items)), large.bytes())
	add(what, "seconds", r.seconds, nil)
	add(what, "bytes written a byte erased, the delete's log included", r.amp, &target{want: 1.2, atMost: true})
	add(what, "MiB erased (of pebble: deleted)", r.volume, nil)
	pieces := fmt.Sprintf("pieces of %d deleted items found in the store's files", min(notedItems, r.Items/10))
	add("residue before the delete", pieces, r.noted, nil)
	add("residue after", pieces, r.left, &target{want: 0, atMost: true})
	add("disk blocks, loaded", "MiB", r.loaded, nil)
	add("disk blocks, after erasing", "MiB", r.purged, nil)
	add("disk blocks, after compacting", "MiB", r.compacted, nil)
}
