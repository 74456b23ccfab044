package tombstone

import "oubliette/crypto"

// Tombstone says that every row of Token with a sequence number below Seq is
// dead.
type Tombstone struct {
	Token crypto.Token
	Seq   uint64
}

// All is the tombstones of every call that was added before, and of no part of
// any other: ascending by token, one a token, with its newest sequence number.
//
// It waits for an Add that is running, takes the tables as they are in less
// than a microsecond, and reads them while readers and writers go on. The first
// Add that touches one of these tables afterwards copies it, at most once a
// table and All.
func (s *Set) All() []Tombstone {
	views, n := s.snapshot()
	out := make([]Tombstone, 0, n)
	var scratch []crypto.Token
	for _, v := range views {
		scratch = scratch[:0]
		for i := range v.rows {
			scratch = append(scratch, v.rows[i].token)
		}
		for _, tok := range Sort(scratch) {
			out = append(out, Tombstone{Token: tok, Seq: v.find(&tok) - 1})
		}
	}
	return out
}

// view is a table that changes no more, and its used rows.
type view struct {
	*table
	rows []row
}

// snapshot is the tables as they stand, which from now on change no more, and
// how many tokens are in them.
func (s *Set) snapshot() (views [shardCount]view, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range views {
		if t := s.shards[i].Load(); t != nil {
			used := s.mu.shards[i].used
			views[i] = view{t, t.rows[:used]}
			n += used
		}
	}
	s.mu.snapshots++
	return views, n
}
