package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"oubliette/compaction"
	"oubliette/crypto"
	"oubliette/segment"
)

// moving is a rewrite under way: rows are copied into a new segment under a
// fresh key, which is installed in place of where they were.
//
// Order: a building file; rows; rows synced; index, synced; then install. A
// crash before install's batch leaves a building file, which the next Open
// destroys. Between two steps anything else may happen to the index:
//
//   - Rows die and are erased. What has not been copied by then is left out;
//     what has, is in the new segment and dead there from the start.
//   - An input goes, because its file failed or its index is being compacted.
//     Then the copy is given up.
//   - A row that dies by a tombstone not applied yet dies in the new segment
//     with the next apply: the tombstones stay until then.
type moving struct {
	began  time.Time
	view   *view // of the beginning, with a reference: keeps the inputs open
	inputs []compaction.Input
	segs   []*sealed // the inputs, when they have an index
	mems   []*memtable
	ids    []crypto.SegmentID // of segs

	dead []compaction.Death // rows of the new segment that have died

	// Of the new segment; nil when nothing lives.
	out    *memtable
	copier *compaction.Copier
	listed bool // the manifest lists it, or may: a commit that failed may have been done
}

// beginMove makes the new segment's file.
func (m *maintenance) beginMove(ring *keyring, v *view, inputs []compaction.Input, segs []*sealed, mems []*memtable) (*moving, error) {
	mv := &moving{began: time.Now(), view: v, inputs: inputs, segs: segs, mems: mems}
	rows := 0
	for _, in := range inputs {
		rows += len(in.Entries)
	}
	for _, x := range segs {
		mv.ids = append(mv.ids, x.id)
	}
	if rows > 0 {
		w, id, err := m.s.buildFile(ring)
		if err != nil {
			return nil, err
		}
		mv.out = newMemtable(id, ring.epoch, w.DEKCommitment(), m.s.db.segmentPath(m.s.cat.id, id), w.File())
		mv.out.writer = w
		mv.copier = compaction.NewCopier(inputs, w)
	}
	v.retain()
	return mv, nil
}

// moveNow moves all of it at once.
func (m *maintenance) moveNow(ring *keyring, mv *moving) error {
	_, err := m.step(context.Background(), ring, mv, math.MaxInt)
	return errors.Join(err, m.settle(mv))
}

// step copies rows, and installs the new segment when that was the last of
// them.
func (m *maintenance) step(ctx context.Context, ring *keyring, mv *moving, budget int) (done bool, err error) {
	now := m.s.acquire()
	defer now.release()
	died, there := mv.deaths(now)
	if !there {
		return false, errInputGone
	}
	if mv.copier != nil {
		if done, err = mv.copier.Step(ctx, budget, died); err != nil || !done {
			return false, err
		}
	}
	return true, m.finishMove(ring, mv, died)
}

// deaths tells which rows of the inputs are dead by now; there is false when an
// input is not in the view any more.
func (mv *moving) deaths(now *view) (died func(input int, row uint32) bool, there bool) {
	dead := make([]*compaction.Dead, 0, len(mv.inputs))
	for _, x := range mv.segs {
		for i := range now.sealed {
			if now.sealed[i].seg == x {
				dead = append(dead, now.sealed[i].dead)
			}
		}
	}
	for _, mem := range mv.mems {
		for i := range now.open {
			if now.open[i].mem == mem {
				dead = append(dead, now.open[i].dead)
			}
		}
	}
	return func(input int, row uint32) bool { return dead[input].Contains(row) }, len(dead) == len(mv.segs)+len(mv.mems)
}

// copies tells whether the rows of a segment are, or have been, copied to a new file:
// what dies of them may stand there, too.
func (mv *moving) copies(x *sealed) bool {
	return mv != nil && mv.out != nil && slices.Contains(mv.segs, x)
}

// finishMove closes the new segment and installs it.
func (m *maintenance) finishMove(ring *keyring, mv *moving, died func(int, uint32) bool) error {
	info := RewriteInfo{Index: m.s.cat.id.String(), Inputs: len(mv.segs) + len(mv.mems)}
	var out *product
	if mv.copier != nil {
		mv.dead = append(mv.dead, mv.copier.Bury(died)...)
		living := mv.copier.Copied()
		if info.Rows = len(living); info.Rows > 0 {
			var err error
			if out, err = m.closeMoved(ring, mv.out, living); err != nil {
				return err
			}
			out.dead = out.dead.Add(mv.dead, nil)
			info.Bytes = out.entry.DataEnd - segment.DataStart
		}
	}
	// Set first: whatever the install answers, it may have been committed.
	mv.listed = out != nil
	m.pending = m.pending || out != nil && len(out.dead.Pending) > 0
	if err := m.install(ring, out, mv.segs, mv.mems); err != nil {
		return err
	}
	info.Duration = time.Since(mv.began)
	if f := m.s.db.opts.EventListener.Rewritten; f != nil {
		f(info)
	}
	return nil
}

// eraseMoved overwrites the copies of rows that have died since the rewrite under
// way has copied them, or gives the rewrite up: then the new file is destroyed.
func (m *maintenance) eraseMoved() error {
	mv := m.moving
	if mv == nil || mv.copier == nil {
		return nil
	}
	now := m.s.acquire()
	defer now.release()
	died, there := mv.deaths(now)
	if !there {
		return m.giveUp()
	}
	dead := mv.copier.Bury(died)
	if len(dead) == 0 {
		return nil
	}
	mv.dead = append(mv.dead, dead...)
	extents := make([]segment.Extent, len(dead))
	for i := range dead {
		extents[i] = dead[i].Extent
	}
	area := segment.Extent{Off: segment.DataStart, Len: uint64(mv.out.writer.Size()) - segment.DataStart}
	if _, err := segment.Overwrite(m.s.db.opts.FS, mv.out.path, mv.out.id, extents, area); err != nil {
		m.tell("rewrite", err)
		return m.giveUp()
	}
	return nil
}

// closeMoved syncs the rows and writes their index.
func (m *maintenance) closeMoved(ring *keyring, mem *memtable, living []segment.Entry) (*product, error) {
	if err := mem.writer.Sync(); err != nil {
		return nil, err
	}
	return m.s.writeIndex(ring, mem, mem.writer.Rows(), living)
}

// settle lets a rewrite's files go. The new one stays if it is listed.
func (m *maintenance) settle(mv *moving) error {
	defer mv.view.release()
	if mv.out == nil {
		return nil
	}
	m.s.abandon(mv.out.writer) // the view holds an installed file, every byte of it is synced
	if mv.listed {
		return nil
	}
	return m.s.discard([]crypto.SegmentID{mv.out.id})
}

// makes tells whether a segment is the output of the rewrite under way.
func (m *maintenance) makes(id crypto.SegmentID) bool {
	return m.moving != nil && m.moving.out != nil && m.moving.out.id == id
}

// giveUp ends the rewrite under way, if there is one.
func (m *maintenance) giveUp() error {
	mv := m.moving
	if m.moving = nil; mv == nil {
		return nil
	}
	return m.settle(mv)
}

// stopped is a context that also ends when the store is being closed.
type stopped struct {
	context.Context
	m *maintenance
}

func (c stopped) Err() error {
	if err := c.Context.Err(); err != nil {
		return err
	}
	if c.m.stopping() {
		return errStopping
	}
	return nil
}

// errInputGone: a segment that was being rewritten is not there any more.
var errInputGone = errors.New("a segment that was being rewritten has gone")

var errStopping = fmt.Errorf("store: %w", ErrClosed)
