package engine

import (
	"cmp"
	"fmt"
	"slices"

	"oubliette/compaction"
	"oubliette/crypto"
	"oubliette/internal/meta"
	"oubliette/segment"
)

// reserve answers the active segment with a reservation on it, and makes one
// when there is none or the one there is full or failed.
func (s *state) reserve(ring *keyring) (*memtable, error) {
	s.rollMu.Lock()
	defer s.rollMu.Unlock()
	if m := s.active; m != nil {
		if m.writer.Err() != nil {
			m.broken.Store(true)
		}
		if m.broken.Load() || m.writer.Size() >= s.db.opts.SegmentSize || s.heavy(m) {
			s.retireLocked(m)
		}
	}
	if s.active == nil {
		m, err := s.newSegment(ring)
		if err != nil {
			return nil, err
		}
		s.active = m
	}
	s.active.inflight.Add(1)
	return s.active, nil
}

// heavy tells whether a memtable holds half of what memory allows, or keeps more
// of the log from being truncated than a crash should have to replay.
func (s *state) heavy(m *memtable) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return m.bytes() > s.db.opts.MemoryLimit/2 || s.pinnedLocked(m) > maxLog
}

// pinnedLocked is how many bytes of log a memtable keeps.
func (s *state) pinnedLocked(m *memtable) int64 {
	if len(m.entries) == 0 || len(s.mu.logged) == 0 {
		return 0
	}
	i, _ := slices.BinarySearchFunc(s.mu.logged, m.before.Group+1, func(g loggedGroup, n uint64) int {
		return cmp.Compare(g.group, n)
	})
	if i == len(s.mu.logged) {
		return 0
	}
	return s.mu.logged[len(s.mu.logged)-1].bytes - s.mu.logged[i].bytes
}

// rollHeavy retires the active segment if it is heavy: no upsert may come to
// notice.
func (s *state) rollHeavy() {
	s.rollMu.Lock()
	defer s.rollMu.Unlock()
	if s.active != nil && s.heavy(s.active) {
		s.retireLocked(s.active)
	}
}

// unreserve ends a reservation.
func (s *state) unreserve(m *memtable) {
	if m.inflight.Add(-1) == 0 && m.retired.Load() {
		s.work.wake() // it can be sealed now
	}
}

// retire takes no more rows into m.
func (s *state) retire(m *memtable) {
	s.rollMu.Lock()
	defer s.rollMu.Unlock()
	s.retireLocked(m)
}

func (s *state) retireLocked(m *memtable) {
	if s.active == m {
		s.active = nil
	}
	if !m.retired.Swap(true) {
		s.work.wake()
	}
}

// roll retires whatever segment is active.
func (s *state) roll() {
	s.rollMu.Lock()
	defer s.rollMu.Unlock()
	if s.active != nil {
		s.retireLocked(s.active)
	}
}

// newSegment makes the next active segment; rollMu is held.
//
// Order: the id recorded as building, synced; the file made, its header
// synced, its folder synced; then one synced batch that lists it in the
// manifest and records it as live. Only then do rows go into it. A crash before
// the last batch leaves a building file without a row, which the next Open
// destroys; after it, an empty open segment.
func (s *state) newSegment(ring *keyring) (*memtable, error) {
	w, id, err := s.buildFile(ring)
	if err != nil {
		s.work.wake() // it may have left a file
		return nil, err
	}
	m := newMemtable(id, ring.epoch, w.DEKCommitment(), s.db.segmentPath(s.cat.id, id), w.File())
	m.writer = w
	edit := s.edit(ring.signer)
	defer edit.end()
	edit.next.Segments = append(edit.next.Segments, compaction.Segment{ID: id, Epoch: ring.epoch, DEK: m.dek})
	edit.batch.Set(meta.SegmentKey(s.cat.id, id), []byte{segmentLive})
	if err := edit.commit(); err != nil {
		s.abandon(w) // its file stays: the manifest may list it
		return nil, err
	}
	s.mu.Lock()
	v := s.mu.view
	old := s.swapLocked(newView(v.tombs, append([]openSegment{{m, compaction.NoDead}}, v.open...), v.sealed))
	s.mu.Unlock()
	old.release()
	w.File().Release() // the view holds it now
	return m, nil
}

// buildFile makes a building segment file.
func (s *state) buildFile(ring *keyring) (*segment.Writer, crypto.SegmentID, error) {
	id := crypto.NewSegmentID()
	batch := s.db.meta.NewBatch()
	batch.Set(meta.SegmentKey(s.cat.id, id), []byte{segmentBuilding})
	if err := s.db.meta.Commit(batch); err != nil {
		return nil, id, err
	}
	reader, err := crypto.ParseReaderPublic(s.cat.record.Reader)
	if err != nil {
		return nil, id, err
	}
	path := s.db.segmentPath(s.cat.id, id)
	w, err := segment.Create(s.db.opts.FS, path, segment.Identity{Index: s.cat.id, Segment: id, Epoch: ring.epoch}, reader)
	if err == nil {
		err = syncDir(s.db.opts.FS, s.db.segmentDir(s.cat.id))
		if err != nil {
			s.abandon(w)
		}
	}
	if err != nil {
		_ = s.discard([]crypto.SegmentID{id}) // else maintenance does, or the next Open
		return nil, id, fmt.Errorf("making segment %s: %w", id, err)
	}
	return w, id, nil
}

// abandon closes a file that will not be installed.
func (s *state) abandon(w *segment.Writer) {
	_ = w.Close()
	w.File().Release()
}
