package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

const (
	readOps      = 200 // point reads in a slice
	readTurns    = 5   // slices a round
	scanRounds   = 5   // at most: a scan is long
	deletingCall = 100 // ids a call of whoever deletes while others read
)

// Two of the phases have names that others are held against.
const (
	beforeDeletes = "before"
	whileDeletes  = "while half is deleted"
)

// reads is the workload of point reads and scans: before half of the items are
// deleted, while they are, when they are hidden, and when they are erased.
type reads struct {
	*settings
	es           entrants
	doomed, live []string
	next         map[string]int // of doomed, store by store: the first that is there
	out          *sheet
	points       series // seconds a read, before
	scans        series // seconds a scan, before
	perItem      series // seconds an item of a scan, before
}

// runRead lets deleted items stay until they are told to be erased, so that what is
// measured in between is reading past them, and not how far the background has got.
func runRead(ctx context.Context, s *settings, out *sheet) (err error) {
	es, err := enter(ctx, s.Dir, time.Hour, s.Stores...)
	if err != nil {
		return err
	}
	defer func() { err = es.closeAfter(err) }()
	ids := shuffled(s.large(), s.largeItems(), 6)
	r := &reads{settings: s, es: es, doomed: ids[:len(ids)/2], live: ids[len(ids)/2:], next: make(map[string]int), out: out}
	for _, e := range es {
		if err := load(ctx, e, s.large(), len(ids)); err != nil {
			return fmt.Errorf("%s: %w", e.Name, err)
		}
	}
	if err := r.erase(ctx); err != nil { // all stand as well as they can
		return err
	}
	return r.run(ctx)
}

func (r *reads) run(ctx context.Context) error {
	alone := func(_ *entrant, do func() error) error { return do() }
	for _, e := range r.es {
		for _, id := range r.live[:min(len(r.live), 50*readOps)] { // so that all are warm alike
			if err := readOne(ctx, e, id); err != nil {
				return err
			}
		}
	}
	if err := r.phase(ctx, beforeDeletes, r.largeItems(), alone); err != nil {
		return err
	}
	deleting := func(e *entrant, do func() error) error { return r.whileDeleting(ctx, e, do) }
	if err := r.phase(ctx, whileDeletes, 0, deleting); err != nil {
		return err
	}
	for _, e := range r.es { // what is left of a half
		if err := r.deleteNext(ctx, e, len(r.doomed)); err != nil {
			return err
		}
	}
	if err := r.phase(ctx, "half deleted, not erased", len(r.live), alone); err != nil {
		return err
	}
	if err := r.erase(ctx); err != nil {
		return err
	}
	if err := r.phase(ctx, "half erased", len(r.live), alone); err != nil {
		return err
	}
	return r.es.footprints(ctx, r.out, "read", func(*entrant) string { return r.live[0] })
}

// erase lets every store erase, and with that compact, in its own way.
func (r *reads) erase(ctx context.Context) error {
	for _, e := range r.es {
		if _, err := e.Erase(ctx); err != nil {
			return fmt.Errorf("%s: erase: %w", e.Name, err)
		}
	}
	return nil
}

// phase measures point reads, then scans. A scan has to answer want items; 0: nobody
// knows how many. around is what else goes on in a turn.
func (r *reads) phase(ctx context.Context, name string, want int, around func(*entrant, func() error) error) error {
	points, scans, perItem := series{}, series{}, series{}
	pointCourse := r.course(r.out, readTurns*r.Rounds, "read, point reads %s", name)
	scanCourse := r.course(r.out, min(scanRounds, r.Rounds), "read, scans %s", name)
	if name != whileDeletes { // where a warm-up would have nothing to delete
		pointCourse, scanCourse = pointCourse.warmed(points), scanCourse.warmed(scans, perItem)
	}
	err := r.es.rounds(ctx, pointCourse, func(round int, e *entrant) error {
		return around(e, func() error {
			seconds, err := r.point(ctx, e, round)
			points.add(e, seconds)
			return err
		})
	})
	if err != nil {
		return err
	}
	err = r.es.rounds(ctx, scanCourse, func(_ int, e *entrant) error {
		return around(e, func() error {
			seconds, n, err := scanAll(ctx, e)
			if err == nil && want > 0 && n != want {
				return fmt.Errorf("a scan answers %d items of %d", n, want)
			}
			scans.add(e, seconds)
			perItem.add(e, seconds/float64(n))
			return err
		})
	})
	r.report(name, points, scans, perItem)
	return err
}

// point reads one item after the other and answers seconds a read.
func (r *reads) point(ctx context.Context, e *entrant, round int) (float64, error) {
	n := min(readOps, len(r.live))
	first := max(0, round) * n % (len(r.live) - n + 1)
	seconds, err := clock(func() error {
		for _, id := range r.live[first : first+n] {
			if err := readOne(ctx, e, id); err != nil {
				return err
			}
		}
		return nil
	})
	return seconds / float64(n), err
}

// readOne reads an item that has to be there, with all its fields.
func readOne(ctx context.Context, e *entrant, id string) error {
	items, err := e.Get(ctx, []string{id})
	if err == nil && (len(items) != 1 || items[0].ID != id) {
		err = fmt.Errorf("%d items answered for %s, which lives", len(items), id)
	}
	return err
}

// scanAll reads all that a store has and answers how many items that are.
func scanAll(ctx context.Context, e *entrant) (seconds float64, n int, err error) {
	seconds, err = clock(func() error {
		for _, err := range e.Items(ctx) {
			if err != nil {
				return err
			}
			n++
		}
		return nil
	})
	return seconds, n, err
}

// whileDeleting does something while a turn's part of the doomed items is deleted
// beside it. It returns when both are done.
func (r *reads) whileDeleting(ctx context.Context, e *entrant, do func() error) error {
	turns := readTurns*r.Rounds + min(scanRounds, r.Rounds)
	return spread(2, func(g int) error {
		if g == 0 {
			return do()
		}
		return r.deleteNext(ctx, e, max(1, len(r.doomed)/turns))
	})
}

// deleteNext deletes the next n of the doomed, or as many as there still are.
func (r *reads) deleteNext(ctx context.Context, e *entrant, n int) error {
	from := r.next[e.Name]
	to := min(len(r.doomed), from+n)
	r.next[e.Name] = to
	for call := range slices.Chunk(r.doomed[from:to], deletingCall) {
		if err := e.Delete(ctx, call); err != nil {
			return err
		}
	}
	return nil
}

// report adds a phase: rates against the others' and, but for the first, times
// against those before.
func (r *reads) report(phase string, points, scans, perItem series) {
	first := r.points == nil
	var point, later []target
	if first {
		r.points, r.scans, r.perItem = points, scans, perItem
		point = targetsOfReading
	} else if phase != whileDeletes {
		later = targetsOfReadingLater
	}
	add := func(name, unit string, scale float64, values, base series, targets []target) {
		t := table{workload: "read", name: name + ", " + phase, unit: unit, values: values.times(scale), targets: targets}
		if base != nil {
			t.base, t.baseName = base.times(scale), beforeDeletes
		}
		r.out.add(r.es, t)
	}
	add("point reads", "reads/s", 1, points.inverse(), nil, point)
	add("scans", "items/s", 1, perItem.inverse(), nil, nil)
	if first {
		return
	}
	add("point reads", "µs a read", 1e6, points, r.points, later)
	add("scans", "seconds a scan", 1, scans, r.scans, later)
	add("scans", "µs an item", 1e6, perItem, r.perItem, nil)
}
