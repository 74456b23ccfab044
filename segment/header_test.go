package segment

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/crypto"
	"oubliette/internal/fault"
)

func testSlot(epoch uint64) slot {
	return slot{id: Identity{Epoch: epoch}, sealed: bytes.Repeat([]byte{0xab}, crypto.SealedDEKSize)}
}

// resum makes the checksum of a slot fit again.
func resum(b []byte) {
	binary.LittleEndian.PutUint32(b[HeaderSlotSize-4:], crc32.Checksum(b[:HeaderSlotSize-4], castagnoli))
}

func TestHeaderErrorsTellForeignNewerDamagedApart(t *testing.T) {
	cases := map[string]struct {
		change func(b []byte)
		want   error
	}{
		"foreign":         {func(b []byte) { b[0] ^= 1 }, fault.ErrForeign},
		"newer":           {func(b []byte) { b[8] = headerVersion + 1 }, fault.ErrNewer},
		"version 0":       {func(b []byte) { b[8] = 0; resum(b) }, fault.ErrDamaged},
		"damaged":         {func(b []byte) { b[100] ^= 1 }, fault.ErrDamaged},
		"checksum":        {func(b []byte) { b[HeaderSlotSize-1] ^= 1 }, fault.ErrDamaged},
		"padding":         {func(b []byte) { b[HeaderSlotSize-5] = 1; resum(b) }, fault.ErrDamaged},
		"long key":        {func(b []byte) { b[83] = 0xff; resum(b) }, fault.ErrDamaged},
		"short key":       {func(b []byte) { b[82]--; resum(b) }, fault.ErrDamaged},
		"another segment": {func(b []byte) { b[30] ^= 1; resum(b) }, fault.ErrForeign},
		"another index":   {func(b []byte) { b[12] ^= 1; resum(b) }, fault.ErrForeign},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			fs := vfs.NewMem()
			b := append(testSlot(1).encode(), make([]byte, HeaderSlotSize)...)
			c.change(b[:HeaderSlotSize])
			writeFile(t, fs, "f", b)
			_, err := Open(fs, "f", Identity{})
			if ce := wantCorrupt(t, name, err); ce.Offset != 0 || ce.Path != "f" || !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v at offset 0", err, c.want)
			}
		})
	}
}

func TestOneWholeSlotIsEnough(t *testing.T) {
	torn := testSlot(9).encode()
	torn[200] ^= 1
	empty := make([]byte, HeaderSlotSize)
	cases := []struct {
		name  string
		a, b  []byte
		epoch uint64
	}{
		{"first only", testSlot(3).encode(), empty, 3},
		{"second only", empty, testSlot(4).encode(), 4},
		{"second torn", testSlot(3).encode(), torn, 3},
		{"first torn", torn, testSlot(4).encode(), 4},
		{"second newer", testSlot(3).encode(), testSlot(4).encode(), 4},
		{"first newer", testSlot(5).encode(), testSlot(4).encode(), 5},
	}
	for _, c := range cases {
		fs := vfs.NewMem()
		writeFile(t, fs, "f", append(bytes.Clone(c.a), c.b...))
		f, err := Open(fs, "f", Identity{})
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if f.Epoch() != c.epoch {
			t.Errorf("%s: epoch %d, want %d", c.name, f.Epoch(), c.epoch)
		}
		f.Release()
	}
	fs := vfs.NewMem()
	writeFile(t, fs, "f", append(bytes.Clone(empty), torn...))
	_, err := Open(fs, "f", Identity{})
	if ce := wantCorrupt(t, "empty and torn", err); ce.Offset != HeaderSlotSize {
		t.Errorf("offset %d, want the torn slot's", ce.Offset)
	}
	writeFile(t, fs, "f", make([]byte, DataStart))
	_, err = Open(fs, "f", Identity{})
	wantCorrupt(t, "both empty", err)
}

func TestUnlockIsHeldAgainstTheCommitment(t *testing.T) {
	s := newStore(t, vfs.NewMem())
	w := s.create(t)
	commit := w.DEKCommitment()
	finish(t, w)
	f, err := Open(s.fs, s.path, s.id)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Release()
	other, err := crypto.NewReaderKey(crypto.NewSecret())
	if err != nil {
		t.Fatal(err)
	}
	wantCorrupt(t, "another reader key", f.Unlock(other, commit))
	wantCorrupt(t, "another commitment", f.Unlock(s.reader, crypto.Hash{1}))
	if f.Unlocked() {
		t.Fatal("unlocked by a key that does not fit")
	}
	for range 2 {
		if err := f.Unlock(s.reader, commit); err != nil || !f.Unlocked() {
			t.Fatal(err)
		}
	}
	wantCorrupt(t, "another commitment, unlocked", f.Unlock(s.reader, crypto.Hash{1}))
	f.Lock()
	if _, err := f.Read(Pointer{}, WantAll); !errors.Is(err, ErrLocked) || f.Unlocked() {
		t.Fatalf("a locked file answered %v", err)
	}
}

func TestSealedKeyIsBoundToItsSegment(t *testing.T) {
	a, b := newStore(t, vfs.NewMem()), newStore(t, vfs.NewMem())
	b.reader = a.reader
	wa := a.create(t)
	defer finish(t, wa)
	// The slot of one segment, renamed to another.
	s := *wa.File().mu.slots[0]
	s.id.Segment = b.id.Segment
	s.id.Index = b.id.Index
	writeFile(t, b.fs, b.path, append(s.encode(), make([]byte, HeaderSlotSize)...))
	f, err := Open(b.fs, b.path, b.id)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Release()
	wantCorrupt(t, "key of another segment", f.Unlock(b.reader, wa.DEKCommitment()))
}

func TestFileClosesAtTheLastRelease(t *testing.T) {
	s := newStore(t, vfs.NewMem())
	w := s.create(t)
	ptrs, err := w.Append(prepareAll(t, []Content{{ID: "x"}}))
	if err != nil {
		t.Fatal(err)
	}
	f := w.File()
	f.Retain()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	f.Release()
	if _, err := f.Read(ptrs[0], WantAll); err != nil {
		t.Fatalf("closed too early: %v", err)
	}
	f.Release()
	for name, use := range map[string]func(){"Retain": f.Retain, "Release": f.Release} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s of a closed file did not panic", name)
				}
			}()
			use()
		}()
	}
}
