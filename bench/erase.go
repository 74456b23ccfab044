package main

import (
	"context"
	"errors"
	"fmt"

	"oubliette/bench/store"
)

// eraseShares are the parts of the items that are deleted and erased, from the least
// to the greatest, each so many times: together less than all. The last comes when
// half of the items live, so it is a half of those that there were at first.
var eraseShares = []eraseShare{
	{perMille: 1, times: 3, targets: targetsOfErasingFew},
	{perMille: 10, times: 3},
	{perMille: 100, times: 3, targets: targetsOfErasing, written: targetsOfErasingBytes},
	{perMille: 500, times: 1},
}

type eraseShare struct {
	perMille, times int
	targets         []target // of the time
	written         []target // of the bytes written a byte erased
}

func (s eraseShare) of(items int) int { return max(1, items*s.perMille/1000) }

// erases is the workload that deletes a part of the items and takes their bytes off
// the disk.
type erases struct {
	*settings
	from stock
	es   entrants
	ids  []string // to be deleted, in order
	out  *sheet

	loaded, erased, compacted series
}

func runErase(ctx context.Context, s *settings, out *sheet) (err error) {
	es, err := enter(ctx, s.Dir, 0, s.Stores...)
	if err != nil {
		return err
	}
	defer func() { err = es.closeAfter(err) }()
	r := &erases{settings: s, from: s.large(), es: es, ids: shuffled(s.large(), s.largeItems(), 5), out: out,
		loaded: series{}, erased: series{}, compacted: series{}}
	for _, e := range es {
		if err := load(ctx, e, r.from, s.largeItems()); err != nil {
			return fmt.Errorf("%s: %w", e.Name, err)
		}
	}
	if err := es.settle(ctx); err != nil {
		return err
	}
	return r.run(ctx)
}

// run measures share by share, then compacts.
func (r *erases) run(ctx context.Context) error {
	if err := r.weigh(r.loaded); err != nil {
		return err
	}
	var warmUp sheet // which nobody reads
	if err := r.share(ctx, eraseShare{perMille: 1, times: 1}, &warmUp); err != nil {
		return err
	}
	for _, share := range eraseShares {
		if err := r.share(ctx, share, r.out); err != nil {
			return err
		}
	}
	if err := r.weigh(r.erased); err != nil {
		return err
	}
	for _, e := range r.es {
		if err := e.Compact(ctx); err != nil {
			return fmt.Errorf("%s: compact: %w", e.Name, err)
		}
	}
	if err := errors.Join(r.es.settle(ctx), r.weigh(r.compacted)); err != nil {
		return err
	}
	add := func(name string, v series) {
		r.out.add(r.es, table{workload: "erase", name: "disk blocks, " + name, unit: "MiB", values: v})
	}
	add("loaded", r.loaded)
	add("when all shares are erased", r.erased)
	add("compacted after that", r.compacted)
	live := r.ids[len(r.ids)-1] // the shares are less than all
	return r.es.footprints(ctx, r.out, "erase", func(*entrant) string { return live })
}

// weigh notes how many MiB of disk each store takes.
func (r *erases) weigh(into series) error {
	for _, e := range r.es {
		b, err := diskBlocks(e.dir)
		if err != nil {
			return err
		}
		into.add(e, b/(1<<20))
	}
	return nil
}

// erasure is one share on its way through the stores.
type erasure struct {
	*erases
	share eraseShare
	out   *sheet

	seconds, erased, given     series
	before, leftFirst, left    series // pieces: leftFirst before a Compact was tried
	amplified, amplifiedBehind series
}

func (r *erases) share(ctx context.Context, share eraseShare, out *sheet) error {
	x := &erasure{erases: r, share: share, out: out, seconds: series{}, erased: series{}, given: series{},
		before: series{}, leftFirst: series{}, left: series{}, amplified: series{}, amplifiedBehind: series{}}
	n := share.of(r.largeItems())
	times := min(share.times, r.Rounds)
	err := r.es.rounds(ctx, r.course(out, times, "erase, %v", x), func(round int, e *entrant) error {
		return x.turn(ctx, e, r.ids[round*n:(round+1)*n], round == 0)
	})
	r.ids = r.ids[times*n:]
	x.report()
	return err
}

// turn deletes ids and erases them; the searches are outside of the time, and the
// background work that is left behind, too.
func (x *erasure) turn(ctx context.Context, e *entrant, ids []string, first bool) error {
	noted, err := noteSealed(ctx, e, ids)
	if err != nil {
		return err
	}
	if first {
		found, err := noted.search(ctx, e)
		if err != nil {
			return err
		}
		x.before.add(e, 100*float64(found)/float64(noted.pieces))
	}
	blocks, err := diskBlocks(e.dir)
	if err != nil {
		return err
	}
	began := e.fs.tally()
	bytes, err := x.erase(ctx, e, ids, noted)
	if err != nil {
		return err
	}
	erased := e.fs.since(began).written
	if err := store.Settle(ctx, e.Store); err != nil {
		return err
	}
	if e.OnFS {
		x.amplified.add(e, float64(erased)/bytes)
		x.amplifiedBehind.add(e, float64(e.fs.since(began).written)/bytes)
	}
	after, err := diskBlocks(e.dir)
	x.given.add(e, (blocks-after)/(1<<20))
	return err
}

// erase deletes ids and lets the store erase them in its own way. Where a search
// still finds some of their bytes it compacts as well, and is searched again. It
// answers how many bytes were erased.
func (x *erasure) erase(ctx context.Context, e *entrant, ids []string, noted *evidence) (bytes float64, err error) {
	seconds, err := clock(func() error {
		if err := e.Delete(ctx, ids); err != nil {
			return err
		}
		n, err := e.Erase(ctx)
		bytes = float64(n)
		return err
	})
	if err != nil {
		return 0, err
	}
	left, err := noted.search(ctx, e)
	x.leftFirst.add(e, float64(left))
	if err == nil && left > 0 {
		var more float64
		more, err = clock(func() error { return e.Compact(ctx) })
		seconds += more
		if err == nil {
			left, err = noted.search(ctx, e)
		}
	}
	if bytes == 0 { // it does not say: the items' bytes in the clear
		bytes = float64(len(ids) * x.from.bytes())
	}
	x.seconds.add(e, seconds)
	x.erased.add(e, bytes/(1<<20))
	x.left.add(e, float64(left))
	return bytes, err
}

func (x *erasure) String() string {
	return fmt.Sprintf("%g %% of %s items of %d bytes", float64(x.share.perMille)/10, count(x.largeItems()), x.from.bytes())
}

func (x *erasure) report() {
	noted := min(x.share.of(x.largeItems()), notedItems)
	for _, t := range []table{
		{unit: "seconds, from the delete until nothing is left or nothing more can be done", values: x.seconds, targets: x.share.targets},
		{unit: fmt.Sprintf("%% of the pieces of %s found before", plural(noted, "item")), values: x.before},
		{unit: fmt.Sprintf("pieces of %s left by erasing", plural(noted, "item")), values: x.leftFirst, targets: targetsOfResidue},
		{unit: fmt.Sprintf("pieces of %s left by erasing and compacting", plural(noted, "item")), values: x.left},
		{unit: "bytes written a byte erased, the delete's log included", values: x.amplified, targets: x.share.written},
		{unit: "bytes written a byte erased, background work behind it included", values: x.amplifiedBehind},
		{unit: "MiB erased, or deleted where the store does not say", values: x.erased},
		{unit: "MiB of disk given back", values: x.given},
	} {
		t.workload, t.name = "erase", x.String()
		x.out.add(x.es, t)
	}
}
