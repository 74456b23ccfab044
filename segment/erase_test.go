package segment

import (
	"bytes"
	"errors"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"oubliette/crypto"
	"oubliette/internal/fault"
)

func TestOverwrittenRowsAreNowhereInTheFile(t *testing.T) {
	onDisk := vfs.Default
	for name, s := range map[string]*store{"memory": newStore(t, vfs.NewMem()), "disk": newStore(t, onDisk)} {
		t.Run(name, func(t *testing.T) {
			if s.fs == onDisk {
				s.path = filepath.Join(t.TempDir(), s.path)
			}
			rng := seeded(t)
			content := someContent(rng, 100)
			content = append(content, Content{ID: "big", Contents: randomBytes(rng, 1<<20)}) // holes to punch
			c := writeClosed(t, s, content)
			before := readFile(t, s.fs, s.path)
			var dead []Extent
			var noted [][]byte
			var sum uint64
			for i := len(c.ptrs) - 1; i >= 0; i -= 2 {
				x := c.ptrs[i].Extent()
				dead = append(dead, x)
				noted = append(noted, before[x.Off:x.End()])
				sum += x.Len
			}
			area := Extent{DataStart, c.in.DataEnd - DataStart}
			n, err := Overwrite(s.fs, s.path, s.id.Segment, dead, area)
			if err != nil || n != sum {
				t.Fatalf("overwrote %d bytes, %v; want %d", n, err, sum)
			}
			after := readFile(t, s.fs, s.path)
			windows := map[[16]byte]bool{} // any 16 bytes of a dead row
			for _, b := range noted {
				for ; len(b) >= 16; b = b[16:] {
					windows[[16]byte(b)] = true
				}
			}
			for at := 0; at+16 <= len(after); at++ {
				if windows[[16]byte(after[at:])] {
					t.Fatalf("sealed bytes of a dead row are still in the file, at offset %d", at)
				}
			}
			if at := dead[0].Off; !windows[[16]byte(before[at:])] {
				t.Fatal("the search does not find what is there")
			}
			f := s.open(t, c.in.DEK)
			if err := CheckErased(f, dead); err != nil {
				t.Fatal(err)
			}
			for i, p := range c.ptrs {
				got, err := f.Read(p, WantAll)
				if i%2 == (len(c.ptrs)-1)%2 {
					wantCorrupt(t, "dead row", err)
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				wantEqual(t, "live row", got, content[i])
			}
			if n := c.table(t, f).Entries(); n != len(content) {
				t.Errorf("%d entries left in the index", n)
			}
		})
	}
}

func TestOverwriteCostsTheBytesDeleted(t *testing.T) {
	var wrote uint64
	mem := vfs.NewMem()
	s := newStore(t, mem)
	c := writeClosed(t, s, someContent(seeded(t), 200))
	fs := &countingFS{FS: mem, wrote: &wrote}
	dead := []Extent{c.ptrs[1].Extent(), c.ptrs[2].Extent(), c.ptrs[2].Extent(), c.ptrs[90].Extent()}
	want := dead[0].Len + dead[1].Len + dead[3].Len
	n, err := Overwrite(fs, s.path, s.id.Segment, dead, Extent{DataStart, c.in.DataEnd - DataStart})
	if err != nil || n != want || wrote != want {
		t.Fatalf("answered %d, wrote %d, %v; dead are %d", n, wrote, err, want)
	}
}

// countingFS counts the bytes that are written.
type countingFS struct {
	vfs.FS
	wrote *uint64
}

func (fs *countingFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	f, err := fs.FS.OpenReadWrite(name, c, opts...)
	return &countingFile{f, fs.wrote}, err
}

type countingFile struct {
	vfs.File
	wrote *uint64
}

// WriteAt also spoils the slice, as a vfs.File may.
func (f *countingFile) WriteAt(b []byte, off int64) (int, error) {
	n, err := f.File.WriteAt(b, off)
	*f.wrote += uint64(n)
	for i := range b {
		b[i] ^= 0xff
	}
	return n, err
}

func TestOverwriteStaysInsideItsArea(t *testing.T) {
	s := newStore(t, vfs.NewMem())
	c := writeClosed(t, s, someContent(seeded(t), 10))
	before := readFile(t, s.fs, s.path)
	area := Extent{DataStart, c.in.DataEnd - DataStart}
	good := c.ptrs[0].Extent()
	cases := map[string]struct {
		dead []Extent
		area Extent
	}{
		"header":          {[]Extent{good, {0, 10}}, area},
		"before the area": {[]Extent{good, {DataStart - 1, 10}}, area},
		"behind the area": {[]Extent{good, {area.End() - 1, 2}}, area},
		"index":           {[]Extent{good, {c.ref.Off, 1}}, area},
		"overflow":        {[]Extent{good, {DataStart, math.MaxUint64}}, area},
		"overflow to 0":   {[]Extent{good, {math.MaxUint64, 1}}, area},
		"area in header":  {[]Extent{good}, Extent{DataStart - 1, area.Len}},
		"area overflows":  {[]Extent{good}, Extent{DataStart, math.MaxUint64}},
	}
	for name, x := range cases {
		if n, err := Overwrite(s.fs, s.path, s.id.Segment, x.dead, x.area); err == nil || n != 0 {
			t.Errorf("%s: overwrote %d", name, n)
		}
		wantEqual(t, name, readFile(t, s.fs, s.path), before)
	}
	if _, err := Overwrite(s.fs, s.path, crypto.NewSegmentID(), []Extent{good}, area); !errors.Is(err, fault.ErrForeign) {
		t.Errorf("another segment's file was overwritten: %v", err)
	}
	wantEqual(t, "another id", readFile(t, s.fs, s.path), before)
	if _, err := Overwrite(s.fs, "missing.seg", s.id.Segment, []Extent{good}, area); err == nil {
		t.Error("a missing file was erased")
	}
	if _, err := s.fs.Stat("missing.seg"); err == nil {
		t.Error("a file was made")
	}
}

func TestOverwriteNeverGrowsTheFile(t *testing.T) {
	s := newStore(t, vfs.NewMem())
	c := writeClosed(t, s, someContent(seeded(t), 10))
	size := uint64(len(readFile(t, s.fs, s.path)))
	dead := []Extent{{size - 5, 1000}, {size + 10, 10}}
	n, err := Overwrite(s.fs, s.path, s.id.Segment, dead, Extent{DataStart, size + 1000})
	if err != nil || n != 5 {
		t.Fatalf("overwrote %d, %v; 5 bytes were there", n, err)
	}
	after := readFile(t, s.fs, s.path)
	if uint64(len(after)) != size || !allZero(after[size-5:]) {
		t.Fatalf("file of %d bytes is now %d long", size, len(after))
	}
	if err := CheckErased(s.open(t, c.in.DEK), dead); err != nil {
		t.Error(err)
	}
}

func TestOverwriteNeedsNoWholeHeader(t *testing.T) {
	s := newStore(t, vfs.NewMem())
	c := writeClosed(t, s, someContent(seeded(t), 10))
	b := readFile(t, s.fs, s.path)
	b[100] ^= 1
	writeFile(t, s.fs, s.path, b)
	x := c.ptrs[2].Extent()
	if n, err := Overwrite(s.fs, s.path, s.id.Segment, []Extent{x}, Extent{DataStart, c.in.DataEnd - DataStart}); err != nil || n != x.Len {
		t.Fatalf("a damaged header keeps the erasure from finishing: %v", err)
	}
}

func TestCheckErasedTellsTheByte(t *testing.T) {
	s := newStore(t, vfs.NewMem())
	c := writeClosed(t, s, []Content{{ID: "x", Contents: randomBytes(seeded(t), 200<<10)}})
	x := c.ptrs[0].Extent()
	if _, err := Overwrite(s.fs, s.path, s.id.Segment, []Extent{x}, x); err != nil {
		t.Fatal(err)
	}
	b := readFile(t, s.fs, s.path)
	at := x.Off + x.Len - 3
	b[at] = 1
	writeFile(t, s.fs, s.path, b)
	err := CheckErased(s.open(t, c.in.DEK), []Extent{{DataStart, 0}, x})
	if ce := wantCorrupt(t, "a byte left", err); uint64(ce.Offset) != at {
		t.Errorf("told offset %d, want %d", ce.Offset, at)
	}
}

func TestDestroyLeavesNothing(t *testing.T) {
	s := newStore(t, vfs.NewMem())
	if err := Destroy(s.fs, s.path); err != nil {
		t.Fatalf("missing file: %v", err)
	}
	if err := DestroyHeader(s.fs, s.path); err != nil {
		t.Fatalf("missing file: %v", err)
	}
	if _, err := s.fs.Stat(s.path); err == nil {
		t.Fatal("destroying made a file")
	}
	c := writeClosed(t, s, someContent(seeded(t), 10))
	size := len(readFile(t, s.fs, s.path))
	if err := DestroyHeader(s.fs, s.path); err != nil {
		t.Fatal(err)
	}
	b := readFile(t, s.fs, s.path)
	if !allZero(b[:DataStart]) || len(b) != size {
		t.Fatal("the header is still there")
	}
	_, err := Open(s.fs, s.path, c.id)
	wantCorrupt(t, "destroyed header", err)
	if err := Destroy(s.fs, s.path); err != nil {
		t.Fatal(err)
	}
	if _, err := s.fs.Stat(s.path); err == nil {
		t.Fatal("the file is still there")
	}
}

func TestDestroyHeaderNeverGrowsAShortFile(t *testing.T) {
	fs := vfs.NewMem()
	for _, n := range []int{0, 1, HeaderSlotSize - 1, HeaderSlotSize, DataStart - 1, DataStart, DataStart + 1} {
		writeFile(t, fs, "f", bytes.Repeat([]byte{7}, n))
		if err := DestroyHeader(fs, "f"); err != nil {
			t.Fatal(err)
		}
		b := readFile(t, fs, "f")
		if len(b) != n || !allZero(b[:min(n, DataStart)]) {
			t.Fatalf("file of %d bytes is now %d long, or keeps header bytes", n, len(b))
		}
		if n > DataStart && b[DataStart] != 7 {
			t.Fatal("row bytes were touched")
		}
	}
}

func TestDestroyOverwritesAndSyncsBeforeItUnlinks(t *testing.T) {
	mem := vfs.NewMem()
	s := newStore(t, mem)
	finish(t, s.create(t))
	var ops []errorfs.OpKind
	fs := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if mutates(op.Kind) {
			ops = append(ops, op.Kind)
		}
		return nil
	}))
	if err := Destroy(fs, s.path); err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "order", ops, []errorfs.OpKind{
		errorfs.OpFileWriteAt, errorfs.OpFileSyncData, errorfs.OpRemove,
	})
}

func TestCoalesceMergesWhatTouches(t *testing.T) {
	got := Coalesce([]Extent{{10, 5}, {15, 5}, {18, 1}, {30, 0}, {40, 10}, {45, 10}})
	wantEqual(t, "merged", got, []Extent{{10, 10}, {40, 15}})
	if len(Coalesce(nil)) != 0 {
		t.Error("nothing merged to something")
	}
}

func TestSubtractLeavesWhatNothingTakes(t *testing.T) {
	for _, c := range []struct{ xs, taken, want []Extent }{
		{[]Extent{{0, 100}}, nil, []Extent{{0, 100}}},
		{[]Extent{{0, 100}}, []Extent{{90, 20}, {10, 5}, {12, 8}}, []Extent{{0, 10}, {20, 70}}},
		{[]Extent{{50, 10}, {0, 10}}, []Extent{{5, 50}}, []Extent{{0, 5}, {55, 5}}},
		{[]Extent{{10, 10}}, []Extent{{0, 100}}, nil},
		{[]Extent{{10, 10}, {30, 10}}, []Extent{{0, 5}, {20, 10}, {40, 5}}, []Extent{{10, 10}, {30, 10}}},
	} {
		wantEqual(t, "rest", Subtract(slices.Clone(c.xs), c.taken), c.want)
	}
}

func TestResealMovesASegmentToANewEpoch(t *testing.T) {
	s := newStore(t, vfs.NewMem())
	c := writeClosed(t, s, someContent(seeded(t), 5))
	next := newStore(t, s.fs)
	f := s.open(t, c.in.DEK)
	if err := f.Reseal(s.fs, s.reader, c.in.DEK, s.id.Epoch, next.reader.Public()); err == nil {
		t.Error("resealed to the same epoch")
	}
	err := f.Reseal(s.fs, next.reader, c.in.DEK, s.id.Epoch+1, next.reader.Public())
	wantCorrupt(t, "reseal with a key that does not open", err)
	before, after := s.reader.Public().Hash(), next.reader.Public().Hash()
	erase := func(id crypto.SegmentID, reader crypto.Hash) bool {
		t.Helper()
		erased, err := EraseOldSlot(s.fs, s.path, id, reader)
		if err != nil {
			t.Fatal(err)
		}
		return erased
	}
	if erase(s.id.Segment, before) || erase(s.id.Segment, after) {
		t.Fatal("the only slot was erased")
	}
	if err := f.Reseal(s.fs, s.reader, c.in.DEK, s.id.Epoch+1, next.reader.Public()); err != nil {
		t.Fatal(err)
	}
	if f.Epoch() != s.id.Epoch+1 {
		t.Errorf("epoch %d", f.Epoch())
	}
	s.open(t, c.in.DEK) // both open until the old slot goes
	if erase(crypto.NewSegmentID(), after) || erase(s.id.Segment, crypto.Hash{}) {
		t.Fatal("erased for another segment or another reader")
	}
	if !f.SealedTo(before) || !f.SealedTo(after) || f.SealedTo(crypto.Hash{}) {
		t.Error("SealedTo")
	}
	if !erase(s.id.Segment, after) || erase(s.id.Segment, after) {
		t.Fatal("the old slot is erased once")
	}
	if err := f.Refresh(); err != nil {
		t.Fatal(err)
	}
	f.Lock()
	wantCorrupt(t, "old key", f.Unlock(s.reader, c.in.DEK))
	if err := f.Unlock(next.reader, c.in.DEK); err != nil {
		t.Fatal(err)
	}
	got, err := f.Read(c.ptrs[1], WantAll)
	if err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "row", got, c.content[1])
	// The erasers go by the slot that is left.
	x := c.ptrs[0].Extent()
	if _, err := Overwrite(s.fs, s.path, s.id.Segment, []Extent{x}, x); err != nil {
		t.Error(err)
	}
	// And back into the first slot.
	if err := f.Reseal(s.fs, next.reader, c.in.DEK, s.id.Epoch+2, s.reader.Public()); err != nil {
		t.Fatal(err)
	}
	if !erase(s.id.Segment, before) || f.Refresh() != nil || f.Epoch() != s.id.Epoch+2 {
		t.Errorf("epoch %d after another reseal", f.Epoch())
	}
}
