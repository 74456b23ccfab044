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

// rewrite does the next rewrite that is worth it (with full: any that gives
// something back) and tells whether there may be more. One that holds up an
// erasure is abandoned, and so is one without a reader's key.
func (m *maintenance) rewrite(ctx context.Context, ring *keyring, full bool) (more bool, err error) {
	v := m.s.acquire()
	defer v.release()
	plan := compaction.Plan(v.figures(full), compaction.Limits{
		SegmentSize: uint64(m.s.db.opts.SegmentSize), MaxWork: compaction.MaxWork, Full: full,
	})
	if len(plan) == 0 {
		return false, nil
	}
	err = m.rewriteThese(untilDue{ctx, m}, ring, v, plan)
	switch {
	case errors.Is(err, errDue):
		return true, nil
	case errors.Is(err, ErrPermission):
		return false, nil
	case err != nil:
		v.rest(plan, err)
	}
	return err == nil, err
}

const (
	minRest = 10 * time.Second
	maxRest = time.Hour
)

// rest leaves segments alone whose rewrite failed, longer each time: the one
// that the error names, else all that were to be rewritten.
func (v *view) rest(plan []crypto.SegmentID, err error) {
	var corrupt *CorruptionError
	named := errors.As(err, &corrupt)
	for _, x := range v.sealed {
		if !slices.Contains(plan, x.seg.id) || (named && corrupt.Path != x.seg.file.Path()) {
			continue
		}
		x.seg.rest = min(max(2*x.seg.rest, minRest), maxRest)
		x.seg.resting = time.Now().Add(x.seg.rest)
	}
}

// figures is what a plan looks at: the segments that are not left alone, or,
// with all, every one.
func (v *view) figures(all bool) []compaction.Figures {
	out := make([]compaction.Figures, 0, len(v.sealed))
	for _, x := range v.sealed {
		if !all && time.Now().Before(x.seg.resting) {
			continue
		}
		size := x.seg.table.DataEnd() - segment.DataStart
		out = append(out, compaction.Figures{
			ID: x.seg.id, Size: size, Dead: min(x.dead.Bytes, size),
			Entries: uint32(x.seg.table.Entries()), Live: uint32(x.seg.table.Entries()) - x.dead.Entries,
			Must: x.seg.must.Load(),
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
		if x.seg.must.Load() {
			errs = append(errs, m.rewriteThese(context.Background(), ring, v, []crypto.SegmentID{x.seg.id}))
		}
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
	m.s.mu.RLock()
	entries := mem.live()
	m.s.mu.RUnlock()
	if err := unlock(mem.file, mem.dek, ring); err != nil {
		return err
	}
	return m.move(context.Background(), ring, []compaction.Input{{File: mem.file, Entries: entries}}, nil, []*memtable{mem})
}

func (m *maintenance) rewriteThese(ctx context.Context, ring *keyring, v *view, ids []crypto.SegmentID) error {
	wanted := make(map[crypto.SegmentID]bool, len(ids))
	for _, id := range ids {
		wanted[id] = true
	}
	var inputs []compaction.Input
	var segs []*sealed
	for _, x := range v.sealed {
		if !wanted[x.seg.id] {
			continue
		}
		entries, err := living(x)
		if err != nil {
			return err
		}
		if len(entries) > 0 {
			if err := unlock(x.seg.file, x.seg.dek, ring); err != nil {
				return err
			}
			inputs = append(inputs, compaction.Input{File: x.seg.file, Entries: entries})
		}
		segs = append(segs, x.seg)
	}
	return m.move(ctx, ring, inputs, segs, nil)
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

// move copies rows into a new segment under a fresh key, and installs it in
// place of where they were.
//
// Order: a building file; rows, synced; index, synced; then install. A crash
// before install's batch leaves a building file, which the next Open destroys.
// A row that dies meanwhile dies in the new segment with the next apply: the
// tombstones stay until then.
func (m *maintenance) move(ctx context.Context, ring *keyring, inputs []compaction.Input, segs []*sealed, mems []*memtable) error {
	began := time.Now()
	info := RewriteInfo{Index: m.s.cat.id.String(), Inputs: len(segs) + len(mems)}
	var out *product
	for _, in := range inputs {
		info.Rows += len(in.Entries)
	}
	if info.Rows > 0 {
		var err error
		if out, err = m.copyOut(ctx, ring, inputs); err != nil {
			return err
		}
		info.Bytes = out.entry.DataEnd - segment.DataStart
		defer out.seg.file.Release() // the view holds it, or nothing does
	}
	if err := m.install(ring, out, segs, mems); err != nil {
		return err
	}
	info.Duration = time.Since(began)
	if f := m.s.db.opts.EventListener.Rewritten; f != nil {
		f(info)
	}
	return nil
}

// copyOut writes a rewrite's output, which is not installed yet.
func (m *maintenance) copyOut(ctx context.Context, ring *keyring, inputs []compaction.Input) (*product, error) {
	s := m.s
	w, id, err := s.buildFile(ring)
	if err != nil {
		return nil, err
	}
	mem := newMemtable(id, ring.epoch, w.DEKCommitment(), s.db.segmentPath(s.cat.id, id), w.File())
	mem.writer = w
	entries, err := compaction.Copy(ctx, inputs, w)
	if err == nil {
		err = w.Sync()
	}
	var out *product
	if err == nil {
		out, err = s.writeIndex(ring, mem, w.Rows(), entries)
	}
	if err != nil {
		s.abandon(w)
		return nil, errors.Join(err, s.discard([]crypto.SegmentID{id}))
	}
	_ = w.Close() // every byte of it is synced
	return out, nil
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
