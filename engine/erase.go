package engine

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"oubliette/compaction"
	"oubliette/crypto"
	"oubliette/segment"
)

// erase overwrites every extent that the dead sets still list: this is the
// purge. Its cost is the bytes that died. What is dead in the copy that a rewrite
// is making goes first, and so do files that could not be destroyed: only then is
// it erased.
//
// Order, for each segment: zeros over the extents, synced; then one batch with dead
// records that list nothing to overwrite any more, and a manifest that says how far
// all is erased, without a sync of its own (while a backup is under way the extents
// stay listed, see unlist). A crash anywhere before it is durable leaves the extents
// listed, and the next Open overwrites them again. An overwrite that fails is done
// once more through a fresh descriptor; if that fails too, the segment's living rows
// have to move and its file is destroyed. Whole blocks are given back afterwards, when
// nothing else is to be done (tidy).
func (m *maintenance) erase(ring *keyring) error {
	s := m.s
	began := time.Now()
	// What is applied from here on, also on the way below, is another round's.
	s.mu.RLock()
	upto := s.mu.applied
	s.mu.RUnlock()
	left := errors.Join(m.eraseMoved(), m.destroyDoomed()) // keeps nothing else from being erased
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
	all := upto // when every overwrite has been done
	if left != nil || len(errs) > 0 {
		all = 0
	}
	if err := m.unlist(ring, done, all); err != nil {
		m.pending = true
		return errors.Join(append(errs, err)...)
	}
	if len(errs) > 0 {
		err := m.moveFailed(ring)
		if err == nil && left == nil {
			err = s.installErased(ring, nil, upto)
		}
		if err != nil {
			m.pending = true
			return errors.Join(append(errs, left, err)...)
		}
	}
	if left != nil {
		m.pending = true
		return left
	}
	s.setErased(upto, info.Segments > 0)
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
	if s.db.overwritten(id, dead.Generation) {
		done[id], m.wiped[id] = dead.Generation, dead.Pending // Open has done it
		return nil
	}
	path := s.db.segmentPath(s.cat.id, id)
	area := segment.Extent{Off: segment.DataStart, Len: end - segment.DataStart}
	left := m.unwiped(id, dead)
	if len(left) == 0 {
		done[id] = dead.Generation // it has been kept listed for a backup
		return nil
	}
	n, err := s.db.zero(path, id, left, area)
	if err != nil {
		return fmt.Errorf("erasing in segment %s: %w", id, err)
	}
	m.noteHoles(id, left)
	m.wiped[id] = dead.Pending
	done[id] = dead.Generation
	info.Segments++
	info.Bytes += n
	s.mu.Lock()
	s.mu.counts.BytesErased += n
	s.mu.overwrittenIn[id] = true
	s.mu.Unlock()
	return nil
}

// installErased commits dead sets with nothing pending where the overwrite is
// done, and that all is erased up to a sequence number, and swaps in a view of them.
func (s *state) installErased(ring *keyring, done map[crypto.SegmentID]uint64, upto uint64) error {
	e := s.edit(ring.signer)
	defer e.end()
	if !e.erased(upto) && len(done) == 0 {
		return nil
	}
	s.mu.RLock()
	cur := s.mu.view // stays: views are swapped under installMu
	s.mu.RUnlock()
	erased := func(id crypto.SegmentID, d *compaction.Dead) (*compaction.Dead, error) {
		if g, ok := done[id]; !ok || g != d.Generation {
			return d, nil
		}
		next := d.Erased()
		return next, e.dead(id, next)
	}
	var err error
	open := slices.Clone(cur.open)
	for i := 0; i < len(open) && err == nil; i++ {
		open[i].dead, err = erased(open[i].mem.id, open[i].dead)
	}
	sealed := slices.Clone(cur.sealed)
	for i := 0; i < len(sealed) && err == nil; i++ {
		sealed[i].dead, err = erased(sealed[i].seg.id, sealed[i].dead)
	}
	if err == nil {
		err = e.commitLazy()
	}
	if err != nil {
		return err
	}
	s.mu.Lock()
	old := s.swapLocked(newView(cur.tombs, open, sealed))
	s.mu.Unlock()
	old.release()
	return nil
}
