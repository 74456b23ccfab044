package segment

import (
	"bytes"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

func TestSealedAnswersTheBytesOnDiskWithoutAKey(t *testing.T) {
	s := newStore(t, vfs.NewMem())
	content := append(someContent(seeded(t), 20), Content{ID: "head alone"})
	c := writeClosed(t, s, content)
	f, err := Open(s.fs, s.path, s.id)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Release()
	disk := readFile(t, s.fs, s.path)
	for _, p := range c.ptrs {
		fields, err := f.Sealed(p)
		if err != nil {
			t.Fatal(err)
		}
		for k := range Field(NumFields) {
			if len(fields[k]) != int(p.Len[k]) || (fields[k] == nil) != (p.Len[k] == 0) {
				t.Errorf("row %d, %v: %d bytes, %d are on disk", p.Row, k, len(fields[k]), p.Len[k])
			}
		}
		x := p.Extent()
		if got := slices.Concat(fields[:]...); !bytes.Equal(got, disk[x.Off:x.End()]) {
			t.Errorf("row %d: not the bytes on disk", p.Row)
		}
	}
	if f.Unlocked() {
		t.Error("it took a key")
	}
}

func TestSealedRefusesARowThatWasErased(t *testing.T) {
	s := newStore(t, vfs.NewMem())
	c := writeClosed(t, s, someContent(seeded(t), 3))
	f := s.open(t, c.in.DEK)
	if _, err := Overwrite(s.fs, s.path, s.id.Segment, []Extent{c.ptrs[1].Extent()}, Extent{DataStart, c.in.DataEnd - DataStart}); err != nil {
		t.Fatal(err)
	}
	fields, err := f.Sealed(c.ptrs[1])
	wantCorrupt(t, "an erased row", err)
	if slices.ContainsFunc(fields[:], func(b []byte) bool { return b != nil }) {
		t.Error("bytes beside an error")
	}
	if _, err := f.Sealed(c.ptrs[2]); err != nil {
		t.Errorf("its neighbour: %v", err)
	}
}

func TestSealedRefusesPointersOutsideOfTheFile(t *testing.T) {
	s := newStore(t, vfs.NewMem())
	c := writeClosed(t, s, someContent(seeded(t), 3))
	f := s.open(t, c.in.DEK)
	for what, change := range map[string]func(p *Pointer){
		"no head":        func(p *Pointer) { p.Len[Head] = 0 },
		"in the header":  func(p *Pointer) { p.Offset = 0 },
		"behind the end": func(p *Pointer) { p.Offset = 1 << 40 },
		"overflowing":    func(p *Pointer) { p.Offset = 1<<64 - 1 },
		"another row's":  func(p *Pointer) { p.Offset++ },
	} {
		p := c.ptrs[0]
		change(&p)
		_, err := f.Sealed(p)
		wantCorrupt(t, what, err)
	}
}
