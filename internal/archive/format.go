package archive

import (
	"hash/crc32"

	"oubliette/crypto"
)

const (
	magic   = "OUBLBAK\x00"
	version = 1
	// headSize is magic, version and their checksum.
	headSize = 8 + 2 + 4
	// frameHead is kind, length and their checksum. It has one of its own so that
	// a length which was altered is not taken for the end of the stream.
	frameHead = 1 + 4 + 4
	sumSize   = 4
	idsSize   = 16 + 16
)

// The kinds of frames, in the order in which they come.
const (
	kindPiece  = 1 // part of a segment file
	kindFile   = 2 // a segment file that belongs to the store, and its length
	kindRecord = 3 // a record of the database: its key, and its value's beginning
	kindRest   = 4 // more of that value
	kindEnd    = 5
)

const (
	// MaxPiece is how many bytes of a segment or of a value one frame holds.
	MaxPiece = 1 << 20
	// MaxKey and MaxValue bound a record of the database. No commit of it is
	// larger than MaxValue.
	MaxKey   = 4 << 10
	MaxValue = 256 << 20

	maxPayload = MaxPiece + MaxKey + 64
	// maxFile keeps offsets far from overflow: no segment is as long.
	maxFile = 1 << 50
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// Segment names a segment file.
type Segment struct {
	Index crypto.IndexID
	ID    crypto.SegmentID
}
