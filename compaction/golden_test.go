package compaction

import (
	"testing"
	"time"

	"oubliette/crypto"
	"oubliette/internal/golden"
	"oubliette/segment"
	"oubliette/wal"
)

// count fills b with first, first+1, ...
func count(b []byte, first byte) []byte {
	for i := range b {
		b[i] = first + byte(i)
	}
	return b
}

func fixedIDs() (i crypto.IndexID, open, closed crypto.SegmentID) {
	count(i[:], 0x10)
	count(open[:], 0x20)
	count(closed[:], 0x30)
	return i, open, closed
}

func position(group, seq uint64, first byte) wal.Position {
	p := wal.Position{Group: group, Seq: seq}
	count(p.Head[:], first)
	return p
}

func TestGoldenManifest(t *testing.T) {
	i, open, closed := fixedIDs()
	m := Manifest{
		Index: i, Epoch: 3, Version: 12, Dimension: 768,
		Start: position(5, 31, 0x40), Applied: position(7, 43, 0x60), Erased: 42,
		Sessions: []Session{{Last: position(7, 43, 0x60)}},
		Segments: []Segment{
			{
				ID: closed, Epoch: 2, Sealed: true, Rows: 1000, Entries: 998, DataEnd: 0x123456,
				Footer: segment.FooterRef{Off: 0x140000, Len: 352}, DeadEntries: 3, DeadBytes: 4321,
			},
			{ID: open, Epoch: 3},
		},
	}
	m.Start.LastDelete.Group, m.Applied.LastDelete = 4, wal.Mark{Group: 7, Hash: m.Applied.Head}
	count(m.Start.LastDelete.Hash[:], 0x50)
	count(m.Sessions[0].ID[:], 0x80)
	count(m.Segments[0].DEK[:], 0x90)
	count(m.Segments[0].Footer.Hash[:], 0xB0)
	count(m.Segments[0].Dead[:], 0xD0)
	count(m.Segments[1].DEK[:], 0xE0)
	var user crypto.UserID
	count(user[:], 0x70)
	seed, err := crypto.SecretFromBytes(count(make([]byte, 32), 1))
	if err != nil {
		t.Fatal(err)
	}
	fields := []golden.Field{
		{Name: "magic", Size: 8}, {Name: "version", Size: 2}, {Name: "index id", Size: 16}, {Name: "epoch", Size: 8},
		{Name: "number of the manifest", Size: 8}, {Name: "dimension", Size: 4},
		{Name: "start: group", Size: 8}, {Name: "start: sequence number", Size: 8}, {Name: "start: head", Size: 32},
		{Name: "start: last group that deletes", Size: 8}, {Name: "start: hash of that group", Size: 32},
		{Name: "applied: group", Size: 8}, {Name: "applied: sequence number", Size: 8}, {Name: "applied: head", Size: 32},
		{Name: "applied: last group that deletes", Size: 8}, {Name: "applied: hash of that group", Size: 32},
		{Name: "erased: sequence number", Size: 8},
		{Name: "sessions", Size: 4},
		{Name: "session 0: id", Size: 16}, {Name: "session 0: last group", Size: 8}, {Name: "session 0: last sequence number", Size: 8}, {Name: "session 0: head", Size: 32},
		{Name: "segments", Size: 4},
	}
	for _, n := range []string{"segment 0", "segment 1 (open)"} {
		fields = append(fields, []golden.Field{
			{Name: n + ": id", Size: 16}, {Name: n + ": epoch", Size: 8}, {Name: n + ": commitment to the data key", Size: 32},
			{Name: n + ": closed", Size: 1}, {Name: n + ": rows", Size: 4}, {Name: n + ": entries", Size: 4}, {Name: n + ": end of the rows", Size: 8},
			{Name: n + ": footer offset", Size: 8}, {Name: n + ": footer length", Size: 8}, {Name: n + ": SHA-256 of the footer", Size: 32},
			{Name: n + ": SHA-256 of the dead record", Size: 32}, {Name: n + ": dead entries", Size: 4}, {Name: n + ": dead bytes", Size: 8},
		}...)
	}
	fields = append(fields, golden.Field{Name: "signer", Size: 16}, golden.Field{Name: "signature", Size: 64})
	golden.Check(t, "manifest.md", "manifest", m.Sign(crypto.NewSigner(user, seed)), fields)
}

func TestGoldenDeadRecord(t *testing.T) {
	i, _, closed := fixedIDs()
	d := NoDead.Add([]Death{
		{Row: 5, Extent: segment.Extent{Off: 8192, Len: 59}, InIndex: true},
		{Row: 6, Extent: segment.Extent{Off: 8251, Len: 41}, InIndex: true},
		{Row: 70_000, Extent: segment.Extent{Off: 90_000, Len: 100}},
	}, []segment.Extent{{Off: 12_000, Len: 96}})
	b, err := d.Encode(i, closed)
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "dead.md", "dead record", b, []golden.Field{
		{Name: "magic", Size: 8}, {Name: "version", Size: 2}, {Name: "index id", Size: 16}, {Name: "segment id", Size: 16},
		{Name: "generation", Size: 8}, {Name: "dead entries", Size: 4}, {Name: "dead bytes", Size: 8},
		{Name: "pending extents", Size: 4},
		{Name: "extent 0: offset", Size: 8}, {Name: "extent 0: length", Size: 8},
		{Name: "extent 1: offset", Size: 8}, {Name: "extent 1: length", Size: 8},
		{Name: "extent 2: offset", Size: 8}, {Name: "extent 2: length", Size: 8},
		{Name: "length of the rows", Size: 4},
		{Name: "rows: cookie (12346: no runs)", Size: 4}, {Name: "rows: containers", Size: 4},
		{Name: "rows: container 0: upper 16 bits", Size: 2}, {Name: "rows: container 0: numbers less one", Size: 2},
		{Name: "rows: container 1: upper 16 bits", Size: 2}, {Name: "rows: container 1: numbers less one", Size: 2},
		{Name: "rows: container 0: offset", Size: 4}, {Name: "rows: container 1: offset", Size: 4},
		{Name: "rows: container 0: lower 16 bits of 5 and 6", Size: 4}, {Name: "rows: container 1: lower 16 bits of 70,000", Size: 2},
	})
}

func TestGoldenOutcome(t *testing.T) {
	i, open, closed := fixedIDs()
	o := Outcome{
		Index: i, Epoch: 3, Kind: OutcomeFound, Time: time.UnixMilli(1_700_000_000_123), Version: 12, Through: 43, Whole: true,
		Segments: []crypto.SegmentID{closed, open},
		Calls:    []Call{{Seq: 41, Asked: 1, Rows: 1, Bytes: 4213}, {Seq: 43, Asked: 1000, Rows: 998, Bytes: 4_001_001}},
	}
	var user crypto.UserID
	count(user[:], 0x70)
	seed, err := crypto.SecretFromBytes(count(make([]byte, 32), 1))
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "outcome.md", "outcome", o.Sign(crypto.NewSigner(user, seed)), []golden.Field{
		{Name: "magic", Size: 8}, {Name: "version", Size: 2}, {Name: "index id", Size: 16}, {Name: "epoch", Size: 8},
		{Name: "kind", Size: 1}, {Name: "time", Size: 8}, {Name: "manifest's number", Size: 8}, {Name: "through", Size: 8}, {Name: "segment id", Size: 16}, {Name: "whole", Size: 1},
		{Name: "segments", Size: 4}, {Name: "segment 0", Size: 16}, {Name: "segment 1", Size: 16},
		{Name: "calls", Size: 4},
		{Name: "call 0: step", Size: 1}, {Name: "call 0: ids", Size: 1}, {Name: "call 0: rows", Size: 1}, {Name: "call 0: bytes", Size: 2},
		{Name: "call 1: step", Size: 1}, {Name: "call 1: ids", Size: 2}, {Name: "call 1: rows", Size: 2}, {Name: "call 1: bytes", Size: 4},
		{Name: "signer", Size: 16}, {Name: "signature", Size: 64},
	})
}
