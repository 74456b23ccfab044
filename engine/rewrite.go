package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"oubliette/compaction"
	"oubliette/crypto"
	"oubliette/segment"
)

// goal is what rewriting is for.
type goal struct {
	full bool                      // everything that gives something back; else what is worth it
	only map[crypto.SegmentID]bool // nothing but these, whatever it gives; nil: any
}

// rewriteStep goes on with the rewrite under way, or begins the next. It moves stepSize bytes:
// between two steps maintenance does what is due, so that a large segment
// neither keeps an erasure waiting nor is given up for one. more: there is
// something to go on with; finished: a rewrite came to its end.
func (m *maintenance) rewriteStep(ctx context.Context, ring *keyring, want goal) (more, finished bool, err error) {
	if m.moving == nil {
		if err := m.beginRewrite(ring, want); err != nil || m.moving == nil {
			return false, false, err
		}
	}
	mv := m.moving
	done, err := m.step(stopped{ctx, m}, ring, mv, m.stepSize)
	if err == nil && !done {
		return true, false, nil
	}
	m.moving = nil
	gone := errors.Is(err, errInputGone)
	err = errors.Join(err, m.settle(mv))
	switch {
	case err == nil:
		return true, true, nil
	case gone:
		return true, false, nil
	case ctx.Err() == nil && !m.stopping():
		rest(mv.view.sealed, mv.ids, err)
	}
	return false, false, err
}

// defaultStep is how many bytes of rows a rewrite moves before it looks whether
// something else is due.
const defaultStep = 16 << 20

// beginRewrite makes the plan's rewrite the one under way, if there is one and
// a reader's key for it.
func (m *maintenance) beginRewrite(ring *keyring, want goal) error {
	v := m.s.acquire()
	defer v.release()
	full := want.full || want.only != nil
	plan := compaction.Plan(v.figures(want, m.s.cat.readerSince()), compaction.Limits{
		SegmentSize: uint64(m.s.db.opts.SegmentSize), MaxWork: compaction.MaxWork, Full: full,
	})
	if len(plan) == 0 {
		return nil
	}
	mv, err := m.beginSegments(ring, v, plan)
	switch {
	case errors.Is(err, ErrPermission):
		return nil
	case err != nil:
		rest(v.sealed, plan, err)
		return err
	}
	m.moving = mv
	return nil
}

const (
	minRest = 10 * time.Second
	maxRest = time.Hour
)

// rest leaves segments alone whose rewrite failed, longer each time: the one
// that the error names, else all that were to be rewritten.
func rest(in []sealedSegment, ids []crypto.SegmentID, err error) {
	var corrupt *CorruptionError
	named := errors.As(err, &corrupt)
	for _, x := range in {
		if !slices.Contains(ids, x.seg.id) || (named && corrupt.Path != x.seg.file.Path()) {
			continue
		}
		x.seg.rest = min(max(2*x.seg.rest, minRest), maxRest)
		x.seg.resting = time.Now().Add(x.seg.rest)
	}
}

// figures is what a plan looks at: with a goal the segments that it wants, else
// those that are not left alone. Data keys from before the epoch reader are exposed.
func (v *view) figures(want goal, reader uint64) []compaction.Figures {
	out := make([]compaction.Figures, 0, len(v.sealed))
	for _, x := range v.sealed {
		switch {
		case want.only != nil && !want.only[x.seg.id]:
			continue
		case want.only == nil && !want.full && time.Now().Before(x.seg.resting):
			continue
		}
		size := x.seg.table.DataEnd() - segment.DataStart
		out = append(out, compaction.Figures{
			ID: x.seg.id, Size: size, Dead: min(x.dead.Bytes, size),
			Entries: uint32(x.seg.table.Entries()), Live: uint32(x.seg.table.Entries()) - x.dead.Entries,
			Must: x.seg.must.Load(), Exposed: x.seg.epoch < reader,
		})
	}
	return out
}

// moveFailed rewrites every segment whose file has failed, so that the file can
// be destroyed.
func (m *maintenance) moveFailed(ring *keyring) error {
	v := m.s.acquire()
	defer v.release()
	var errs []error
	for _, x := range v.sealed {
		if !x.seg.must.Load() {
			continue
		}
		mv, err := m.beginSegments(ring, v, []crypto.SegmentID{x.seg.id})
		if err == nil {
			err = m.moveNow(ring, mv)
		}
		errs = append(errs, err)
	}
	for _, o := range v.open {
		if o.mem.broken.Load() {
			if o.mem.inflight.Load() > 0 {
				errs = append(errs, fmt.Errorf("segment %s has calls under way", o.mem.id))
				continue
			}
			errs = append(errs, m.sealOne(ring, o.mem))
		}
	}
	return errors.Join(errs...)
}

// moveRows rewrites a memtable's living rows into a new file.
func (m *maintenance) moveRows(ring *keyring, mem *memtable) error {
	entries := mem.live()
	if err := unlock(mem.file, mem.dek, ring); err != nil {
		return err
	}
	v := m.s.acquire()
	defer v.release()
	mv, err := m.beginMove(ring, v, []compaction.Input{{File: mem.file, Entries: entries}}, nil, []*memtable{mem})
	if err != nil {
		return err
	}
	return m.moveNow(ring, mv)
}

// beginSegments begins to move the living rows of sealed segments.
func (m *maintenance) beginSegments(ring *keyring, v *view, ids []crypto.SegmentID) (*moving, error) {
	var inputs []compaction.Input
	var segs []*sealed
	for _, x := range v.sealed {
		if !slices.Contains(ids, x.seg.id) {
			continue
		}
		entries, err := living(x)
		if err != nil {
			return nil, err
		}
		if len(entries) > 0 {
			if err := unlock(x.seg.file, x.seg.dek, ring); err != nil {
				return nil, err
			}
		}
		inputs = append(inputs, compaction.Input{File: x.seg.file, Entries: entries})
		segs = append(segs, x.seg)
	}
	return m.beginMove(ring, v, inputs, segs, nil)
}

func living(x sealedSegment) ([]segment.Entry, error) {
	var out []segment.Entry
	err := x.seg.table.All(func(e segment.Entry) error {
		if !x.dead.Contains(e.Row) {
			out = append(out, e)
		}
		return nil
	})
	return out, err
}

// destroyDoomed tries again where a file could not be destroyed.
func (m *maintenance) destroyDoomed() error {
	m.s.mu.Lock()
	ids := m.s.mu.doomed
	m.s.mu.doomed = nil
	m.s.mu.Unlock()
	return m.s.discard(ids)
}

// discard destroys files that are not part of the index, or not any more. It
// notes what could not be destroyed, for maintenance to try again.
func (s *state) discard(ids []crypto.SegmentID) error {
	err := s.db.destroy(s.cat.id, ids)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.mu.doomed = append(s.mu.doomed, ids...)
		return err
	}
	s.mu.counts.Unlinked += uint64(len(ids))
	return nil
}
