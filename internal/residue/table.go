package residue

import (
	"encoding/binary"
	"math/bits"
)

// candidate is a needle that has the window at an offset.
type candidate struct {
	window uint64
	needle uint32
	at     uint32
}

// table finds the candidates of a window: a Bloom filter that says no nearly
// always at the cost of one load, and behind it buckets side by side in one
// array. It is immutable.
//
// The filter is blocked: all bits of a window stand in one word (F. Putze,
// P. Sanders, J. Singler, "Cache-, Hash- and Space-Efficient Bloom Filters",
// 2007).
type table struct {
	filter      []uint64
	filterShift uint
	starts      []uint32 // bucket b is candidates[starts[b]:starts[b+1]]
	bucketShift uint
	candidates  []candidate
}

// spread is Fibonacci hashing: 2^64 over the golden ratio (D. Knuth, The Art of
// Computer Programming, 6.4). The upper bits of the product count.
const spread = 0x9E3779B97F4A7C15

// bitsOf are the three bits of a window in its word of the filter. They come
// from other bits of the product than the word's number.
func bitsOf(h uint64) uint64 {
	return 1<<(h>>16&63) | 1<<(h>>22&63) | 1<<(h>>28&63)
}

func windowAt(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }

// newTable takes stride windows of each needle.
func newTable(needles [][]byte, stride int) *table {
	n := len(needles) * stride
	wordBits, bucketBits := log2(n/4, 10), log2(2*n, 8) // 16 bits or more a window
	t := &table{
		filter: make([]uint64, 1<<wordBits), filterShift: 64 - wordBits,
		starts: make([]uint32, 1<<bucketBits+1), bucketShift: 64 - bucketBits,
		candidates: make([]candidate, n),
	}
	all := make([]candidate, 0, n)
	for i, needle := range needles {
		a := anchor(needle, stride)
		for at := a; at < a+stride; at++ {
			all = append(all, candidate{windowAt(needle[at:]), uint32(i), uint32(at)})
		}
	}
	t.fill(all)
	return t
}

// log2 is the smallest power of two that is not below n, at least least.
func log2(n int, least uint) uint { return max(least, uint(bits.Len(uint(max(n, 1)-1)))) }

// fill sorts the candidates into their buckets by counting.
func (t *table) fill(all []candidate) {
	for _, c := range all {
		h := c.window * spread
		t.filter[h>>t.filterShift] |= bitsOf(h)
		t.starts[h>>t.bucketShift+1]++
	}
	for b := 1; b < len(t.starts); b++ {
		t.starts[b] += t.starts[b-1]
	}
	next := append([]uint32(nil), t.starts...)
	for _, c := range all {
		b := c.window * spread >> t.bucketShift
		t.candidates[next[b]] = c
		next[b]++
	}
}

// bucket is where the candidates of a window are, among others.
func (t *table) bucket(window uint64) []candidate {
	b := window * spread >> t.bucketShift
	return t.candidates[t.starts[b]:t.starts[b+1]]
}
