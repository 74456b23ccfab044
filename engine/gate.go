package engine

import (
	"slices"
	"sync"
	"sync/atomic"

	"oubliette/compaction"
	"oubliette/crypto"
	"oubliette/segment"
)

// gate keeps changes in place and the last step of a backup apart.
//
// Held for reading: while bytes of a live segment file are overwritten or the file
// is destroyed, and while a dead record is committed that lists less than before.
// Held for writing: when a backup sets its pin, and in its last step, which copies
// from files what the snapshot of the database speaks of (see Backup). Appending
// rows, committing and reading need no gate: a backup does not hold them up.
//
// Under it come DB.mu and state.installMu with what follows it; never the other
// way round.
type gate struct {
	sync.RWMutex
	// pinned is the backup under way, from before it reads the first byte until its
	// snapshot is taken. It is set and cleared under the lock.
	pinned atomic.Pointer[backup]
}

// zero overwrites extents of a segment; what fails is tried once more through a
// fresh descriptor.
func (db *DB) zero(path string, id crypto.SegmentID, extents []segment.Extent, area segment.Extent) (uint64, error) {
	db.gate.RLock()
	defer db.gate.RUnlock()
	n, err := segment.Overwrite(db.opts.FS, path, id, extents, area)
	if err != nil {
		n, err = segment.Overwrite(db.opts.FS, path, id, extents, area)
	}
	return n, err
}

// unwiped is what of a dead set's extents has not been overwritten yet.
func (m *maintenance) unwiped(id crypto.SegmentID, dead *compaction.Dead) []segment.Extent {
	return segment.Subtract(slices.Clone(dead.Pending), m.wiped[id])
}

// maxListed is how many extents dead records may list for a backup's sake: more
// would make what an apply commits too large for one batch.
const maxListed = 4 << 20

// unlist commits that extents have been overwritten, and up to where all is erased.
// While a backup is pinned it leaves the extents listed: a copy of the file may be
// from before the overwrite, and Restore has to overwrite them in it, which makes
// true there what is said of all being erased. An erasure that was under way when
// the pin was set finds it here: so setting it waits for no more than an overwrite.
func (m *maintenance) unlist(ring *keyring, done map[crypto.SegmentID]uint64, upto uint64) error {
	db := m.s.db
	db.gate.RLock()
	defer db.gate.RUnlock()
	if b := db.gate.pinned.Load(); b != nil {
		m.held = m.held || len(done) > 0
		if m.listed() > maxListed {
			b.cancel(errTooMuchDead)
		}
		done = nil
	}
	if err := m.s.installErased(ring, done, upto); err != nil {
		return err
	}
	if !m.held {
		clear(m.wiped)
	}
	return nil
}

// listed is how many extents the index's dead records list.
func (m *maintenance) listed() (n int) {
	v := m.s.acquire()
	defer v.release()
	for i := range v.open {
		n += len(v.open[i].dead.Pending)
	}
	for i := range v.sealed {
		n += len(v.sealed[i].dead.Pending)
	}
	return n
}

// unhold lets what a backup has kept listed be taken off by the next erasure.
func (m *maintenance) unhold() {
	if m.held && m.s.db.gate.pinned.Load() == nil {
		m.held, m.pending = false, true
	}
}

// pin makes b the backup that dead extents are kept listed for.
func (db *DB) pin(b *backup) {
	db.gate.Lock()
	defer db.gate.Unlock()
	db.gate.pinned.Store(b)
}

// unpin ends that.
func (db *DB) unpin() {
	db.gate.Lock()
	db.gate.pinned.Store(nil)
	db.gate.Unlock()
	db.unpinned()
}

// unpinned wakes who has waited for the end of a backup.
func (db *DB) unpinned() {
	db.mu.Lock()
	states := make([]*state, 0, len(db.mu.states))
	for _, s := range db.mu.states {
		states = append(states, s)
	}
	db.mu.Unlock()
	for _, s := range states {
		s.mu.RLock()
		work := s.work
		s.mu.RUnlock()
		work.wake()
	}
}
