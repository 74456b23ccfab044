package archive

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"io"

	"oubliette/internal/codec"
)

// Writer writes a backup. Pieces come first, then Files, then Records, then
// Close. It is used by one goroutine; its first error stays.
type Writer struct {
	w      io.Writer
	sum    hash.Hash
	frames uint64
	bytes  uint64
	buf    codec.Encoder
	err    error
}

// NewWriter begins a backup. What cannot be written is told by the next call.
func NewWriter(w io.Writer) *Writer {
	a := &Writer{w: w, sum: sha256.New()}
	a.buf.Raw([]byte(magic))
	a.buf.U16(version)
	a.buf.U32(checksum(a.buf.B))
	a.flush()
	return a
}

// Bytes is how many have been written.
func (a *Writer) Bytes() uint64 { return a.bytes }

// Piece writes bytes of a segment file, at most MaxPiece. Of two pieces that
// overlap the later counts; a piece begins no further than where those before it
// have ended.
func (a *Writer) Piece(s Segment, off uint64, b []byte) error {
	if len(b) == 0 || len(b) > MaxPiece {
		return fmt.Errorf("piece of %d bytes, 1 to %d are allowed", len(b), MaxPiece)
	}
	a.begin(kindPiece, idsSize+8+len(b))
	a.segment(s)
	a.buf.U64(off)
	a.buf.Raw(b)
	return a.end()
}

// File writes that a segment file belongs to the store, and how long it is. A
// segment of which there are pieces and no File does not.
func (a *Writer) File(s Segment, length uint64) error {
	a.begin(kindFile, idsSize+8)
	a.segment(s)
	a.buf.U64(length)
	return a.end()
}

// Record writes a record of the database.
func (a *Writer) Record(key, value []byte) error {
	if len(key) == 0 || len(key) > MaxKey || len(value) > MaxValue {
		return fmt.Errorf("record of %d bytes under a key of %d, at most %d and %d", len(value), len(key), MaxValue, MaxKey)
	}
	n := min(len(value), MaxPiece)
	a.begin(kindRecord, 4+len(key)+4+n)
	a.buf.Blob(key)
	a.buf.U32(uint32(len(value)))
	a.buf.Raw(value[:n])
	for value = value[n:]; a.end() == nil && len(value) > 0; value = value[n:] {
		n = min(len(value), MaxPiece)
		a.begin(kindRest, n)
		a.buf.Raw(value[:n])
	}
	return a.err
}

// Close writes the last frame. It does not close the underlying writer.
func (a *Writer) Close() error {
	frames, bytes, sum := a.frames, a.bytes, a.sum.Sum(nil)
	a.begin(kindEnd, 8+8+len(sum))
	a.buf.U64(frames)
	a.buf.U64(bytes)
	a.buf.Raw(sum)
	return a.end()
}

func (a *Writer) segment(s Segment) {
	a.buf.Raw(s.Index[:])
	a.buf.Raw(s.ID[:])
}

func (a *Writer) begin(kind uint8, length int) {
	a.buf.U8(kind)
	a.buf.U32(uint32(length))
	a.buf.U32(checksum(a.buf.B))
}

func (a *Writer) end() error {
	a.buf.U32(checksum(a.buf.B[frameHead:]))
	a.frames++
	return a.flush()
}

func (a *Writer) flush() error {
	if a.err == nil {
		a.sum.Write(a.buf.B)
		var n int
		n, a.err = a.w.Write(a.buf.B)
		a.bytes += uint64(n)
		if a.err == nil && n != len(a.buf.B) {
			a.err = io.ErrShortWrite
		}
	}
	a.buf.B = a.buf.B[:0]
	return a.err
}
