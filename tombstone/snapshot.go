package tombstone

import (
	"unsafe"

	"oubliette/crypto"
)

// Tombstone says that every row of Token with a sequence number below Seq is
// dead.
type Tombstone struct {
	Token crypto.Token
	Seq   uint64
}

const tombstoneSize = int64(unsafe.Sizeof(Tombstone{}))

// All is [Set.Snapshot] and [Snapshot.All] at once.
func (s *Set) All() []Tombstone { return s.Snapshot().All() }

// Snapshot is a set as it was at one moment.
type Snapshot struct {
	views   *[shardCount]view
	n       int
	again   []Tombstone
	expired *Snapshot // nil: nothing has
}

// Again is the deletes that [Snapshot.All] leaves out, in no order: those of a
// token that a later delete has deleted again. Readers need the newest alone; who
// counts what each delete has found needs them all.
func (s Snapshot) Again() []Tombstone { return s.again }

// Expired is all that [Set.AddEach] has added, in no order.
func (s Snapshot) Expired() []Tombstone {
	if s.expired == nil {
		return nil
	}
	return append(s.expired.All(), s.expired.again...)
}

// All is the tombstones of every call that was added before the snapshot, and
// of no part of any other: ascending by token, one a token, with its newest
// sequence number. It reads the tables while readers and writers go on. The
// first Add that touches one of them afterwards copies it, at most once a table
// and snapshot.
func (s Snapshot) All() []Tombstone {
	out := make([]Tombstone, 0, s.n)
	var scratch []crypto.Token
	for _, v := range s.views {
		scratch = scratch[:0]
		for i := range v.used {
			scratch = append(scratch, v.row(i).token)
		}
		for _, tok := range Sort(scratch) {
			out = append(out, Tombstone{Token: tok, Seq: v.find(&tok) - 1})
		}
	}
	return out
}

// view is a table that changes no more, and how many of its rows are used.
type view struct {
	*table
	used int
}

// Snapshot waits until the last call is in the tables and takes these as they are, in
// less than a microsecond.
func (s *Set) Snapshot() Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settleLocked()
	var views [shardCount]view
	n := 0
	for i := range views {
		if t := s.shards[i].Load(); t != nil {
			views[i] = view{t, s.mu.shards[i].used}
			n += views[i].used
		}
	}
	s.mu.snapshots++
	out := Snapshot{views: &views, n: n, again: s.mu.again[:len(s.mu.again):len(s.mu.again)]}
	if e := s.expired.Load(); e != nil {
		now := e.Snapshot()
		out.expired = &now
	}
	return out
}
