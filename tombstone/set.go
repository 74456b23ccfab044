package tombstone

import (
	"hash/maphash"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"

	"oubliette/crypto"
)

// shardCount is how many tables a set is split over, by a token's first byte. A
// table that is full is copied into a larger one in one go: a 256th of the set
// keeps that pause of the writer short.
const shardCount = 256

// Set is the tombstones that readers have to respect because maintenance has
// not applied them yet: for each token the highest sequence number that deletes
// it. Nothing leaves a set; a set that was applied is dropped as a whole.
//
// It is hash tables keyed by tokens. The other candidate was a map in front of
// sorted runs that are merged as they grow and searched by interpolation. The
// runs add large calls faster: 40 to 50 ns a token against 60 to 75 at 100,000
// tokens a call. Small calls they add no faster: 260 ns against 220 to 290 for
// single tokens, 195 ns against 85 to 115 at 1,000 a call. But a look-up has to
// go through every run: among a million tombstones it took 340 to 900 ns, the
// tables 75 to 185 ns, and every read pays for look-ups. Merging also stops the
// writer for tens of milliseconds at a time. On one core of a 2.6 GHz EPYC that
// was shared with other work, growth of the tables included:
//
//	go test -run '^$' -bench 'Add$|Newest$' -benchmem ./tombstone
//
// A set of ten thousand to two million takes 38 to 42 bytes a token, and 24 bytes
// each time that a token is deleted again.
//
// Methods may be called from any number of goroutines. Readers ([Set.Newest],
// [Set.Len], [Set.Bytes]) take no lock and never wait; writers wait for one
// another, and for [Set.All] as long as it takes to copy 256 pointers. All waits for
// the last call to be in the tables.
type Set struct {
	seed     maphash.Seed
	incoming atomic.Pointer[call]
	shards   [shardCount]atomic.Pointer[table]
	// expired is what AddEach has added; nil: nothing. It has none of its own.
	expired atomic.Pointer[Set]

	tokens atomic.Int64
	bytes  atomic.Int64
	// mu is held by Add and settle, and by All while it takes its snapshot. incoming
	// and the tables change under it alone.
	mu struct {
		sync.Mutex
		snapshots uint64 // how many have been taken
		shards    [shardCount]shardState
		again     []Tombstone // see Snapshot.Again; only ever appended to
	}
}

// shardState is what the writer knows about a shard's table.
type shardState struct {
	used int
	// owned is the number of snapshots when the table was made. When more have
	// been taken since, one of them reads the table: it changes no more.
	owned uint64
}

// NewSet makes an empty set.
func NewSet() *Set {
	s := &Set{seed: maphash.MakeSeed()}
	s.bytes.Store(int64(unsafe.Sizeof(*s)))
	return s
}

// Add takes one call's tokens, strictly ascending as [Sort] leaves them, and
// keeps the slice; tokens in another order are sorted first. A token that is
// there already keeps the higher of the two sequence numbers. seq is below
// 2^64-1, which no log reaches.
//
// Readers see the call as a whole: from one moment on, before Add returns,
// every reader finds all of its tokens, and until then none. A large call is put
// into the tables after that, by a goroutine of its own; who adds next waits for it.
func (s *Set) Add(seq uint64, sorted []crypto.Token) {
	if seq == math.MaxUint64 {
		panic("tombstone: sequence number 2^64-1")
	}
	if firstDisorder(sorted) > 0 {
		sorted = Sort(sorted)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens.Add(int64(len(sorted)))
	if len(sorted) == 1 {
		s.repeated(s.foldLocked(seq+1, sorted)) // one store makes it visible
		return
	}
	s.settleLocked()
	c := &call{tokens: sorted, mark: seq + 1}
	s.bytes.Add(c.bytes())
	s.incoming.Store(c) // the moment from which on the call is visible
	if len(sorted) < settleApart {
		s.settleLocked()
	} else {
		go s.settle()
	}
}

// settleApart is from how many tokens on Add leaves it to another goroutine to put
// them into the tables: that takes longer then than to start one.
const settleApart = 512

// settle puts the call that came last into the tables.
func (s *Set) settle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settleLocked()
}

// settleLocked puts the call that came last into the tables, if that has not been
// done.
func (s *Set) settleLocked() {
	c := s.incoming.Load()
	if c == nil {
		return
	}
	for rest := c.tokens; len(rest) > 0; {
		n := sameShard(rest)
		s.repeated(s.foldLocked(c.mark, rest[:n]))
		rest = rest[n:]
	}
	s.incoming.Store(nil) // the tables hold all of it now
	s.bytes.Add(-c.bytes())
}

// repeated takes tokens off the count that were there already.
func (s *Set) repeated(n int) {
	if n > 0 {
		s.tokens.Add(-int64(n))
	}
}

// foldLocked puts tokens, which are of one shard, into its table, and answers
// how many were there already.
func (s *Set) foldLocked(mark uint64, tokens []crypto.Token) (repeated int) {
	shard := tokens[0][0]
	state := &s.mu.shards[shard]
	t := s.ownedLocked(shard)
	for len(tokens) > 0 {
		if t == nil || state.used == t.room() {
			t = s.growLocked(shard, len(tokens))
		}
		n := min(len(tokens), t.room()-state.used)
		lost, blocks := len(s.mu.again), t.blocks
		used := t.put(tokens[:n], mark, state.used, &s.mu.again)
		s.bytes.Add(int64(len(s.mu.again)-lost)*tombstoneSize + int64(t.blocks-blocks)*blockSize)
		repeated += n - (used - state.used)
		state.used = used
		tokens = tokens[n:]
	}
	return repeated
}

// ownedLocked is the shard's table, nil when there is none, copied first when a
// snapshot reads it.
func (s *Set) ownedLocked(shard byte) *table {
	state := &s.mu.shards[shard]
	t := s.shards[shard].Load()
	if t != nil && state.owned != s.mu.snapshots {
		spare := t.blocks
		t = t.clone(state.used)
		s.bytes.Add(int64(t.blocks-spare) * blockSize)
		state.owned = s.mu.snapshots
		s.shards[shard].Store(t)
	}
	return t
}

// growLocked gives the shard a table with room for n more tokens.
func (s *Set) growLocked(shard byte, n int) *table {
	state := &s.mu.shards[shard]
	old := s.shards[shard].Load()
	var t *table
	if old == nil {
		t = newTable(s.seed, shard, n)
	} else {
		t = old.grown(shard, state.used+n)
		s.bytes.Add(-old.bytes())
	}
	s.bytes.Add(t.bytes())
	state.owned = s.mu.snapshots
	s.shards[shard].Store(t)
	return t
}

// AddEach takes tombstones with sequence numbers of their own, as an expiry record
// holds them. Readers see those of one number as a whole, but not all of them
// together. They are kept apart from what Add takes, for nobody has deleted them: a
// number may be that of a call that has nothing to do with it. The slice stays as it
// is.
func (s *Set) AddEach(each []Tombstone) {
	s.mu.Lock()
	e := s.expired.Load()
	if e == nil {
		e = NewSet()
		s.expired.Store(e)
	}
	s.mu.Unlock()
	e.addBySeq(slices.Clone(each))
}

// Newest is the highest sequence number below which t's rows are dead; ok is false
// when there is none.
func (s *Set) Newest(t crypto.Token) (seq uint64, ok bool) {
	mark := uint64(0)
	// The order matters: a call that has left incoming by now is in the tables
	// that are loaded after it.
	if c := s.incoming.Load(); c != nil {
		mark = c.find(&t)
	}
	if tab := s.shards[t[0]].Load(); tab != nil {
		mark = max(mark, tab.find(&t))
	}
	if e := s.expired.Load(); e != nil {
		if seq, ok := e.Newest(t); ok {
			mark = max(mark, seq+1)
		}
	}
	if mark == 0 {
		return 0, false
	}
	return mark - 1, true
}

// Len is how many tokens the set holds, each counted once, or twice when it was
// deleted and has expired. Until the last call is in the tables it is an upper bound.
func (s *Set) Len() int {
	n := int(s.tokens.Load())
	if e := s.expired.Load(); e != nil {
		n += e.Len()
	}
	return n
}

// Bytes is the memory that the set holds, and of a call that is not in the tables yet
// what it will take there. Tables that only a running [Set.All] still reads are not in
// it.
func (s *Set) Bytes() int64 {
	n := s.bytes.Load()
	if e := s.expired.Load(); e != nil {
		n += e.Bytes()
	}
	return n
}
