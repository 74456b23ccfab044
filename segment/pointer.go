package segment

import (
	"fmt"

	"oubliette/crypto"
	"oubliette/internal/codec"
)

// Field is one of the parts that a row seals by itself, in the order in which
// they stand on disk.
type Field uint8

// The fields of a row. Head is the id and the metadata; every row has one.
const (
	Vector Field = iota
	Contents
	Head
	NumFields = 3
)

// String is the field's name.
func (f Field) String() string {
	return [...]string{"vector", "contents", "head", "unknown field"}[min(f, NumFields)]
}

// Fields is a set of what a read wants. The id always comes.
type Fields uint8

// What may be wanted.
const (
	WantVector Fields = 1 << iota
	WantContents
	WantMetadata
	WantAll = WantVector | WantContents | WantMetadata
)

// wants tells whether the field has to be read.
func (w Fields) wants(f Field) bool { return f == Head || w&(1<<f) != 0 }

// Pointer says where a row stands, commits to its bytes, and says until when it
// counts. Len counts sealed bytes; 0 is an absent field. The fields stand side by
// side from Offset on, in the order vector, contents, head.
type Pointer struct {
	Row    uint32
	Len    [NumFields]uint32
	Offset uint64
	// Expires is from when on the row is none any more, in milliseconds since
	// 1970 (UTC); 0: never. It stands beside the row and not in it, so that whoever
	// may erase finds what has expired without a key that opens rows.
	Expires uint64
	Commit  [NumFields]crypto.Commitment
}

// Expired tells whether the row's time has come, at a time in milliseconds since
// 1970.
func (p *Pointer) Expired(now int64) bool { return p.Expires != 0 && int64(p.Expires) <= now }

// Entry is a row in the sealed index: whose it is and since when.
type Entry struct {
	Token crypto.Token
	Seq   uint64
	Pointer
}

// size is the length of all fields together.
func (p *Pointer) size() uint64 {
	return uint64(p.Len[Vector]) + uint64(p.Len[Contents]) + uint64(p.Len[Head])
}

// Extent is the row's whole place in the file.
func (p Pointer) Extent() Extent { return Extent{p.Offset, p.size()} }

// fieldOffset is where a field begins.
func (p *Pointer) fieldOffset(f Field) uint64 {
	off := p.Offset
	for k := Vector; k < f; k++ {
		off += uint64(p.Len[k])
	}
	return off
}

// check refuses what no writer makes. Behind it, sums of lengths and offsets do
// not overflow.
func (p *Pointer) check() error {
	if p.Len[Head] == 0 {
		return fmt.Errorf("row %d has no head", p.Row)
	}
	for f := range Field(NumFields) {
		n := p.Len[f]
		if n != 0 && (n < minSealed || uint64(n) > uint64(maxSealed(f))) {
			return fmt.Errorf("row %d: sealed %v of %d bytes, allowed are %d to %d", p.Row, f, n, minSealed, maxSealed(f))
		}
	}
	if p.Offset < DataStart || p.Offset > maxDataEnd-p.size() {
		return fmt.Errorf("row %d at offset %d with %d bytes is outside of every row area", p.Row, p.Offset, p.size())
	}
	if p.Expires > MaxExpiry {
		return fmt.Errorf("row %d expires %d ms after 1970, at most %d allowed", p.Row, p.Expires, uint64(MaxExpiry))
	}
	return nil
}

// presentExpiry is the bit of an expiry, behind those of the fields.
const presentExpiry = 1 << NumFields

// Append encodes the pointer in the form of log records: row u32, offset u64,
// presence u8 (bit f for field f, bit 3 for an expiry), then length u32 and
// commitment of each present field, then the expiry u64 if there is one.
func (p Pointer) Append(e *codec.Encoder) {
	e.U32(p.Row)
	e.U64(p.Offset)
	var present uint8
	for f := range NumFields {
		if p.Len[f] != 0 {
			present |= 1 << f
		}
	}
	if p.Expires != 0 {
		present |= presentExpiry
	}
	e.U8(present)
	for f := range NumFields {
		if p.Len[f] != 0 {
			e.U32(p.Len[f])
			e.Raw(p.Commit[f][:])
		}
	}
	if p.Expires != 0 {
		e.U64(p.Expires)
	}
}

// DecodePointer reads what [Pointer.Append] wrote. The error is the decoder's.
func DecodePointer(d *codec.Decoder) Pointer {
	p := Pointer{Row: d.U32(), Offset: d.U64()}
	present := d.U8()
	if present>>(NumFields+1) != 0 {
		d.Fail("row %d: presence %#x names unknown fields", p.Row, present)
	}
	for f := range NumFields {
		if present&(1<<f) == 0 {
			continue
		}
		if p.Len[f] = d.U32(); p.Len[f] == 0 {
			d.Fail("row %d: %v is present with length 0", p.Row, Field(f))
		}
		d.Copy(p.Commit[f][:])
	}
	if present&presentExpiry != 0 {
		if p.Expires = d.U64(); p.Expires == 0 {
			d.Fail("row %d: an expiry is present and 0", p.Row)
		}
	}
	if d.Err() == nil {
		if err := p.check(); err != nil {
			d.Fail("%w", err)
		}
	}
	if d.Err() != nil {
		return Pointer{}
	}
	return p
}
