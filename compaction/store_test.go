package compaction

import (
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/crypto"
	"oubliette/segment"
)

// store makes segments on a disk in memory, with all keys at hand.
type store struct {
	t      testing.TB
	fs     vfs.FS
	epoch  uint64
	reader crypto.ReaderKey
	mapKey crypto.Secret
	signer *crypto.Signer
}

func newStore(t testing.TB) *store {
	t.Helper()
	reader, err := crypto.NewReaderKey(crypto.NewSecret())
	if err != nil {
		t.Fatal(err)
	}
	return &store{
		t: t, fs: vfs.NewMem(), epoch: 7, reader: reader, mapKey: crypto.NewSecret(),
		signer: crypto.NewSigner(crypto.UserID{1}, crypto.NewSecret()),
	}
}

func (s *store) verify(u crypto.UserID, epoch uint64) (crypto.VerifyKey, bool) {
	return s.signer.Public(), u == s.signer.User() && epoch == s.epoch
}

// open makes an open segment. Its file is let go when the test ends.
func (s *store) open() (*segment.Writer, segment.Identity, string) {
	s.t.Helper()
	id := segment.Identity{Index: index, Segment: crypto.NewSegmentID(), Epoch: s.epoch}
	path := id.Segment.String() + ".seg"
	w, err := segment.Create(s.fs, path, id, s.reader.Public())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		_ = w.Close() // again, for those that are closed
		w.File().Release()
	})
	return w, id, path
}

// tokenOf stands in for the keyed function of ids.
func tokenOf(id string) (t crypto.Token) {
	h := crypto.Sum([]byte(id))
	copy(t[:], h[:])
	return t
}

// fill appends items, one call each so that their order is their place.
func (s *store) fill(w *segment.Writer, items []segment.Content, firstSeq uint64) []segment.Entry {
	s.t.Helper()
	var out []segment.Entry
	for i, c := range items {
		row, err := segment.Prepare(c.ID, c.Vector, c.Contents, c.Metadata)
		if err != nil {
			s.t.Fatal(err)
		}
		p, err := w.Append([]segment.Row{row})
		if err != nil {
			s.t.Fatal(err)
		}
		p[0].Expires = c.Expires
		out = append(out, segment.Entry{Token: tokenOf(c.ID), Seq: firstSeq + uint64(i), Pointer: p[0]})
	}
	if err := w.Sync(); err != nil {
		s.t.Fatal(err)
	}
	return out
}

// sealed makes a segment with an index over the entries of items.
func (s *store) sealed(items []segment.Content, firstSeq uint64) (*segment.File, *segment.Table, []segment.Entry) {
	s.t.Helper()
	w, id, path := s.open()
	entries := s.fill(w, items, firstSeq)
	SortEntries(entries)
	in := segment.IndexInput{ID: id, DEK: w.DEKCommitment(), Rows: w.Rows(), DataEnd: uint64(w.Size()), Entries: entries}
	ref, err := segment.WriteIndex(s.fs, path, in, s.mapKey, s.signer)
	if err != nil {
		s.t.Fatal(err)
	}
	table, err := segment.OpenTable(w.File(), ref, s.mapKey, in.DEK, s.verify)
	if err != nil {
		s.t.Fatal(err)
	}
	return w.File(), table, entries
}

func someItems(from, n, contents int) (out []segment.Content) {
	for i := range n {
		c := segment.Content{ID: fmt.Sprint("item-", from+i), Vector: []float32{float32(i)}, Metadata: []byte(`{}`)}
		if i%3 == 0 {
			c.Expires = 1_900_000_000_000 + uint64(from+i)
		}
		c.Contents = make([]byte, contents)
		for k := range c.Contents { // does not compress
			c.Contents[k] = byte(uint64(k*k*k+k*7919+i*31) * 0x9E3779B97F4A7C15 >> 56)
		}
		out = append(out, c)
	}
	return out
}
