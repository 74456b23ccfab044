package main

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
)

// shape says what items look like.
type shape struct {
	dimension int // of the vector
	contents  int // bytes, random: they do not compress
	metadata  int // bytes of JSON, about
}

// large is an item of 4 KB: 2 KB of vector, 1.8 KB of contents, 200 bytes of
// metadata. small is what deletes are measured on, whose cost does not depend
// on what is deleted.
var (
	large = shape{dimension: 512, contents: 1800, metadata: 200}
	small = shape{dimension: 16, contents: 100, metadata: 30}
)

// bytes is the size of an item's fields in the clear.
func (s shape) bytes() int { return 4*s.dimension + s.contents + s.metadata }

func (s shape) String() string {
	return fmt.Sprintf("%d dimensions, %d bytes of contents, %d of metadata", s.dimension, s.contents, s.metadata)
}

// id is the id of item n.
func id(n int) string { return fmt.Sprintf("item-%09d", n) }

// maker makes items, the same for every store and every run of one seed.
type maker struct {
	shape
	rnd  *rand.Rand
	fast *rand.ChaCha8
}

func newMaker(s shape, seed uint64) *maker {
	var b [32]byte
	binary.LittleEndian.PutUint64(b[:], seed)
	src := rand.NewChaCha8(b)
	return &maker{shape: s, rnd: rand.New(src), fast: src}
}

// refill makes items first and following in place: the buffers of the items
// that stood there are used again.
func (m *maker) refill(items []Item, first int) {
	for i := range items {
		m.item(&items[i], first+i)
	}
}

// items are n items from number first on.
func (m *maker) items(n, first int) []Item {
	out := make([]Item, n)
	m.refill(out, first)
	return out
}

func (m *maker) item(it *Item, n int) {
	it.ID = id(n)
	if it.Vector == nil {
		it.Vector = make([]float32, m.dimension)
		it.Contents = make([]byte, m.contents)
	}
	for i := range it.Vector {
		it.Vector[i] = float32(m.rnd.NormFloat64())
	}
	m.fast.Read(it.Contents) // never fails
	it.Metadata = append(it.Metadata[:0], `{"source":"`...)
	for len(it.Metadata) < m.metadata-2 {
		it.Metadata = fmt.Appendf(it.Metadata, "part %d of %d, ", m.rnd.IntN(1000), n)
	}
	it.Metadata = append(it.Metadata[:max(m.metadata-2, len(`{"source":"`))], `"}`...)
}

// shuffled are the ids of items 0 to n-1 in random order.
func shuffled(n int, seed uint64) []string {
	ids := make([]string, n)
	for i, k := range rand.New(rand.NewPCG(seed, 0)).Perm(n) {
		ids[i] = id(k)
	}
	return ids
}
