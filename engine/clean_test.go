package engine_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"oubliette/engine"
)

// flipInLogs flips one bit in the last record of each of Pebble's log files and
// answers how many it has found.
func flipInLogs(t *testing.T, mem vfs.FS) (n int) {
	t.Helper()
	for path, b := range readAll(t, mem) {
		if end := len(strings.TrimRight(string(b), "\x00")); strings.HasSuffix(path, ".log") && end > 40 {
			b[end-20] ^= 1
			writeFile(t, mem, path, b)
			n++
		}
	}
	return n
}

// A store that was closed in good order has no torn end of a log: what looks
// like one is damage, and nobody is answered from what is left.
func TestDamageInTheLogOfAClosedStoreIsTold(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	s.noCheck = true
	ix := s.create("a")
	must(t, ix.Upsert(ctx, makeItems("k", 5)))
	s.close()
	s.open()
	got(s.load("a").Delete(ctx, []string{"k1"}))(t)
	s.close()
	if flipInLogs(t, s.fs) == 0 {
		t.Fatal("no log to damage")
	}
	for _, ro := range []bool{true, false} {
		_, err := engine.Open(storeDir, &engine.Options{FS: s.fs, ReadOnly: ro})
		wantError(t, err, engine.ErrCorrupt, storeDir+"/pebble", "CLEAN")
	}
	must(t, s.fs.Remove(storeDir+"/CLEAN")) // who wants what is left says so
	must(t, got(engine.Open(storeDir, &engine.Options{FS: s.fs}))(t).Close())
}

// What a crash leaves of CLEAN is no word of anything.
func TestACleanFileCutShortCountsAsNone(t *testing.T) {
	s := newStore(t)
	s.create("a")
	s.close()
	whole := readAll(t, s.fs)[storeDir+"/CLEAN"]
	if len(whole) == 0 {
		t.Fatal("no CLEAN after Close")
	}
	for n := range whole {
		writeFile(t, s.fs, storeDir+"/CLEAN", whole[:n])
		s.open()
		if _, err := s.fs.Stat(storeDir + "/CLEAN"); !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("CLEAN beside an open store: %v", err)
		}
		s.close()
	}
	s.open()
}

// Where segment files stand beside no database, somebody has lost it: another
// one would call them strays.
func TestALostDatabaseIsNotMadeAgain(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	s.noCheck = true
	must(t, s.create("a").Upsert(ctx, makeItems("k", 5)))
	s.close()
	must(t, s.fs.RemoveAll(storeDir+"/pebble"))
	before := readAll(t, s.fs)
	for _, clean := range []bool{true, false} {
		if !clean {
			must(t, s.fs.Remove(storeDir+"/CLEAN"))
			delete(before, storeDir+"/CLEAN")
		}
		for _, ro := range []bool{true, false} {
			_, err := engine.Open(storeDir, &engine.Options{FS: s.fs, ReadOnly: ro})
			wantError(t, err, engine.ErrCorrupt, storeDir+"/pebble", "missing")
		}
		if after := readAll(t, s.fs); len(after) != len(before) {
			t.Errorf("%d files, there were %d", len(after), len(before))
		}
	}
}

// A missing folder is damage, not a bare error of the file system.
func TestAMissingFolderIsDamage(t *testing.T) {
	s := newStore(t)
	s.noCheck = true
	s.create("a")
	s.close()
	must(t, s.fs.RemoveAll(storeDir+"/segments"))
	_, err := engine.Open(storeDir, &s.opts)
	wantError(t, err, engine.ErrCorrupt, storeDir+"/segments")
}

// A file that cannot be had is not a store that is open elsewhere, and who only
// reads needs no lock where nothing can be written.
func TestAReadOnlyDiskIsReadWithoutALock(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	must(t, s.create("a").Upsert(ctx, makeItems("k", 5)))
	s.close()
	s.noCheck = true
	refuse := errorfs.InjectorFunc(func(op errorfs.Op) error {
		if strings.HasSuffix(op.Path, "LOCK") && op.Kind != errorfs.OpStat {
			return &fs.PathError{Op: "open", Path: op.Path, Err: syscall.EROFS}
		}
		return nil
	})
	readonly := errorfs.Wrap(s.fs, refuse)
	_, err := engine.Open(storeDir, &engine.Options{FS: readonly})
	wantError(t, err, syscall.EROFS, "LOCK")
	if errors.Is(err, engine.ErrLocked) {
		t.Errorf("called open elsewhere: %v", err)
	}
	db := got(engine.Open(storeDir, &engine.Options{FS: readonly, ReadOnly: true}))(t)
	ix := got(db.LoadIndex(ctx, "a", engine.WithIndexKey(s.keys["a"])))(t)
	wantItems(t, ix, byID(makeItems("k", 5)...))
	must(t, db.Close())
}

// Open makes one folder: the creation of more would not be durable.
func TestOpenMakesNoParents(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "store")
	_, err := engine.Open(dir, nil)
	wantError(t, err, os.ErrNotExist)
	if _, err := os.Stat(filepath.Dir(dir)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the parent is there: %v", err)
	}
}
