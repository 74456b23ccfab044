package compaction

import (
	"fmt"

	"github.com/RoaringBitmap/roaring/v2"

	"oubliette/internal/codec"
)

// The serialised form of row numbers is the portable one of Roaring bitmaps
// (github.com/RoaringBitmap/RoaringFormatSpec): up to 2^16 containers, one for
// each value of a number's upper 16 bits.
const (
	rowsPlain     = 12346 // 32 bits: no container of runs
	rowsWithRuns  = 12347 // 16 bits, then the number of containers less one in 16
	offsetsFrom   = 4     // containers, with runs among them: their offsets are there
	maxArray      = 4096  // numbers; a container of more is a bitmap
	bitmapBytes   = 8192
	maxContainers = 1 << 16
	// maxRuns is twice as many as take the room of a bitmap. The library goes
	// over to a bitmap near 2,048, by the sizes of its own structs.
	maxRuns = 4096
)

// decodeRows reads row numbers. It walks the bytes once before the library
// gets them, which takes what follows the bitmap as none of its business, and
// whose validation of runs takes the square of their number.
func decodeRows(b []byte) (*roaring.Bitmap, error) {
	if err := checkRows(b); err != nil {
		return nil, fmt.Errorf("rows: %w", err)
	}
	rows := roaring.New()
	if err := rows.UnmarshalBinary(b); err != nil {
		return nil, fmt.Errorf("rows: %w", err)
	}
	if err := rows.Validate(); err != nil {
		return nil, fmt.Errorf("rows: %w", err)
	}
	return rows, nil
}

// checkRows refuses lengths that do not add up to the input's.
func checkRows(b []byte) error {
	d := codec.NewDecoder(b)
	n, runs := decodeRowsHeader(d)
	described := d.Raw(4 * n) // key and cardinality less one, 16 bits each
	if runs == nil || n >= offsetsFrom {
		d.Raw(4 * n) // offsets; the containers stand in order
	}
	cardinality := codec.NewDecoder(described)
	for i := range n {
		if d.Err() != nil {
			break
		}
		cardinality.U16()
		checkContainer(d, int(cardinality.U16())+1, runs != nil && runs[i/8]&(1<<(i%8)) != 0)
	}
	return d.Done()
}

// decodeRowsHeader answers how many containers there are, and which of them
// hold runs: a bit each, nil when there are none.
func decodeRowsHeader(d *codec.Decoder) (n int, runs []byte) {
	cookie := d.U32()
	if cookie&0xFFFF == rowsWithRuns {
		n = int(cookie>>16) + 1
		return n, d.Raw((n + 7) / 8)
	}
	if cookie != rowsPlain && d.Err() == nil {
		d.Fail("cookie %#x", cookie)
	}
	n = d.Count(4 + 4)
	if n > maxContainers {
		d.Fail("%d containers", n)
		n = 0
	}
	return n, nil
}

func checkContainer(d *codec.Decoder, cardinality int, runs bool) {
	switch {
	case runs:
		n := int(d.U16())
		if n > maxRuns {
			d.Fail("%d runs in a container, at most %d allowed", n, maxRuns)
		}
		d.Raw(4 * n)
	case cardinality > maxArray:
		d.Raw(bitmapBytes)
	default:
		d.Raw(2 * cardinality)
	}
}
