package codec

import "encoding/binary"

// Encoder appends fields to B. Its zero value is ready to use.
type Encoder struct{ B []byte }

// U8 appends one byte.
func (e *Encoder) U8(v uint8) { e.B = append(e.B, v) }

// U16 appends v in two bytes, little-endian.
func (e *Encoder) U16(v uint16) { e.B = binary.LittleEndian.AppendUint16(e.B, v) }

// U32 appends v in four bytes, little-endian.
func (e *Encoder) U32(v uint32) { e.B = binary.LittleEndian.AppendUint32(e.B, v) }

// U64 appends v in eight bytes, little-endian.
func (e *Encoder) U64(v uint64) { e.B = binary.LittleEndian.AppendUint64(e.B, v) }

// Raw appends b as it is; the reader has to know its length.
func (e *Encoder) Raw(b []byte) { e.B = append(e.B, b...) }

// Blob appends the length of b in four bytes, then b.
func (e *Encoder) Blob(b []byte) {
	e.U32(uint32(len(b)))
	e.Raw(b)
}
