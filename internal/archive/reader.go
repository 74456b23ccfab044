package archive

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"

	"oubliette/internal/codec"
	"oubliette/internal/fault"
)

// Sink is told what a backup holds, in its order. The slices are valid until the
// call returns. An error ends the reading and is answered as it is.
type Sink interface {
	Piece(s Segment, off uint64, b []byte) error
	File(s Segment, length uint64) error
	Record(key, value []byte) error
}

// Name is what errors call the stream.
const Name = "backup stream"

// Read takes a backup apart, up to its last frame and not a byte further. When it
// answers nil the stream was whole and is what was written. Damage is a
// fault.CorruptionError with the offset in the stream: one that ends too early is
// io.ErrUnexpectedEOF, one whose bytes have changed fault.ErrDamaged; other
// errors of r are answered as they are. What the sink has been told before an
// error counts for nothing.
//
// It holds one frame in memory, and one value of the database.
func Read(r io.Reader, to Sink) error {
	d := &reader{r: r, to: to, sum: sha256.New()}
	if err := d.head(); err != nil {
		return err
	}
	for d.last != kindEnd {
		if err := d.frame(); err != nil {
			return err
		}
	}
	return nil
}

type reader struct {
	r      io.Reader
	to     Sink
	sum    hash.Hash
	off    uint64
	frames uint64
	last   uint8 // kind of the frame before
	buf    []byte

	// The record whose value is not complete.
	key     []byte
	value   []byte
	missing int
}

func (d *reader) head() error {
	b, err := d.read(headSize)
	if err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) && !bytes.HasPrefix([]byte(magic), d.buf[:min(len(d.buf), len(magic))]) {
			return d.corrupt(0, "%w", fault.ErrForeign)
		}
		return err
	}
	c := codec.NewDecoder(b)
	if !bytes.Equal(c.Raw(len(magic)), []byte(magic)) {
		return d.corrupt(0, "%w", fault.ErrForeign)
	}
	if v := c.U16(); v > version {
		return d.corrupt(8, "backup format %d, this build reads up to %d: %w", v, version, fault.ErrNewer)
	} else if v < version {
		return d.corrupt(8, "backup format %d never was: %w", v, fault.ErrDamaged)
	}
	if c.U32() != checksum(b[:headSize-sumSize]) {
		return d.corrupt(0, "checksum of the head does not fit: %w", fault.ErrDamaged)
	}
	return nil
}

// read answers the next n bytes, which it has bounded before. On an error buf
// holds those that there were.
func (d *reader) read(n int) ([]byte, error) {
	if cap(d.buf) < n {
		d.buf = make([]byte, n)
	}
	d.buf = d.buf[:n]
	got, err := io.ReadFull(d.r, d.buf)
	d.buf = d.buf[:got]
	switch {
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return nil, d.corrupt(d.off+uint64(got), "ends before its last frame: %w", io.ErrUnexpectedEOF)
	case err != nil:
		return nil, fmt.Errorf("%s at offset %d: %w", Name, d.off+uint64(got), err)
	}
	d.sum.Write(d.buf)
	d.off += uint64(n)
	return d.buf, nil
}

func (d *reader) corrupt(off uint64, format string, args ...any) error {
	return fault.Corrupt(Name, int64(off), format, args...)
}

// frame reads one frame and hands it over.
func (d *reader) frame() error {
	at, before := d.off, d.sum.Sum(nil) // of all before this frame, for the last one
	b, err := d.read(frameHead)
	if err != nil {
		return err
	}
	c := codec.NewDecoder(b)
	kind, length := c.U8(), c.U32()
	if c.U32() != checksum(b[:frameHead-sumSize]) {
		return d.corrupt(at, "checksum of a frame's head does not fit: %w", fault.ErrDamaged)
	}
	if length > maxPayload {
		return d.corrupt(at, "frame of %d bytes, at most %d: %w", length, maxPayload, fault.ErrDamaged)
	}
	if b, err = d.read(int(length) + sumSize); err != nil {
		return err
	}
	payload := b[:length]
	if codec.NewDecoder(b[length:]).U32() != checksum(payload) {
		return d.corrupt(at, "checksum of a frame does not fit: %w", fault.ErrDamaged)
	}
	if err := d.order(kind); err != nil {
		return d.corrupt(at, "%w: %w", err, fault.ErrDamaged)
	}
	d.last = kind
	c = codec.NewDecoder(payload)
	err = d.take(kind, c, at, before)
	d.frames++
	if err == nil && c.Done() != nil {
		return d.corrupt(at, "frame of kind %d: %w: %w", kind, c.Err(), fault.ErrDamaged)
	}
	return err
}

// order holds a frame's kind against the one before.
func (d *reader) order(kind uint8) error {
	switch {
	case kind < kindPiece || kind > kindEnd:
		return fmt.Errorf("frame of unknown kind %d", kind)
	case d.missing > 0 && kind != kindRest:
		return fmt.Errorf("frame of kind %d inside a value, of which %d bytes are missing", kind, d.missing)
	case d.missing == 0 && kind == kindRest, kind != kindRecord && kind < d.last:
		return fmt.Errorf("frame of kind %d behind one of kind %d", kind, d.last)
	}
	return nil
}

// take hands over what stands in a frame. A decoder that has failed answers
// zeros, and is looked at before anything is handed over.
func (d *reader) take(kind uint8, c *codec.Decoder, at uint64, before []byte) error {
	switch kind {
	case kindPiece:
		s, off := segmentOf(c), c.U64()
		b := c.Raw(c.Remaining())
		if c.Err() == nil && (len(b) == 0 || len(b) > MaxPiece || off > maxFile) {
			c.Fail("piece of %d bytes at %d", len(b), off)
		}
		if c.Err() == nil {
			return d.to.Piece(s, off, b)
		}
	case kindFile:
		s, length := segmentOf(c), c.U64()
		if c.Done() == nil {
			return d.to.File(s, length)
		}
	case kindRecord:
		key, total := c.Blob(MaxKey), c.U32()
		if c.Err() == nil && (len(key) == 0 || total > MaxValue) {
			c.Fail("record of %d bytes under a key of %d", total, len(key))
		}
		if c.Err() == nil {
			d.key, d.value, d.missing = bytes.Clone(key), d.value[:0], int(total)
			return d.more(c)
		}
	case kindRest:
		return d.more(c)
	case kindEnd:
		frames, size, sum := c.U64(), c.U64(), c.Raw(sha256.Size)
		if c.Done() == nil && (frames != d.frames || size != at || !bytes.Equal(sum, before)) {
			c.Fail("%d frames in %d bytes of another content before the end, not the %d frames in %d bytes that were written", d.frames, at, frames, size)
		}
	}
	return nil
}

func segmentOf(c *codec.Decoder) (s Segment) {
	c.Copy(s.Index[:])
	c.Copy(s.ID[:])
	return s
}

// more adds to a value and hands the record over when that was the last of it.
// The value grows with the bytes that are there, not by the length that was
// announced.
func (d *reader) more(c *codec.Decoder) error {
	b := c.Raw(c.Remaining())
	if want := min(d.missing, MaxPiece); len(b) != want {
		c.Fail("%d bytes of a value, not %d", len(b), want)
		return nil
	}
	d.value = append(d.value, b...)
	if d.missing -= len(b); d.missing > 0 {
		return nil
	}
	err := d.to.Record(d.key, d.value)
	if cap(d.value) > 4*MaxPiece {
		d.value = nil // one of many MiB is rare
	}
	return err
}
