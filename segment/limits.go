package segment

import "oubliette/crypto"

// What one item may be, in bytes but for the dimension.
const (
	MaxID        = 4096
	MaxDimension = 65536
	MaxContents  = 64 << 20
	MaxMetadata  = 64 << 20
)

// MaxExpiry is the latest time at which a row may expire, the last millisecond of
// the year 9999, in milliseconds since 1970 (UTC).
const MaxExpiry = 253_402_300_799_999

const (
	// HeaderSlotSize is the length of a header slot: one block of the disk, so
	// that the slots can be written and zeroed apart.
	HeaderSlotSize = 4096
	// DataStart is where the rows begin.
	DataStart = 2 * HeaderSlotSize
	// maxFileSize bounds every offset: sums of a few of them can't overflow.
	maxFileSize = 1 << 47
	// maxDataEnd leaves the other half to the index.
	maxDataEnd = maxFileSize / 2
	// indexAlign is the alignment of the sealed index: an overwritten row and an
	// index block never share a block of the disk.
	indexAlign = 4096
)

// writeCategory names the files of this package in the file system's statistics.
const writeCategory = "oubliette-segment"

// maxRaw is how long a field's plaintext may be before compression.
func maxRaw(f Field) int {
	switch f {
	case Vector:
		return 4 * MaxDimension
	case Contents:
		return MaxContents
	default:
		return headOverhead + MaxID + MaxMetadata
	}
}

// A sealed field is at least an empty frame and its tag.
const minSealed = frameOverhead + crypto.Overhead

func maxSealed(f Field) int { return frameOverhead + maxRaw(f) + crypto.Overhead }
