package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

const (
	readOps      = 200 // point reads in a slice
	readTurns    = 5   // slices a round
	scanRounds   = 5   // at most: a scan is long
	deletingCall = 100 // ids a call of whoever deletes while others read
)

// Two of the phases are spoken of.
const (
	beforeDeletes = "before"
	whileDeletes  = "while half is deleted"
)

// untouched is what a store is held against once half of its items are deleted:
// its twin, a store of the same kind with the same items, which nobody deletes. It is
// measured in the same turns, so that a machine that has become slower since is not
// taken for a store that has.
const untouched = "an untouched twin"

// reads is the workload of point reads and scans: before half of the items are
// deleted, while they are, when they are hidden, and when they are erased.
type reads struct {
	*settings
	es, twins    entrants
	doomed, live []string
	next         map[string]int // of doomed, store by store: the first that is there
	out          *sheet
}

// runRead lets deleted items stay until they are told to be erased, so that what is
// measured in between is reading past them, and not how far the background has got.
func runRead(ctx context.Context, s *settings, out *sheet) (err error) {
	es, err := enter(ctx, s.Dir, time.Hour, s.Stores...)
	if err != nil {
		return err
	}
	defer func() { err = es.closeAfter(err) }()
	dir := filepath.Join(s.Dir, "twins")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	twins, err := enter(ctx, dir, time.Hour, s.Stores...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(twins.closeAfter(err), os.Remove(dir)) }()
	ids := shuffled(s.large(), s.largeItems(), 6)
	r := &reads{settings: s, es: es, twins: twins, doomed: ids[:len(ids)/2], live: ids[len(ids)/2:], next: make(map[string]int), out: out}
	for _, e := range slices.Concat(es, twins) {
		if err := r.prepare(ctx, e); err != nil {
			return fmt.Errorf("%s: %w", e.Name, err)
		}
	}
	return r.run(ctx)
}

// prepare fills a store, lets it stand as well as it can, and warms it.
func (r *reads) prepare(ctx context.Context, e *entrant) error {
	if err := load(ctx, e, r.large(), r.largeItems()); err != nil {
		return err
	}
	if _, err := e.Erase(ctx); err != nil {
		return err
	}
	for _, id := range r.live[:min(len(r.live), 50*readOps)] { // so that all are warm alike
		if err := readOne(ctx, e, id); err != nil {
			return err
		}
	}
	return nil
}

func (r *reads) run(ctx context.Context) error {
	alone := func(_ *entrant, do func() error) error { return do() }
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
	for _, e := range r.es { // and with that compact, each in its own way
		if _, err := e.Erase(ctx); err != nil {
			return fmt.Errorf("%s: erase: %w", e.Name, err)
		}
	}
	if err := r.phase(ctx, "half erased", len(r.live), alone); err != nil {
		return err
	}
	return r.es.footprints(ctx, r.out, "read", func(*entrant) string { return r.live[0] })
}

// readings are what a phase measures, store by store.
type readings struct {
	points  series // seconds a read
	scans   series // seconds a scan
	perItem series // seconds an item of a scan
}

func newReadings() readings { return readings{series{}, series{}, series{}} }

// phase measures point reads, then scans. A scan has to answer want items; 0: nobody
// knows how many. around is what else goes on in a turn.
func (r *reads) phase(ctx context.Context, name string, want int, around func(*entrant, func() error) error) error {
	got, twin := newReadings(), newReadings()
	// turn measures a store, and its twin before or behind it.
	turn := func(round int, e *entrant, measure func(e *entrant, into readings, want int) error) error {
		sides := []func() error{
			func() error { return around(e, func() error { return measure(e, got, want) }) },
			func() error { return measure(r.twin(e), twin, r.largeItems()) },
		}
		if name == beforeDeletes { // both are the same yet
			return sides[0]()
		}
		return errors.Join(sides[round&1](), sides[1-round&1]())
	}
	points := r.course(r.out, readTurns*r.Rounds, "read, point reads %s", name)
	scans := r.course(r.out, min(scanRounds, r.Rounds), "read, scans %s", name)
	if name != whileDeletes { // a warm-up would delete what is to be deleted in the rounds
		points = points.warmed(got.points, twin.points)
		scans = scans.warmed(got.scans, got.perItem, twin.scans, twin.perItem)
	}
	err := r.es.rounds(ctx, points, func(round int, e *entrant) error {
		return turn(round, e, func(e *entrant, into readings, _ int) error { return r.point(ctx, e, round, into) })
	})
	if err != nil {
		return err
	}
	err = r.es.rounds(ctx, scans, func(round int, e *entrant) error {
		return turn(round, e, func(e *entrant, into readings, want int) error { return scanAll(ctx, e, want, into) })
	})
	r.report(name, got, twin)
	return err
}

// twin is the store's twin.
func (r *reads) twin(e *entrant) *entrant { return r.twins[slices.Index(r.es, e)] }

// point reads one item after the other.
func (r *reads) point(ctx context.Context, e *entrant, round int, into readings) error {
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
	into.points.add(e, seconds/float64(n))
	return err
}

// readOne reads an item that has to be there, with all its fields.
func readOne(ctx context.Context, e *entrant, id string) error {
	items, err := e.Get(ctx, []string{id})
	if err == nil && (len(items) != 1 || items[0].ID != id) {
		err = fmt.Errorf("%d items answered for %s, which lives", len(items), id)
	}
	return err
}

// scanAll reads all that a store has: want items, unless want is 0.
func scanAll(ctx context.Context, e *entrant, want int, into readings) error {
	n := 0
	seconds, err := clock(func() error {
		for _, err := range e.Items(ctx) {
			if err != nil {
				return err
			}
			n++
		}
		return nil
	})
	if err == nil && want > 0 && n != want {
		err = fmt.Errorf("a scan answers %d items of %d", n, want)
	}
	into.scans.add(e, seconds)
	into.perItem.add(e, seconds/float64(n))
	return err
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
// against the twin's.
func (r *reads) report(phase string, got, twin readings) {
	add := func(name, unit string, values series, targets []target) {
		r.out.add(r.es, table{workload: "read", name: name + ", " + phase, unit: unit, values: values, targets: targets})
	}
	if phase == beforeDeletes {
		add("point reads", "reads/s", got.points.inverse(), targetsOfReading)
		add("scans", "items/s", got.perItem.inverse(), nil)
		return
	}
	add("point reads", "reads/s", got.points.inverse(), nil)
	add("scans", "items/s", got.perItem.inverse(), nil)
	var later []target
	if phase != whileDeletes {
		later = targetsOfReadingLater
	}
	against := func(name, unit string, scale float64, values, base series, targets []target) {
		r.out.add(r.es, table{workload: "read", name: name + ", " + phase, unit: unit, values: values.times(scale),
			base: base.times(scale), baseName: untouched, targets: targets})
	}
	against("point reads", "µs a read", 1e6, got.points, twin.points, later)
	against("scans", "seconds a scan", 1, got.scans, twin.scans, later)
	against("scans", "µs an item", 1e6, got.perItem, twin.perItem, nil)
}
