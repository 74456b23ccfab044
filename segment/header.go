package segment

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"oubliette/crypto"
	"oubliette/internal/codec"
	"oubliette/internal/fault"
)

const (
	headerMagic   = "OUBLSEG\x00"
	headerVersion = 1
	// idPrefix is how much of a slot names the file: magic, version, index,
	// segment.
	idPrefix = 8 + 2 + 16 + 16
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Identity is what a segment's keys and signatures are bound to. Epoch is the
// one whose reader key opens the data key (in a header) or whose map key sealed
// the index (in a footer).
type Identity struct {
	Index   crypto.IndexID
	Segment crypto.SegmentID
	Epoch   uint64
}

func (id Identity) dekInfo() crypto.DEKInfo {
	return crypto.DEKInfo{Index: id.Index, Segment: id.Segment, Epoch: id.Epoch}
}

// slot is one header slot: a data key sealed to one epoch's reader key. That key
// is named by its hash: so whoever has no key can tell the slot that counts,
// which seals to the reader key of the newest epoch record, from one that an
// epoch's change has replaced or has never got to.
type slot struct {
	id     Identity
	reader crypto.Hash // of the reader key's public half
	sealed []byte      // SealedDEKSize bytes
}

// encode lays the slot out: magic 8, version u16, index 16, segment 16, epoch
// u64, hash of the reader key 32, sealed DEK blob, zeros, CRC-32C of all before
// it u32.
func (s slot) encode() []byte {
	e := codec.Encoder{B: make([]byte, 0, HeaderSlotSize)}
	e.Raw([]byte(headerMagic))
	e.U16(headerVersion)
	e.Raw(s.id.Index[:])
	e.Raw(s.id.Segment[:])
	e.U64(s.id.Epoch)
	e.Raw(s.reader[:])
	e.Blob(s.sealed)
	b := e.B[:HeaderSlotSize]
	clear(b[len(e.B):])
	binary.LittleEndian.PutUint32(b[HeaderSlotSize-4:], crc32.Checksum(b[:HeaderSlotSize-4], castagnoli))
	return b
}

// errEmptySlot: the slot holds zeros only.
var errEmptySlot = errors.New("empty header slot")

// decodeSlot checks magic (foreign), version (newer), checksum (damaged), in
// this order. It copies what it keeps.
func decodeSlot(b []byte) (slot, error) {
	if len(b) != HeaderSlotSize {
		return slot{}, fmt.Errorf("header slot of %d bytes: %w", len(b), fault.ErrDamaged)
	}
	if allZero(b) {
		return slot{}, errEmptySlot
	}
	d := codec.NewDecoder(b[:HeaderSlotSize-4])
	if magic := d.Raw(8); string(magic) != headerMagic {
		return slot{}, fmt.Errorf("magic %q: %w", magic, fault.ErrForeign)
	}
	if v := d.U16(); v != headerVersion {
		return slot{}, versionError("segment", v, headerVersion)
	}
	want := binary.LittleEndian.Uint32(b[HeaderSlotSize-4:])
	if got := crc32.Checksum(b[:HeaderSlotSize-4], castagnoli); got != want {
		return slot{}, fmt.Errorf("header checksum %08x, written is %08x: %w", got, want, fault.ErrDamaged)
	}
	return slotFields(d)
}

func slotFields(d *codec.Decoder) (s slot, err error) {
	d.Copy(s.id.Index[:])
	d.Copy(s.id.Segment[:])
	s.id.Epoch = d.U64()
	d.Copy(s.reader[:])
	s.sealed = bytes.Clone(d.Blob(crypto.SealedDEKSize))
	if d.Err() == nil && len(s.sealed) != crypto.SealedDEKSize {
		d.Fail("sealed key of %d bytes, not %d", len(s.sealed), crypto.SealedDEKSize)
	}
	if d.Err() == nil && !allZero(d.Raw(d.Remaining())) {
		d.Fail("padding is not zero")
	}
	if d.Done() != nil {
		return slot{}, fmt.Errorf("header slot: %w: %w", d.Err(), fault.ErrDamaged)
	}
	return s, nil
}

// versionError tells a newer version from one that never was.
func versionError(what string, got, known uint16) error {
	if got > known {
		return fmt.Errorf("%s format version %d, known is %d: %w", what, got, known, fault.ErrNewer)
	}
	return fmt.Errorf("%s format version %d never was: %w", what, got, fault.ErrDamaged)
}

// namedAs tells whether the first bytes of a slot, however damaged the rest may
// be, name this segment. It is what the keyless erasers go by.
func namedAs(b []byte, segment crypto.SegmentID) bool {
	return len(b) >= idPrefix && string(b[:8]) == headerMagic && bytes.Equal(b[idPrefix-16:idPrefix], segment[:])
}

var zeros [1 << 16]byte

// allZero tells whether b holds zeros only.
func allZero(b []byte) bool {
	for len(b) > len(zeros) {
		if !bytes.Equal(b[:len(zeros)], zeros[:]) {
			return false
		}
		b = b[len(zeros):]
	}
	return bytes.Equal(b, zeros[:len(b)])
}
