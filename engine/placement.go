package engine

import (
	"fmt"

	"oubliette/crypto"
	"oubliette/internal/codec"
	"oubliette/internal/fault"
	"oubliette/segment"
)

// placement is what an upsert logs: where its rows stand. A call that crosses
// the end of a segment has a part in each.
type placement struct {
	dimension uint32 // of the vectors; 0: the call has none
	parts     []part
}

type part struct {
	segment crypto.SegmentID
	mem     *memtable       // nil in a placement read from the log
	entries []segment.Entry // Seq is set when the call is published
}

const (
	placementVersion = 1
	placementHead    = 1 + 4 + 4
	partHead         = 16 + 4
)

// minPlaced is the least that a row takes in a placement: token, pointer with
// a head only.
const minPlaced = 16 + 4 + 8 + 1 + 4 + 16

// encode is the payload of an upsert's record.
func (p *placement) encode() []byte {
	var e codec.Encoder
	n := 0
	for i := range p.parts {
		n += 20 + len(p.parts[i].entries)*(minPlaced+40)
	}
	e.B = make([]byte, 0, n+9)
	e.U8(placementVersion)
	e.U32(p.dimension)
	e.U32(uint32(len(p.parts)))
	for i := range p.parts {
		e.Raw(p.parts[i].segment[:])
		e.U32(uint32(len(p.parts[i].entries)))
		for k := range p.parts[i].entries {
			row := &p.parts[i].entries[k]
			e.Raw(row.Token[:])
			row.Pointer.Append(&e)
		}
	}
	return e.B
}

// decodePlacement reads an upsert's payload; every row gets seq.
func decodePlacement(b []byte, seq uint64) (*placement, error) {
	d := codec.NewDecoder(b)
	if v := d.U8(); d.Err() == nil && v > placementVersion {
		return nil, fmt.Errorf("placement version %d, this build reads up to %d: %w", v, placementVersion, fault.ErrNewer)
	} else if d.Err() == nil && v < placementVersion {
		d.Fail("placement version %d never was", v)
	}
	p := &placement{dimension: d.U32()}
	if d.Err() == nil && p.dimension > MaxDimension {
		d.Fail("dimension %d", p.dimension)
	}
	p.parts = make([]part, d.Count(16+4+minPlaced))
	for i := range p.parts {
		d.Copy(p.parts[i].segment[:])
		p.parts[i].entries = make([]segment.Entry, d.Count(minPlaced))
		for k := range p.parts[i].entries {
			row := &p.parts[i].entries[k]
			d.Copy(row.Token[:])
			row.Seq = seq
			row.Pointer = segment.DecodePointer(d)
		}
	}
	if err := d.Done(); err != nil {
		return nil, fmt.Errorf("placement: %w: %w", fault.ErrDamaged, err)
	}
	return p, nil
}
