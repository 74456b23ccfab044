package engine

import (
	"slices"
	"sync/atomic"
	"time"

	"oubliette/compaction"
	"oubliette/crypto"
	"oubliette/segment"
	"oubliette/tombstone"
)

// view is what a read works on: the tombstones not yet applied, the segments
// that are open, with their memtables, and those that are sealed, each with
// what is dead in it. A view is immutable but for what publishing adds to its
// newest tombstones and memtables (under state.mu), and reference-counted: its
// files stay open while it is held.
type view struct {
	refs   atomic.Int32
	tombs  []*tombstone.Set // newest first; the first takes what is published
	open   []openSegment
	sealed []sealedSegment
}

type openSegment struct {
	mem  *memtable
	dead *compaction.Dead
}

type sealedSegment struct {
	seg  *sealed
	dead *compaction.Dead
}

// sealed is a segment with an index.
type sealed struct {
	id    crypto.SegmentID
	epoch uint64
	dek   crypto.Hash
	file  *segment.File
	table *segment.Table
	// must: its file failed; the rows have to move. Set by maintenance.
	must atomic.Bool
	// resting: a rewrite of it failed, the next attempt is not before then.
	// Maintenance's own.
	resting time.Time
	rest    time.Duration
	// expires: of each index block a time no later than the earliest expiry of a
	// row there that is an item or was one until it expired; 0: there is none. nil:
	// nothing in the segment expires. next is the earliest of them. Guarded by
	// state.mu.
	expires []uint64
	next    uint64
}

func newSealed(id crypto.SegmentID, epoch uint64, dek crypto.Hash, file *segment.File, table *segment.Table) *sealed {
	x := &sealed{id: id, epoch: epoch, dek: dek, file: file, table: table, expires: slices.Clone(table.Expiries())}
	x.renext()
	return x
}

// renext works the earliest expiry out.
func (x *sealed) renext() {
	x.next = 0
	for _, at := range x.expires {
		x.next = sooner(x.next, at)
	}
}

// newView takes a reference on every file; the caller holds one on the view.
func newView(tombs []*tombstone.Set, open []openSegment, sealed []sealedSegment) *view {
	v := &view{tombs: tombs, open: open, sealed: sealed}
	v.refs.Store(1)
	for _, o := range open {
		o.mem.file.Retain()
	}
	for _, s := range sealed {
		s.seg.file.Retain()
	}
	return v
}

// retain takes one more reference; the caller holds one.
func (v *view) retain() { v.refs.Add(1) }

// release gives a reference back; with the last one the files are let go.
func (v *view) release() {
	if v.refs.Add(-1) > 0 {
		return
	}
	for _, o := range v.open {
		o.mem.file.Release()
	}
	for _, s := range v.sealed {
		s.seg.file.Release()
	}
}

// newest is the highest sequence number at which a pending tombstone deletes
// the token; 0: none does.
func (v *view) newest(tok crypto.Token) (seq uint64) {
	for _, t := range v.tombs {
		if s, ok := t.Newest(tok); ok {
			seq = max(seq, s)
		}
	}
	return seq
}

// acquire answers the current view with a reference on it.
func (s *state) acquire() *view {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.acquireLocked()
}

func (s *state) acquireLocked() *view {
	s.mu.view.refs.Add(1)
	return s.mu.view
}

// swapLocked installs a view. The old one's reference goes to the caller, to be
// released outside of the lock: letting files go is I/O.
func (s *state) swapLocked(next *view) *view {
	old := s.mu.view
	s.mu.view = next
	return old
}
