package main

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
)

// stock is where items come from: item n is the same for every store, in every
// order and each time. It is used by one goroutine at a time.
type stock interface {
	id(n int) string
	// fill makes item n in place: the buffers of what stands there may be used
	// again.
	fill(it *Item, n int)
	// bytes is the size of an item's fields in the clear, on average.
	bytes() int
	String() string
}

// refill makes items first and following in place.
func refill(from stock, items []Item, first int) {
	for i := range items {
		from.fill(&items[i], first+i)
	}
}

// itemsOf are n items from number first on.
func itemsOf(from stock, first, n int) []Item {
	out := make([]Item, n)
	refill(from, out, first)
	return out
}

// shuffled are the ids of items 0 to n-1 in random order.
func shuffled(from stock, n int, seed uint64) []string {
	ids := make([]string, n)
	for i, k := range rand.New(rand.NewPCG(seed, 0)).Perm(n) {
		ids[i] = from.id(k)
	}
	return ids
}

// shape says what made items look like.
type shape struct {
	dimension int // of the vector
	contents  int // bytes, random: they do not compress
	metadata  int // bytes of JSON, about
}

// large is an item of 4.3 KB. small is for what does not depend on what an item
// holds and needs many of them: deletes, and how cost grows with their number.
var (
	large = shape{dimension: 768, contents: 1024, metadata: 200}
	small = shape{dimension: 16, contents: 100, metadata: 30}
)

func (s shape) bytes() int { return 4*s.dimension + s.contents + s.metadata }

func (s shape) String() string {
	return fmt.Sprintf("made, %d dimensions, %d bytes of contents, %d of metadata", s.dimension, s.contents, s.metadata)
}

// maker makes items of a shape.
type maker struct {
	shape
	seed uint64
	src  *rand.PCG
	rnd  *rand.Rand
}

func newMaker(s shape, seed uint64) *maker {
	src := rand.NewPCG(seed, 0)
	return &maker{s, seed, src, rand.New(src)}
}

func (m *maker) id(n int) string { return fmt.Sprintf("item-%09d", n) }

func (m *maker) fill(it *Item, n int) {
	m.src.Seed(m.seed, uint64(n))
	it.ID = m.id(n)
	if len(it.Vector) != m.dimension || len(it.Contents) != m.contents {
		it.Vector, it.Contents = make([]float32, m.dimension), make([]byte, m.contents)
	}
	for i := range it.Vector {
		it.Vector[i] = float32(m.rnd.NormFloat64())
	}
	m.random(it.Contents)
	it.Metadata = append(it.Metadata[:0], `{"source":"`...)
	for len(it.Metadata) < m.metadata-2 {
		it.Metadata = fmt.Appendf(it.Metadata, "part %d of %d, ", m.rnd.IntN(1000), n)
	}
	it.Metadata = append(it.Metadata[:max(m.metadata-2, len(`{"source":"`))], `"}`...)
}

// random fills b.
func (m *maker) random(b []byte) {
	for ; len(b) >= 8; b = b[8:] {
		binary.LittleEndian.PutUint64(b, m.rnd.Uint64())
	}
	for i := range b {
		b[i] = byte(m.rnd.Uint32())
	}
}
