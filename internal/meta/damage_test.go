package meta

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/internal/fault"
)

// filled is a database as a crash left it, with tables, and with a log of 160
// KiB: damage in the last 32 KiB of a log is not told from a torn end.
func filled(t *testing.T) *vfs.MemFS {
	fs := vfs.NewCrashableMem()
	db := mustOpen(t, fs, small)
	for i := range 20 {
		set(t, db, fmt.Sprintf("k%02d", i), string(noise(uint64(i), 2<<10)))
	}
	if err := db.p.Flush(); err != nil {
		t.Fatal(err)
	}
	mustClose(t, db)
	db = mustOpen(t, fs, Options{})
	for i := range 40 {
		set(t, db, fmt.Sprintf("l%02d", i), string(noise(uint64(i), 4<<10)))
	}
	image := fs.CrashClone(vfs.CrashCloneCfg{})
	mustClose(t, db)
	return image
}

// damage flips a bit in the middle of the newest file whose name has the given
// part.
func damage(t *testing.T, fs *vfs.MemFS, part string) {
	t.Helper()
	names, err := fs.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	found := ""
	for _, n := range names {
		if strings.Contains(n, part) && !strings.HasPrefix(n, marker) {
			found = max(found, n)
		}
	}
	if found == "" {
		t.Fatalf("no %s in %v", part, names)
	}
	f, err := fs.OpenReadWrite(fs.PathJoin(dir, found), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	at, one := min(fi.Size()/2, 500), make([]byte, 1)
	if _, err := f.ReadAt(one, at); err != nil {
		t.Fatal(err)
	}
	one[0] ^= 0x10
	if _, err := f.WriteAt(one, at); err != nil {
		t.Fatal(err)
	}
}

func TestDamageIsCorruptionNotFailure(t *testing.T) {
	for _, part := range []string{".sst", ".log", "MANIFEST-"} {
		t.Run(part, func(t *testing.T) {
			fs := filled(t)
			damage(t, fs, part)
			db, err := Open(fs, dir, small)
			if err == nil {
				_, err = contents(db)
				if err == nil {
					for i := 0; i < 20 && err == nil; i++ {
						_, _, err = db.Get(fmt.Appendf(nil, "k%02d", i))
					}
				}
				if db.Err() != nil {
					t.Errorf("damage stops writes: %v", db.Err())
				}
				mustClose(t, db)
			}
			var c *fault.CorruptionError
			if !errors.As(err, &c) || !strings.HasPrefix(c.Path, dir) || !errors.Is(err, fault.ErrCorrupt) || errors.Is(err, fault.ErrFailed) {
				t.Errorf("damage in %s: %v", part, err)
			}
		})
	}
}

func TestALostManifestIsNotAnEmptyDatabase(t *testing.T) {
	fs := filled(t)
	names, err := fs.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		if strings.HasPrefix(n, "marker.manifest") {
			if err := fs.Remove(fs.PathJoin(dir, n)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, o := range []Options{{}, {ReadOnly: true}} {
		if _, err := Open(fs, dir, o); !errors.Is(err, fault.ErrCorrupt) {
			t.Errorf("Open: %v", err)
		}
	}
}
