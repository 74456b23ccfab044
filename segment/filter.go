package segment

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"github.com/FastFilter/xorfilter"

	"oubliette/crypto"
	"oubliette/internal/codec"
)

// filter is a binary fuse filter (Graf and Lemire, "Binary Fuse Filters: Fast
// and Smaller Than Xor Filters", 2022) with 16-bit fingerprints over the first
// 8 bytes of the tokens: about 18 bits a token, and one answer in 65,536 is
// wrongly yes. A filter of no tokens has no fuse.
type filter struct {
	fuse *xorfilter.BinaryFuse[uint16]
}

// filterKey is what a filter knows of a token. Tokens are pseudorandom, so
// eight bytes of one are as good as a hash.
func filterKey(t crypto.Token) uint64 { return binary.LittleEndian.Uint64(t[:8]) }

// maxFuseSegment is the greatest segment length that the builder uses.
const maxFuseSegment = 1 << 18

// buildFilter builds over distinct keys; it may use them up.
func buildFilter(keys []uint64) (filter, error) {
	if len(keys) == 0 {
		return filter{}, nil
	}
	fuse, err := xorfilter.NewBinaryFuse[uint16](keys)
	if err != nil {
		return filter{}, fmt.Errorf("filter over %d tokens: %w", len(keys), err)
	}
	return filter{fuse}, nil
}

func (f filter) mayContain(t crypto.Token) bool {
	return f.fuse != nil && f.fuse.Contains(filterKey(t))
}

// memory is the filter's size in bytes.
func (f filter) memory() int64 {
	if f.fuse == nil {
		return 0
	}
	return int64(2 * len(f.fuse.Fingerprints))
}

// encode lays the filter out: seed u64, segment length u32, segment count u32,
// number of fingerprints u32, fingerprints u16 each. All are zero in a filter
// of no tokens.
func (f filter) encode() []byte {
	var fuse xorfilter.BinaryFuse[uint16]
	if f.fuse != nil {
		fuse = *f.fuse
	}
	e := codec.Encoder{B: make([]byte, 0, 20+2*len(fuse.Fingerprints)+crypto.Overhead)}
	e.U64(fuse.Seed)
	e.U32(fuse.SegmentLength)
	e.U32(fuse.SegmentCount)
	e.U32(uint32(len(fuse.Fingerprints)))
	for _, p := range fuse.Fingerprints {
		e.U16(p)
	}
	return e.B
}

// decodeFilter reads what encode wrote. It refuses every shape with which a
// lookup could leave the fingerprints: a lookup uses three neighbouring
// segments of a power of two each, the first among the first segment count.
func decodeFilter(b []byte) (filter, error) {
	d := codec.NewDecoder(b)
	fuse := &xorfilter.BinaryFuse[uint16]{Seed: d.U64(), SegmentLength: d.U32(), SegmentCount: d.U32()}
	n := d.Count(2)
	if err := d.Err(); err != nil {
		return filter{}, err
	}
	length, count := uint64(fuse.SegmentLength), uint64(fuse.SegmentCount)
	if n == 0 && length == 0 && count == 0 && fuse.Seed == 0 {
		return filter{}, d.Done()
	}
	if bits.OnesCount64(length) != 1 || length > maxFuseSegment || count == 0 || (count+2)*length != uint64(n) {
		return filter{}, fmt.Errorf("filter of %d fingerprints in %d segments of %d", n, count, length)
	}
	fuse.SegmentLengthMask = fuse.SegmentLength - 1
	fuse.SegmentCountLength = fuse.SegmentCount * fuse.SegmentLength
	fuse.Fingerprints = make([]uint16, n)
	for i := range fuse.Fingerprints {
		fuse.Fingerprints[i] = d.U16()
	}
	return filter{fuse}, d.Done()
}
