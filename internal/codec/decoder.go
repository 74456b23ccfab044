package codec

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrShort: the input ends inside a field.
var ErrShort = errors.New("input ends inside a field")

// Decoder reads fields from a byte slice. After the first error every read
// answers zero and [Decoder.Err] tells the error. A Decoder is used by one
// goroutine.
type Decoder struct {
	b   []byte
	off int
	err error
}

// NewDecoder reads from b, which the caller must not change meanwhile.
func NewDecoder(b []byte) *Decoder { return &Decoder{b: b} }

// Err is the first error, or nil.
func (d *Decoder) Err() error { return d.err }

// Offset is how many bytes have been read.
func (d *Decoder) Offset() int { return d.off }

// Remaining is how many bytes are left.
func (d *Decoder) Remaining() int { return len(d.b) - d.off }

// Fail records an error that the caller found, unless there is one already.
func (d *Decoder) Fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf(format, args...)
	}
}

// Done is the first error, or an error when input is left over.
func (d *Decoder) Done() error {
	if d.err == nil && d.Remaining() != 0 {
		d.Fail("%d bytes left over behind the last field", d.Remaining())
	}
	return d.err
}

// Raw reads n bytes. The result aliases the input and has no spare capacity.
func (d *Decoder) Raw(n int) []byte {
	if d.err != nil {
		return nil
	}
	if n < 0 || n > d.Remaining() {
		d.err = fmt.Errorf("%d bytes wanted at offset %d, %d there: %w", n, d.off, d.Remaining(), ErrShort)
		return nil
	}
	b := d.b[d.off : d.off+n : d.off+n]
	d.off += n
	return b
}

// Copy reads len(dst) bytes into dst.
func (d *Decoder) Copy(dst []byte) { copy(dst, d.Raw(len(dst))) }

// U8 reads one byte.
func (d *Decoder) U8() uint8 {
	if b := d.Raw(1); b != nil {
		return b[0]
	}
	return 0
}

// U16 reads two bytes, little-endian.
func (d *Decoder) U16() uint16 {
	if b := d.Raw(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

// U32 reads four bytes, little-endian.
func (d *Decoder) U32() uint32 {
	if b := d.Raw(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

// U64 reads eight bytes, little-endian.
func (d *Decoder) U64() uint64 {
	if b := d.Raw(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// Uvarint reads a variable-length integer (LEB128) of at most 64 bits, in no more
// bytes than it needs.
func (d *Decoder) Uvarint() uint64 {
	if d.err != nil {
		return 0
	}
	v, n := binary.Uvarint(d.b[d.off:])
	switch {
	case n == 0:
		d.err = fmt.Errorf("variable-length integer at offset %d: %w", d.off, ErrShort)
		return 0
	case n < 0 || n > 1 && d.b[d.off+n-1] == 0:
		d.Fail("variable-length integer at offset %d is not in its shortest form", d.off)
		return 0
	}
	d.off += n
	return v
}

// Blob reads a length in four bytes, which must not exceed max, and that many
// bytes. The result aliases the input.
func (d *Decoder) Blob(max int) []byte {
	n := d.U32()
	if d.err == nil && uint64(n) > uint64(max) {
		d.Fail("length %d at offset %d, at most %d allowed", n, d.off-4, max)
	}
	return d.Raw(int(n))
}

// Count reads a number of elements of at least elem bytes each (elem > 0) and
// refuses one that the remaining input cannot hold, so that it may size an
// allocation.
func (d *Decoder) Count(elem int) int {
	n := d.U32()
	if d.err == nil && uint64(n)*uint64(elem) > uint64(d.Remaining()) {
		d.Fail("count %d at offset %d, but %d bytes are left", n, d.off-4, d.Remaining())
		return 0
	}
	return int(n)
}
