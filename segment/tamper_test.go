package segment

import (
	"errors"
	"reflect"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/crypto"
	"oubliette/internal/fault"
)

// seen is all that a reader gets out of a segment; a nil part is one that ended
// in a CorruptionError.
type seen struct {
	rows  []*Content
	index []Entry
	found [][]Entry
	tail  *FooterRef
}

// inspect reads all there is. Any error that is no CorruptionError fails the
// test.
func (c *closed) inspect(t *testing.T, what string) (s seen) {
	t.Helper()
	f, err := Open(c.fs, c.path, c.id)
	if c.corrupt(t, what, err) {
		return s
	}
	defer f.Release()
	if ref, err := FindFooter(f); !c.corrupt(t, what, err) {
		s.tail = &ref
	}
	if !c.corrupt(t, what, f.Unlock(c.reader, c.in.DEK)) {
		for _, p := range c.ptrs {
			got, err := f.Read(p, WantAll)
			if c.corrupt(t, what, err) {
				s.rows = append(s.rows, nil)
				continue
			}
			s.rows = append(s.rows, &got)
		}
	}
	tab, err := OpenTable(f, c.ref, c.mapKey, c.in.DEK, c.verify)
	if c.corrupt(t, what, err) {
		return s
	}
	var all []Entry
	if !c.corrupt(t, what, tab.All(func(e Entry) error { all = append(all, e); return nil })) {
		s.index = all
	}
	for i := range c.content {
		found, err := tab.Find(tokenOf(c.content[i].ID), nil)
		if c.corrupt(t, what, err) {
			found = nil
		} else if found == nil {
			t.Fatalf("%s: row %d is not found and nothing is corrupt", what, i)
		}
		s.found = append(s.found, found)
	}
	return s
}

func (c *closed) corrupt(t *testing.T, what string, err error) bool {
	t.Helper()
	if err != nil && !errors.Is(err, fault.ErrCorrupt) {
		t.Fatalf("%s: %v is no CorruptionError", what, err)
	}
	return err != nil
}

// agrees fails unless everything in s is either missing or as in whole.
func (whole seen) agrees(t *testing.T, what string, s seen) {
	t.Helper()
	for i, r := range s.rows {
		if r != nil && !reflect.DeepEqual(r, whole.rows[i]) {
			t.Fatalf("%s: row %d reads %+v", what, i, r)
		}
	}
	if s.index != nil && !reflect.DeepEqual(s.index, whole.index) {
		t.Fatalf("%s: the index changed", what)
	}
	for i, e := range s.found {
		if e != nil && !reflect.DeepEqual(e, whole.found[i]) {
			t.Fatalf("%s: the entry of row %d changed", what, i)
		}
	}
	if s.tail != nil && *s.tail != *whole.tail {
		t.Fatalf("%s: the tail leads elsewhere", what)
	}
}

func smallClosed(t *testing.T) (*closed, seen) {
	t.Helper()
	c := writeClosed(t, newStore(t, vfs.NewMem()), []Content{
		{ID: "a", Vector: []float32{1, 2, 3}, Contents: []byte("contents"), Metadata: []byte("{}")},
		{ID: "b"},
		{ID: "c", Contents: make([]byte, 200)},
	})
	whole := c.inspect(t, "whole")
	if len(whole.rows) != 3 || len(whole.index) != 3 || whole.tail == nil || *whole.tail != c.ref {
		t.Fatalf("whole segment reads %+v", whole)
	}
	for i := range whole.rows {
		wantEqual(t, "row", *whole.rows[i], c.content[i])
	}
	return c, whole
}

func TestNoFlippedByteIsEverBelieved(t *testing.T) {
	c, whole := smallClosed(t)
	data, err := c.fs.(*vfs.MemFS).UnsafeGetFileDataBuffer(c.path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range data {
		// The padding of the header and before the index: a sample is enough.
		if data[i] == 0 && i%16 != 0 && i > 0 && data[i-1] == 0 {
			continue
		}
		for _, bit := range []byte{1, 0x80} {
			data[i] ^= bit
			whole.agrees(t, "flip", c.inspect(t, "flip"))
			data[i] ^= bit
		}
	}
}

func TestEveryByteThatCountsIsChecked(t *testing.T) {
	c, _ := smallClosed(t)
	data, err := c.fs.(*vfs.MemFS).UnsafeGetFileDataBuffer(c.path)
	if err != nil {
		t.Fatal(err)
	}
	for r, p := range c.ptrs {
		for off := p.Offset; off < p.Extent().End(); off++ {
			data[off] ^= 4
			if c.inspect(t, "row").rows[r] != nil {
				t.Fatalf("row %d is believed with byte %d flipped", r, off)
			}
			data[off] ^= 4
		}
	}
	start := (c.in.DataEnd + indexAlign - 1) / indexAlign * indexAlign
	for off := start; off < c.ref.Off+c.ref.Len; off++ {
		data[off] ^= 4
		if s := c.inspect(t, "index"); s.index != nil {
			t.Fatalf("the index is believed with byte %d flipped", off)
		}
		data[off] ^= 4
	}
}

func TestNoTruncationIsEverBelieved(t *testing.T) {
	c, whole := smallClosed(t)
	data := readFile(t, c.fs, c.path)
	for n := len(data) - 1; n >= 0; n-- {
		if n > 0 && n%64 != 0 && data[n] == 0 && data[n-1] == 0 {
			continue
		}
		writeFile(t, c.fs, c.path, data[:n])
		s := c.inspect(t, "truncation")
		whole.agrees(t, "truncation", s)
		if uint64(n) < c.ref.Off+c.ref.Len && s.index != nil || n < DataStart && s.rows != nil {
			t.Fatalf("cut to %d bytes, the segment still answers", n)
		}
	}
}

func TestSwappedRowsAndFieldsAreRefused(t *testing.T) {
	s := newStore(t, vfs.NewMem())
	w := s.create(t)
	defer finish(t, w)
	// Two rows alike in all lengths, contents and vector of one length too.
	vector := []float32{1, 2}
	ptrs, err := w.Append(prepareAll(t, []Content{
		{ID: "a", Vector: vector, Contents: []byte("12345678")},
		{ID: "b", Vector: vector, Contents: []byte("87654321")},
	}))
	if err != nil {
		t.Fatal(err)
	}
	f := w.File()
	a, b := ptrs[0], ptrs[1]
	swapped := a
	swapped.Row = b.Row
	_, err = f.Read(swapped, WantAll)
	wantCorrupt(t, "row read under another number", err)
	swapped = a
	swapped.Offset = b.Offset
	_, err = f.Read(swapped, WantAll)
	wantCorrupt(t, "row at another row's place", err)
	// Whoever may sign can make commitments fit; the seal still knows its row.
	swapped.Commit = b.Commit
	_, err = f.Read(swapped, WantAll)
	wantCorrupt(t, "another row's bytes with their commitments", err)
	// Exchange vector and contents of one row, commitments and all.
	data, err := s.fs.(*vfs.MemFS).UnsafeGetFileDataBuffer(s.path)
	if err != nil {
		t.Fatal(err)
	}
	n := int(a.Len[Vector])
	if a.Len[Vector] != a.Len[Contents] {
		t.Fatal("the fields differ in length")
	}
	at := data[a.Offset:]
	for i := range n {
		at[i], at[n+i] = at[n+i], at[i]
	}
	swapped = a
	swapped.Commit[Vector], swapped.Commit[Contents] = a.Commit[Contents], a.Commit[Vector]
	_, err = f.Read(swapped, WantAll)
	wantCorrupt(t, "fields exchanged", err)
}

func TestRowsOfAnotherSegmentAreRefused(t *testing.T) {
	a := newStore(t, vfs.NewMem())
	wa := a.create(t)
	defer finish(t, wa)
	ptrs, err := wa.Append(prepareAll(t, []Content{{ID: "a", Contents: []byte("secret")}}))
	if err != nil {
		t.Fatal(err)
	}
	// The same bytes and even the same key, under another segment id.
	other := newFile(wa.File().f, a.path, Identity{Index: a.id.Index, Segment: crypto.NewSegmentID()})
	other.key.Store(wa.File().key.Load())
	_, err = other.Read(ptrs[0], WantAll)
	wantCorrupt(t, "row of another segment", err)
}

// TestForgedCiphertextUnderAKnownKeyIsRefused does what a reader could do who
// can write the file but may not write items: he holds the data key and seals
// other bytes of the same length at the same place. They open without fault;
// only the commitment in the signed pointer tells.
func TestForgedCiphertextUnderAKnownKeyIsRefused(t *testing.T) {
	s := newStore(t, vfs.NewMem())
	w := s.create(t)
	defer finish(t, w)
	ptrs, err := w.Append(prepareAll(t, []Content{{ID: "a", Contents: []byte("pay 1 to A")}}))
	if err != nil {
		t.Fatal(err)
	}
	p := ptrs[0]
	forged := prepareAll(t, []Content{{ID: "a", Contents: []byte("pay 9 to B")}})[0]
	var sl sealer
	sealed := sl.seal(w.aead, nil, s.id.Segment, p.Row, Contents, forged.frame(Contents))
	if len(sealed) != int(p.Len[Contents]) {
		t.Fatal("the forgery has another length")
	}
	data, err := s.fs.(*vfs.MemFS).UnsafeGetFileDataBuffer(s.path)
	if err != nil {
		t.Fatal(err)
	}
	copy(data[p.fieldOffset(Contents):], sealed)
	_, err = w.File().Read(p, WantContents)
	wantCorrupt(t, "forged contents", err)
	// And the seal alone would not have told.
	p.Commit[Contents] = crypto.Commit(sealed)
	got, err := w.File().Read(p, WantContents)
	if err != nil || string(got.Contents) != "pay 9 to B" {
		t.Fatalf("the forgery was no valid seal: %v", err)
	}
}
