package engine

import (
	"errors"
	"fmt"
	"time"

	"oubliette/compaction"
	"oubliette/crypto"
	"oubliette/segment"
)

// erase overwrites every extent that the dead sets still list: this is the
// purge. Its cost is the bytes that died.
//
// Order, for each segment: zeros over the extents, synced, holes punched where
// whole blocks are free; then the erased mark, without a sync of its own. A
// crash anywhere before the mark is durable leaves the extents listed, and the
// next Open overwrites them again. An overwrite that fails is done once more
// through a fresh descriptor; if that fails too, the segment's living rows have
// to move and its file is destroyed.
func (m *maintenance) erase(ring *keyring) error {
	s := m.s
	began := time.Now()
	// What is applied from here on, also on the way below, is another round's.
	upto := m.applied
	m.pending = false
	v := s.acquire()
	defer v.release()
	info := EraseInfo{Index: s.cat.id.String()}
	done := make(map[crypto.SegmentID]uint64)
	var errs []error
	for i := range v.open {
		o := &v.open[i]
		if err := m.overwrite(o.mem.id, o.dead, s.openEnd(o.mem), done, &info); err != nil {
			o.mem.broken.Store(true)
			s.retire(o.mem)
			errs = append(errs, err)
		}
	}
	for i := range v.sealed {
		x := &v.sealed[i]
		if err := m.overwrite(x.seg.id, x.dead, x.seg.table.DataEnd(), done, &info); err != nil {
			x.seg.must.Store(true)
			errs = append(errs, err)
		}
	}
	s.installErased(done)
	if len(errs) > 0 {
		if err := m.moveFailed(ring); err != nil {
			m.pending = true
			return errors.Join(append(errs, err)...)
		}
	}
	m.erased = upto
	info.Duration = time.Since(began)
	if f := s.db.opts.EventListener.Erased; f != nil && info.Segments > 0 {
		f(info)
	}
	return nil
}

// openEnd is the end of a memtable's row area.
func (s *state) openEnd(mem *memtable) uint64 {
	if mem.writer != nil {
		return uint64(mem.writer.Size())
	}
	return mem.dataEnd
}

func (m *maintenance) overwrite(id crypto.SegmentID, dead *compaction.Dead, end uint64, done map[crypto.SegmentID]uint64, info *EraseInfo) error {
	if len(dead.Pending) == 0 {
		return nil
	}
	s := m.s
	path := s.db.segmentPath(s.cat.id, id)
	area := segment.Extent{Off: segment.DataStart, Len: end - segment.DataStart}
	n, err := segment.Overwrite(s.db.opts.FS, path, id, dead.Pending, area)
	if err != nil {
		n, err = segment.Overwrite(s.db.opts.FS, path, id, dead.Pending, area)
	}
	if err != nil {
		return fmt.Errorf("erasing in segment %s: %w", id, err)
	}
	done[id] = dead.Generation
	info.Segments++
	info.Bytes += n
	s.mu.Lock()
	s.mu.counts.BytesErased += n
	s.mu.Unlock()
	return s.db.markErased(s.cat.id, id, dead.Generation)
}

// installErased swaps in a view whose dead sets have nothing pending where the
// overwrite is done.
func (s *state) installErased(done map[crypto.SegmentID]uint64) {
	if len(done) == 0 {
		return
	}
	s.installMu.Lock()
	defer s.installMu.Unlock()
	s.mu.Lock()
	cur := s.mu.view
	open := append([]openSegment(nil), cur.open...)
	for i := range open {
		if g, ok := done[open[i].mem.id]; ok && g == open[i].dead.Generation {
			open[i].dead = open[i].dead.Erased()
		}
	}
	sealed := append([]sealedSegment(nil), cur.sealed...)
	for i := range sealed {
		if g, ok := done[sealed[i].seg.id]; ok && g == sealed[i].dead.Generation {
			sealed[i].dead = sealed[i].dead.Erased()
		}
	}
	old := s.swapLocked(newView(cur.tombs, open, sealed))
	s.mu.Unlock()
	old.release()
}
