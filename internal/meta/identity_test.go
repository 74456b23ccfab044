package meta

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"oubliette/internal/fault"
	"oubliette/internal/golden"
)

// exampleIdentity is the page's example: two manifests and two log files.
func exampleIdentity() identity {
	return identity{
		id: countUp(0xD0), generation: 7,
		marks: []mark{{number: 10, length: 146, sum: countUp(0x10)}, {number: 15, length: 315, sum: countUp(0x20)}},
		logs:  []uint64{11, 16},
	}
}

func TestIdentityIsAsItsPageShows(t *testing.T) {
	n := exampleIdentity()
	field := func(name string, size int) golden.Field { return golden.Field{Name: name, Size: size} }
	golden.Check(t, "database.md", "identity", n.encode(), []golden.Field{
		field("magic", 8), field("version", 2), field("database id", 16), field("generation", 8),
		field("number of manifests", 1),
		field("manifest: number", 8), field("manifest: bytes that are durable", 8), field("manifest: SHA-256 of them, first 16 bytes", 16),
		field("manifest: number", 8), field("manifest: bytes that are durable", 8), field("manifest: SHA-256 of them, first 16 bytes", 16),
		field("number of log files", 1), field("log file: number", 8), field("log file: number", 8),
		field("zeros", 3972), field("SHA-256 of all before, first 8 bytes", 8),
	})
	golden.Check(t, "database.md", "head", encodeHead(n.id, 9), []golden.Field{
		field("magic", 8), field("version", 2), field("database id", 16), field("file's number", 8),
		field("SHA-256 of all before, first 8 bytes", 8),
	})
}

// file is an identity with the generation before in the other slot.
func (n identity) file() []byte {
	before := n
	before.generation--
	before.logs = before.logs[1:]
	b := make([]byte, identitySize)
	copy(b[n.slot():], n.encode())
	copy(b[before.slot():], before.encode())
	return b
}

// Whatever is damaged or cut in one slot, the other one counts; where none is left,
// it is told.
func TestOneWholeSlotIsEnough(t *testing.T) {
	n := exampleIdentity()
	for range 2 {
		b := n.file()
		if have, err := decodeIdentity("IDENTITY", b); err != nil || !reflect.DeepEqual(have, n) {
			t.Errorf("%+v, %v", have, err)
		}
		for at := range b {
			c := bytes.Clone(b)
			c[at] ^= 1 << (at % 8)
			have, err := decodeIdentity("IDENTITY", c)
			newest := int64(at)/slotSize*slotSize != n.slot()
			if err != nil || newest != (have.generation == n.generation) || !newest && have.generation != n.generation-1 {
				t.Errorf("byte %d: generation %d, %v", at, have.generation, err)
			}
			c[(at+slotSize)%identitySize] ^= 1
			if _, err := decodeIdentity("IDENTITY", c); !errors.Is(err, fault.ErrCorrupt) {
				t.Errorf("byte %d in both slots: %v", at, err)
			}
			have, err = decodeIdentity("IDENTITY", b[:at])
			if (err == nil) != (at >= slotSize) || err == nil && have.generation < n.generation-1 {
				t.Errorf("cut at %d: generation %d, %v", at, have.generation, err)
			}
		}
		n.generation++ // the other way round
	}
}

func TestForeignNewerAndDamagedIdentitiesAreToldApart(t *testing.T) {
	n := exampleIdentity()
	edit := func(at int, with byte) []byte {
		b := n.file()
		b[at], b[at+slotSize] = with, with
		return b
	}
	for name, c := range map[string]struct {
		b  []byte
		is error
	}{
		"empty":         {nil, fault.ErrForeign},
		"something":     {bytes.Repeat([]byte("else"), identitySize/4), fault.ErrForeign},
		"newer":         {edit(8, 2), fault.ErrNewer},
		"of no version": {edit(8, 0), fault.ErrDamaged},
		"damaged":       {edit(100, 0xEE), fault.ErrDamaged},
		"longer":        {append(n.file(), 0), fault.ErrDamaged},
	} {
		if _, err := decodeIdentity("IDENTITY", c.b); !errors.Is(err, c.is) || !errors.Is(err, fault.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The lists are bounded, whatever happens.
func TestListsOfAnIdentityAreBounded(t *testing.T) {
	var n identity
	for i := range uint64(1000) {
		n.addLog(i)
		n.setMark(mark{number: i}, 3)
		if i%7 == 0 && !n.dropLog(i) {
			t.Errorf("log %d was not listed", i)
		}
	}
	if len(n.logs) != maxLogs || n.logs[maxLogs-1] != 999 || len(n.marks) != maxMarks {
		t.Errorf("%d logs, %d marks", len(n.logs), len(n.marks))
	}
	if _, ok := n.markOf(3); !ok {
		t.Error("the manifest in use has no mark")
	}
	if b := n.encode(); len(b) != slotSize {
		t.Errorf("a slot of %d bytes", len(b))
	}
}

// FuzzIdentity: no panic, and what is taken is a slot that was written.
func FuzzIdentity(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		have, err := decodeIdentity("IDENTITY", b)
		if err == nil && !bytes.Contains(b, have.encode()) {
			t.Errorf("%+v", have)
		}
	})
}

// FuzzHead: no panic, and one head alone is taken.
func FuzzHead(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := checkHead("file", b, countUp(1), 9); err == nil && !bytes.Equal(b, encodeHead(countUp(1), 9)) {
			t.Errorf("%x is taken", b)
		}
	})
}
