package compaction

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"oubliette/crypto"
	"oubliette/internal/codec"
	"oubliette/internal/fault"
	"oubliette/segment"
)

// Dead is what is dead in one segment. It is immutable: a change makes a new
// one, so that readers keep what they hold.
type Dead struct {
	Generation uint64           // 0: nothing has died yet
	Rows       *roaring.Bitmap  // row numbers; never changed once here
	Entries    uint32           // how many of them stand in the index
	Bytes      uint64           // of the row area, whether erased yet or not
	Pending    []segment.Extent // not known to be overwritten; sorted, merged
}

// NoDead is the dead set of a segment in which nothing has died.
var NoDead = &Dead{Rows: roaring.New()}

// Contains tells whether a row is dead.
func (d *Dead) Contains(row uint32) bool { return d.Rows.Contains(row) }

// Death is a row that has been found dead.
type Death struct {
	Row     uint32
	Extent  segment.Extent
	InIndex bool   // stands in the index of a sealed segment
	Call    uint64 // the deleting call that found it alive; 0: none did
}

// New is deaths without the rows that are dead already, each once.
func (d *Dead) New(deaths []Death) []Death {
	seen := roaring.New()
	return slices.DeleteFunc(deaths, func(x Death) bool { return d.Rows.Contains(x.Row) || !seen.CheckedAdd(x.Row) })
}

// Add is d with more deaths and dead space (extents of no row), one generation
// on. A row that is dead already counts once.
func (d *Dead) Add(deaths []Death, space []segment.Extent) *Dead {
	next := &Dead{Generation: d.Generation + 1, Rows: d.Rows.Clone(), Entries: d.Entries, Bytes: d.Bytes}
	extents := append([]segment.Extent(nil), d.Pending...)
	for _, x := range deaths {
		if !next.Rows.CheckedAdd(x.Row) {
			continue
		}
		if x.InIndex {
			next.Entries++
		}
		next.Bytes += x.Extent.Len
		extents = append(extents, x.Extent)
	}
	for _, x := range space {
		next.Bytes += x.Len
		extents = append(extents, x)
	}
	slices.SortFunc(extents, func(a, b segment.Extent) int { return cmp.Compare(a.Off, b.Off) })
	next.Pending = segment.Coalesce(extents)
	next.Rows.RunOptimize()
	return next
}

// Erased is d with nothing pending, one generation on: its extents have been
// overwritten and synced.
func (d *Dead) Erased() *Dead {
	c := *d
	c.Generation++
	c.Pending = nil
	return &c
}

const (
	deadMagic   = "OUBLDED\x00"
	deadVersion = 1
	// maxDeadRows bounds the encoded bitmap: 2^16 containers of 8 KiB, and what
	// describes them.
	maxDeadRows = 1<<29 + 1<<20
)

// Encode is the dead record of a segment. It stands in the clear; its hash
// stands in the signed manifest.
func (d *Dead) Encode(index crypto.IndexID, id crypto.SegmentID) ([]byte, error) {
	rows, err := d.Rows.ToBytes()
	if err != nil {
		return nil, fmt.Errorf("dead rows of segment %s: %w", id, err)
	}
	var e codec.Encoder
	e.Raw([]byte(deadMagic))
	e.U16(deadVersion)
	e.Raw(index[:])
	e.Raw(id[:])
	e.U64(d.Generation)
	e.U32(d.Entries)
	e.U64(d.Bytes)
	e.U32(uint32(len(d.Pending)))
	for _, x := range d.Pending {
		e.U64(x.Off)
		e.U64(x.Len)
	}
	e.Blob(rows)
	return e.B, nil
}

// DecodeDead reads a dead record of the given segment. The caller has held its
// hash against the manifest.
func DecodeDead(b []byte, index crypto.IndexID, id crypto.SegmentID) (*Dead, error) {
	d := codec.NewDecoder(b)
	if !bytes.Equal(d.Raw(len(deadMagic)), []byte(deadMagic)) {
		return nil, fmt.Errorf("dead record: %w", fault.ErrForeign)
	}
	if err := checkVersion(d, "dead record", deadVersion); err != nil {
		return nil, err
	}
	var gotIndex crypto.IndexID
	var gotID crypto.SegmentID
	d.Copy(gotIndex[:])
	d.Copy(gotID[:])
	if d.Err() == nil && (gotIndex != index || gotID != id) {
		d.Fail("of segment %s of index %s", gotID, gotIndex)
	}
	out := &Dead{Generation: d.U64(), Entries: d.U32(), Bytes: d.U64()}
	out.Pending = decodeExtents(d)
	rows := d.Blob(maxDeadRows)
	err := d.Done()
	if err == nil {
		out.Rows, err = decodeRows(rows)
	}
	if err == nil && uint64(out.Entries) > out.Rows.GetCardinality() {
		err = fmt.Errorf("%d dead entries of %d dead rows", out.Entries, out.Rows.GetCardinality())
	}
	if err != nil {
		return nil, fmt.Errorf("dead record: %w: %w", fault.ErrDamaged, err)
	}
	return out, nil
}

// decodeExtents refuses what is not sorted, merged and free of overflow.
func decodeExtents(d *codec.Decoder) []segment.Extent {
	out := make([]segment.Extent, d.Count(16))
	var last uint64
	for i := range out {
		out[i] = segment.Extent{Off: d.U64(), Len: d.U64()}
		end := out[i].Off + out[i].Len
		if d.Err() == nil && (out[i].Len == 0 || end < out[i].Off || (i > 0 && out[i].Off <= last)) {
			d.Fail("extent %d at %d of %d bytes behind %d", i, out[i].Off, out[i].Len, last)
		}
		last = end
	}
	return out
}
