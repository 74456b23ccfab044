package engine

import (
	"bytes"
	"testing"

	"oubliette/crypto"
	"oubliette/internal/golden"
	"oubliette/segment"
)

// countUp fills b with first, first+1, ...
func countUp(b []byte, first byte) {
	for i := range b {
		b[i] = first + byte(i)
	}
}

func TestFormatFileIsAsItsPageShows(t *testing.T) {
	b := encodeFormat()
	golden.Check(t, "store.md", "FORMAT", b, []golden.Field{
		{Name: "magic", Size: 8}, {Name: "version", Size: 2}, {Name: "SHA-256 of both, first 8 bytes", Size: 8},
	})
	if err := checkFormat("FORMAT", b); err != nil || len(b) != formatSize {
		t.Errorf("%d bytes, %v", len(b), err)
	}
}

// fixedPlacement is the page's example: two rows in one segment, one with all
// fields and one with a head alone that expires, and one in the next.
func fixedPlacement() *placement {
	row := func(first byte, number uint32, off uint64, lengths [segment.NumFields]uint32) segment.Entry {
		e := segment.Entry{Seq: 43, Pointer: segment.Pointer{Row: number, Offset: off, Len: lengths}}
		countUp(e.Token[:], first)
		for f := range lengths {
			if lengths[f] > 0 {
				countUp(e.Commit[f][:], first+0x10+0x10*byte(f))
			}
		}
		return e
	}
	p := &placement{dimension: 2, parts: make([]part, 2)}
	countUp(p.parts[0].segment[:], 0x10)
	countUp(p.parts[1].segment[:], 0x20)
	p.parts[0].entries = []segment.Entry{
		row(0x40, 5, segment.DataStart, [segment.NumFields]uint32{29, 33, 30}),
		row(0x80, 6, segment.DataStart+92, [segment.NumFields]uint32{0, 0, 28}),
	}
	p.parts[0].entries[1].Expires = 1_900_000_000_000
	p.parts[1].entries = []segment.Entry{row(0xC0, 0, segment.DataStart, [segment.NumFields]uint32{29, 0, 30})}
	return p
}

func TestPlacementIsAsItsPageShows(t *testing.T) {
	field := func(row, name string) []golden.Field {
		return []golden.Field{{Name: row + name + ": sealed length", Size: 4}, {Name: row + name + ": commitment", Size: 16}}
	}
	rowFields := func(row string, names ...string) []golden.Field {
		out := []golden.Field{
			{Name: row + "token", Size: 16}, {Name: row + "row number", Size: 4}, {Name: row + "offset", Size: 8},
			{Name: row + "presence: vector 1, contents 2, head 4, expiry 8", Size: 1},
		}
		for _, n := range names {
			out = append(out, field(row, n)...)
		}
		return out
	}
	fields := []golden.Field{{Name: "version", Size: 1}, {Name: "dimension", Size: 4}, {Name: "parts", Size: 4}}
	fields = append(fields, golden.Field{Name: "part 0: segment id", Size: 16}, golden.Field{Name: "part 0: rows", Size: 4})
	fields = append(fields, rowFields("part 0: row 0: ", "vector", "contents", "head")...)
	fields = append(fields, rowFields("part 0: row 1: ", "head")...)
	fields = append(fields, golden.Field{Name: "part 0: row 1: expiry", Size: 8})
	fields = append(fields, golden.Field{Name: "part 1: segment id", Size: 16}, golden.Field{Name: "part 1: rows", Size: 4})
	fields = append(fields, rowFields("part 1: row 0: ", "vector", "head")...)
	p := fixedPlacement()
	b := p.encode()
	golden.Check(t, "log.md", "placement", b, fields)
	got, err := decodePlacement(b, 43)
	if err != nil || !bytes.Equal(got.encode(), b) {
		t.Errorf("reads back as %+v, %v", got, err)
	}
}

func TestGoldenClean(t *testing.T) {
	b := encodeClean(crypto.Sum([]byte("the database")))
	golden.Check(t, "store.md", "CLEAN", b, []golden.Field{
		{Name: "magic", Size: 8}, {Name: "version", Size: 2}, {Name: "digest", Size: 32},
		{Name: "SHA-256 of all before, first 8 bytes", Size: 8},
	})
}
