package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

const (
	openRounds = 5    // at most: each copies every store
	openLive   = 1000 // items that nobody deletes
	slowly     = 5    // times the limit is what a load, or all deletes of a case, may take
)

// openCase is what stands in the log when a store is opened.
type openCase struct {
	pending       int
	size, workers int // of the calls that have deleted them
	closed        bool
	targets       []target
}

func (c openCase) String() string {
	switch {
	case c.closed:
		return "closed, nothing deleted"
	case c.pending == 0:
		return "killed, nothing deleted"
	case c.size == 1:
		return fmt.Sprintf("killed, %s deleted one a call", count(c.pending))
	}
	return fmt.Sprintf("killed, %s deleted %s a call", count(c.pending), count(c.size))
}

// openCases are those for so many pending tombstones, and for a tenth of them.
func openCases(pending int) []openCase {
	cases := []openCase{{closed: true}, {}}
	for _, n := range []int{pending / 10, pending} {
		calls, ones := openCase{pending: n, size: 1000, workers: 1}, openCase{pending: n, size: 1, workers: 64}
		if n == pendingOfTargets {
			calls.targets, ones.targets = targetsOfOpening, targetsOfOpeningSingles
		}
		cases = append(cases, calls, ones)
	}
	return cases
}

// opens is the workload that opens stores, in fresh processes.
type opens struct {
	*settings
	from stock
	ids  []string // that are deleted
	es   entrants // closed: their folders have all items
	out  *sheet

	memory map[string]float64 // bytes with nothing deleted, store by store
	blocks map[string]float64 // of disk, likewise
}

// runOpen keeps deleted items pending until their store is killed: Oubliette would
// apply its tombstones after five seconds.
func runOpen(ctx context.Context, s *settings, out *sheet) (err error) {
	o := &opens{settings: s, from: s.small(), ids: shuffled(s.small(), s.Pending, 7), out: out,
		memory: make(map[string]float64), blocks: make(map[string]float64)}
	defer func() { err = o.es.closeAfter(err) }()
	for _, name := range s.Stores {
		if err := o.stock(ctx, name); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	for _, c := range openCases(s.Pending) {
		if err := o.measure(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// stock fills a store and closes it. One that takes too long is left out.
func (o *opens) stock(ctx context.Context, name string) error {
	e, err := newEntrant(filepath.Join(o.Dir, name), name, time.Hour)
	if err != nil {
		return err
	}
	o.es = append(o.es, e)
	if err := e.open(ctx); err != nil {
		return err
	}
	if ok, err := o.loadInTime(ctx, e, o.from, o.Pending+openLive, o.out, "open"); err != nil || !ok {
		return err
	}
	return e.close()
}

// measure brings each store into a case, then opens copies of it in turns.
func (o *opens) measure(ctx context.Context, c openCase) error {
	base := filepath.Join(o.Dir, "prepared")
	if err := os.Mkdir(base, 0o700); err != nil {
		return err
	}
	defer os.RemoveAll(base)
	var ready entrants
	for _, e := range o.es {
		ok, err := o.prepare(ctx, e, c, filepath.Join(base, e.Name))
		if err != nil {
			return fmt.Errorf("%s: %w", e.Name, err)
		}
		if ok {
			ready = append(ready, e)
		}
	}
	m := &opening{opens: o, openCase: c, seconds: series{}, memory: series{}, each: series{}, disk: series{}}
	err := ready.rounds(ctx, o.course(o.out, min(openRounds, o.Rounds), "open, %v", c).warmed(m.seconds, m.memory, m.each), func(_ int, e *entrant) error {
		return m.open(ctx, e, filepath.Join(base, e.Name))
	})
	if err == nil {
		err = m.weigh(ready, base)
	}
	m.report(ready)
	return err
}

// prepare makes a copy of a store in which what the case says has been deleted, by
// a process that is killed then. ok is false when it could not be done in time.
func (o *opens) prepare(ctx context.Context, e *entrant, c openCase, dir string) (ok bool, err error) {
	if e.Store != nil { // it was left out when it was filled
		return false, nil
	}
	if err := copyDir(e.dir, dir); err != nil || c.closed {
		return err == nil, err
	}
	task := o.errand(e, dir)
	task.IDs, task.Size, task.Workers, task.Limit = o.ids[:c.pending], c.size, c.workers, slowly*o.Limit
	f, err := task.send(ctx)
	if err == nil && f.Deleted < c.pending {
		o.out.note("open, %v: %s left out: it had deleted %s after %v", c, e.Name, count(f.Deleted), task.Limit)
		return false, nil
	}
	return err == nil, err
}

// errand opens the copy of a store in dir.
func (o *opens) errand(e *entrant, dir string) *errand {
	return &errand{Kind: e.Name, Dir: dir, Key: e.setup.Key, Within: e.setup.PurgeWithin,
		Live: o.from.id(o.Pending), Gone: "nobody's"}
}

// opening is one case on its way through the stores.
type opening struct {
	*opens
	openCase
	seconds, memory, each, disk series
}

// open opens a copy of what is prepared.
func (m *opening) open(ctx context.Context, e *entrant, prepared string) error {
	dir := filepath.Join(m.Dir, "opened")
	defer os.RemoveAll(dir)
	if err := copyDir(prepared, dir); err != nil {
		return err
	}
	f, err := m.errand(e, dir).send(ctx)
	if err != nil {
		return err
	}
	m.seconds.add(e, f.Seconds)
	if e.OpenReadOnly != nil {
		if f, err = m.look(ctx, e, prepared); err != nil {
			return err
		}
	}
	m.memory.add(e, float64(f.Memory)/(1<<20))
	if m.pending > 0 {
		m.each.add(e, (float64(f.Memory)-m.opens.memory[e.Name])/float64(m.pending))
	}
	return nil
}

// look opens what is prepared for reading only: Oubliette begins to apply what has
// waited when it is opened, and its memory would be that of some moment of it.
func (m *opening) look(ctx context.Context, e *entrant, prepared string) (finding, error) {
	task := m.errand(e, prepared)
	task.ReadOnly = true
	f, err := task.send(ctx)
	if err == nil && f.Pending != m.pending {
		err = fmt.Errorf("opened with %d tombstones pending, want %d: the figure would be of something else", f.Pending, m.pending)
	}
	return f, err
}

// weigh notes what the case takes on disk, and keeps what a case with nothing
// deleted takes for the others to be held against.
func (m *opening) weigh(ready entrants, base string) error {
	for _, e := range ready {
		blocks, err := diskBlocks(filepath.Join(base, e.Name))
		if err != nil {
			return err
		}
		if m.pending > 0 {
			m.disk.add(e, (blocks-m.blocks[e.Name])/float64(m.pending))
			continue
		}
		m.blocks[e.Name] = blocks
		m.opens.memory[e.Name] = summarise(m.memory[e.Name]).Median * (1 << 20)
	}
	return nil
}

func (m *opening) report(ready entrants) {
	var each []target
	if m.pending == pendingOfTargets {
		each = targetsOfPendingMemory
	}
	for _, t := range []table{
		{unit: "seconds to open and read one item", values: m.seconds, targets: m.targets},
		{unit: "MiB of memory", values: m.memory},
		{unit: "bytes of memory a pending tombstone", values: m.each, targets: each},
		{unit: "bytes of disk a pending tombstone", values: m.disk},
	} {
		t.workload, t.name = "open", m.String()
		m.out.add(ready, t)
	}
}
