package tombstone

import (
	"hash/maphash"
	"math/bits"
	"sync/atomic"
	"unsafe"

	"oubliette/crypto"
)

const (
	rowSize   = int64(unsafe.Sizeof(row{}))
	entrySize = int64(unsafe.Sizeof(entry(0)))
	minIndex  = 8
	// blockRows is how many rows are allocated at once.
	blockRows = 8
	// touchAhead is how many entries are loaded into the cache at once before
	// they are written: loads overlap, atomic stores do not.
	touchAhead = 32
)

// row holds one tombstone. token never changes once an entry leads to it; mark,
// the sequence number plus one, only rises and is accessed atomically.
type row struct {
	token crypto.Token
	mark  uint64
}

// entry is 0 where the index is empty, otherwise the high half of the token's
// hash (the tag) in its high half and the number of the row plus one in its
// low half. Entries are small, so that a token that is not there costs one
// access to a small array, and growing needs no token hashed again.
type entry = uint64

// table is an open-addressing hash table with linear probing and room to spare.
// One writer puts, any number of readers find, with no lock between them:
// a row is filled before the entry that leads to it is stored atomically.
// Nothing is ever removed, so a probe that meets an empty entry is done.
//
// Places are chosen by a hash under a random seed, not by the token's own bits:
// a writer who chooses tokens would otherwise pile them all up in one place.
type table struct {
	seed  maphash.Seed
	index []entry
	rows  []*block // room for all; the writer knows how many are used

	blocks int // how many of rows are made; the writer's alone
}

// block is rows that stay where they are when the table grows.
type block [blockRows]row

const blockSize = int64(unsafe.Sizeof(block{}))

// blocksOf is how many blocks hold n rows.
func blocksOf(n int) int { return (n + blockRows - 1) / blockRows }

func (t *table) row(i int) *row { return &t.rows[i/blockRows][i%blockRows] }

// room is how many rows the table takes.
func (t *table) room() int { return roomOf(len(t.index)) }

// newTable makes a table of the shard with room for n tokens.
func newTable(seed maphash.Seed, shard byte, n int) *table {
	k := 0
	for roomOf(indexAt(shard, k)) < n {
		k++
	}
	size := indexAt(shard, k)
	return &table{seed: seed, index: make([]entry, size), rows: make([]*block, blocksOf(roomOf(size)))}
}

// indexAt is the size of a shard's index that has grown k times, by a half and by a
// third in turn. It begins between 8 and 16, at another place in between for each
// shard: uniform tokens fill all shards evenly, and they shall not all have to grow in
// the same call.
func indexAt(shard byte, k int) int {
	size := (shardCount + int(shard)) << (k / 2) / (shardCount / minIndex)
	return size + k%2*(size/2)
}

// roomOf is how many tokens go with an index of a size: three quarters of it,
// so that a probe is short and always ends.
func roomOf(size int) int { return size / 4 * 3 }

// bytes is the memory that the table's arrays take, without the blocks.
func (t *table) bytes() int64 {
	return int64(len(t.index))*entrySize + int64(len(t.rows))*int64(unsafe.Sizeof(&block{}))
}

// tag is the half of tok's hash that chooses its place.
func (t *table) tag(tok *crypto.Token) uint32 { return uint32(maphash.Bytes(t.seed, tok[:]) >> 32) }

// home is where in the index the search for a tag begins. Homes ascend with
// tags, at every size.
func (t *table) home(tag uint32) int {
	home, _ := bits.Mul64(uint64(tag)<<32, uint64(len(t.index)))
	return int(home)
}

// find is the mark of tok, 0 when it is not there.
func (t *table) find(tok *crypto.Token) uint64 {
	if r, _ := t.probe(t.tag(tok), tok); r != nil {
		return atomic.LoadUint64(&r.mark)
	}
	return 0
}

// probe answers the row of tok, or nil and the empty entry that would lead to
// it.
func (t *table) probe(tag uint32, tok *crypto.Token) (*row, *entry) {
	for i := t.home(tag); ; {
		at := &t.index[i]
		e := atomic.LoadUint64(at)
		if e == 0 {
			return nil, at
		}
		if uint32(e>>32) == tag {
			if r := t.row(int(uint32(e) - 1)); r.token == *tok {
				return r, at
			}
		}
		if i++; i == len(t.index) {
			i = 0
		}
	}
}

// reserve makes what blocks n rows need, at once.
func (t *table) reserve(n int) {
	need := blocksOf(n)
	if need <= t.blocks {
		return
	}
	fresh := make([]block, need-t.blocks)
	for i := range fresh {
		t.rows[t.blocks+i] = &fresh[i]
	}
	t.blocks = need
}

// put raises the marks of tokens to mark and answers how many rows are used
// then, which were used before. The table has room for all. Marks that have lost
// to a higher one are appended to lost.
func (t *table) put(tokens []crypto.Token, mark uint64, used int, lost *[]Tombstone) int {
	t.reserve(used + len(tokens))
	var tags [touchAhead]uint32
	for len(tokens) > 0 {
		n := min(len(tokens), touchAhead)
		t.touch(tags[:n], tokens)
		for i, tag := range tags[:n] {
			used = t.putOne(tag, &tokens[i], mark, used, lost)
		}
		tokens = tokens[n:]
	}
	return used
}

// touch fills tags with the tags of as many tokens, and loads their homes.
func (t *table) touch(tags []uint32, tokens []crypto.Token) {
	for i := range tags {
		tags[i] = t.tag(&tokens[i])
	}
	for _, tag := range tags { // nothing but loads: many are under way at once
		atomic.LoadUint64(&t.index[t.home(tag)])
	}
}

// putOne is put for one token.
func (t *table) putOne(tag uint32, tok *crypto.Token, mark uint64, used int, lost *[]Tombstone) int {
	r, at := t.probe(tag, tok)
	if r == nil {
		*t.row(used) = row{token: *tok, mark: mark}
		atomic.StoreUint64(at, uint64(tag)<<32|uint64(used+1))
		return used + 1
	}
	if low := min(r.mark, mark); r.mark != mark {
		*lost = append(*lost, Tombstone{Token: *tok, Seq: low - 1})
	}
	if r.mark < mark {
		atomic.StoreUint64(&r.mark, mark)
	}
	return used
}

// grown is the shard's table with room for n tokens. It goes on with the rows of t,
// which gets no more.
func (t *table) grown(shard byte, n int) *table {
	out := newTable(t.seed, shard, n)
	copy(out.rows, t.rows)
	out.blocks = t.blocks
	for _, e := range t.index {
		if e != 0 {
			out.enter(e)
		}
	}
	return out
}

// enter puts an entry into the index of a table that nobody else sees yet.
func (t *table) enter(e entry) {
	i := t.home(uint32(e >> 32))
	for t.index[i] != 0 {
		if i++; i == len(t.index) {
			i = 0
		}
	}
	t.index[i] = e
}

// clone is a copy of t, whose first used rows are used.
func (t *table) clone(used int) *table {
	out := &table{seed: t.seed, index: make([]entry, len(t.index)), rows: make([]*block, len(t.rows))}
	copy(out.index, t.index)
	out.reserve(used)
	for i := range blocksOf(used) {
		*out.rows[i] = *t.rows[i]
	}
	return out
}
