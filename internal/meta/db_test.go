package meta

import (
	"errors"
	"fmt"
	iofs "io/fs"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/internal/fault"
)

func set(t testing.TB, db *DB, key, value string) {
	t.Helper()
	b := db.NewBatch()
	b.Set([]byte(key), []byte(value))
	if err := db.Commit(b); err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsCommittedIsReadAlsoAfterReopening(t *testing.T) {
	fs := vfs.NewCrashableMem()
	db := mustOpen(t, fs, Options{})
	set(t, db, "a", "1")
	set(t, db, "b", "")
	b := db.NewBatch()
	b.Set([]byte("c"), []byte("3"))
	b.Set([]byte("d1"), []byte("4"))
	b.Set([]byte("d2"), []byte("5"))
	b.Delete([]byte("a"))
	b.Delete([]byte("never there"))
	b.DeleteRange([]byte("d"), []byte("d2"))
	b.DeleteRange([]byte("c"), []byte("c"))
	if err := db.Commit(b); err != nil {
		t.Fatal(err)
	}
	want := state{"b": "", "c": "3", "d2": "5"}
	check := func(db *DB) {
		t.Helper()
		if got, err := contents(db); err != nil || wrong(got, want) != "" {
			t.Errorf("contents: %v%s", err, wrong(got, want))
		}
		if v, found, err := db.Get([]byte("b")); v == nil || len(v) != 0 || !found || err != nil {
			t.Errorf("an empty value is %v, %v, %v", v, found, err)
		}
		if v, found, err := db.Get([]byte("a")); v != nil || found || err != nil {
			t.Errorf("a deleted key is %v, %v, %v", v, found, err)
		}
	}
	check(db)
	image := fs.CrashClone(vfs.CrashCloneCfg{})
	mustClose(t, db)
	for _, fs := range []vfs.FS{fs, image} {
		for _, o := range []Options{{}, {ReadOnly: true}} {
			db := mustOpen(t, fs, o)
			check(db)
			mustClose(t, db)
		}
	}
}

func TestScanKeepsItsBoundsAndStops(t *testing.T) {
	db := mustOpen(t, vfs.NewMem(), Options{})
	defer mustClose(t, db)
	for _, k := range []string{"a", "b1", "b2", "c"} {
		set(t, db, k, "v"+k)
	}
	scan := func(lower, upper []byte, stop string) (got string, err error) {
		err = db.Scan(lower, upper, func(k, v []byte) error {
			got += fmt.Sprintf("%s=%s ", k, v)
			if string(k) == stop {
				return iofs.ErrInvalid
			}
			set(t, db, "b0", "not seen: the scan is as of its start")
			return nil
		})
		return got, err
	}
	if got, err := scan([]byte("b"), PrefixEnd([]byte("b")), ""); got != "b1=vb1 b2=vb2 " || err != nil {
		t.Errorf("prefix: %q %v", got, err)
	}
	if got, err := scan([]byte("b1"), nil, "b2"); got != "b1=vb1 b2=vb2 " || err != iofs.ErrInvalid {
		t.Errorf("stopped: %q %v", got, err)
	}
	if got, err := scan(nil, []byte("b"), ""); got != "a=va " || err != nil {
		t.Errorf("from the start: %q %v", got, err)
	}
}

func TestGetAnswersACopy(t *testing.T) {
	db := mustOpen(t, vfs.NewMem(), Options{})
	defer mustClose(t, db)
	set(t, db, "k", "value")
	v, _, err := db.Get([]byte("k"))
	if err != nil {
		t.Fatal(err)
	}
	clear(v)
	if w, _, _ := db.Get([]byte("k")); string(w) != "value" {
		t.Errorf("changed through a Get: %q", w)
	}
}

func TestABadBatchChangesNothing(t *testing.T) {
	db := mustOpen(t, vfs.NewMem(), Options{})
	defer mustClose(t, db)
	huge := make([]byte, MaxBatch) // never touched, so never in memory
	for what, c := range map[string]struct {
		spoil func(*Batch)
		want  error
	}{
		"too large":       {func(b *Batch) { b.Set([]byte("k"), huge) }, ErrBatchTooLarge},
		"too large a key": {func(b *Batch) { b.Delete(huge) }, ErrBatchTooLarge},
		"no end":          {func(b *Batch) { b.DeleteRange([]byte("a"), nil) }, errRange},
		"turned round":    {func(b *Batch) { b.DeleteRange([]byte("b"), []byte("a")) }, errRange},
	} {
		b := db.NewBatch()
		b.Set([]byte("a"), []byte("1"))
		c.spoil(b)
		b.Set([]byte("z"), []byte("1"))
		if b.Len() > 100 {
			t.Errorf("%s: the batch grew to %d bytes", what, b.Len())
		}
		if err := db.Commit(b); !errors.Is(err, c.want) || errors.Is(err, fault.ErrFailed) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if got, err := contents(db); err != nil || len(got) != 0 {
		t.Errorf("something was written: %v %v", got, err)
	}
	if err := db.Err(); err != nil {
		t.Errorf("latched %v", err)
	}
}

func TestABatchIsUsedOnce(t *testing.T) {
	db := mustOpen(t, vfs.NewMem(), Options{})
	defer mustClose(t, db)
	b := db.NewBatch()
	b.Set([]byte("a"), []byte("1"))
	if err := db.Commit(b); err != nil {
		t.Fatal(err)
	}
	b.Set([]byte("b"), []byte("2"))
	if err := db.Commit(b); !errors.Is(err, errBatchUsed) {
		t.Errorf("committed twice: %v", err)
	}
	c := db.NewBatch()
	c.Close()
	c.Close()
	if c.Len() != 0 {
		t.Errorf("a closed batch has %d bytes", c.Len())
	}
	if err := db.CommitLazy(c); !errors.Is(err, errBatchUsed) {
		t.Errorf("committed after Close: %v", err)
	}
	if got, err := contents(db); err != nil || wrong(got, state{"a": "1"}) != "" {
		t.Errorf("contents: %v %v", got, err)
	}
}

func TestReadOnlyChangesNothing(t *testing.T) {
	fs := vfs.NewMem()
	if _, err := Open(fs, dir, Options{ReadOnly: true}); !errors.Is(err, iofs.ErrNotExist) {
		t.Errorf("open of nothing: %v", err)
	}
	if names, err := fs.List("/"); err != nil || len(names) != 0 {
		t.Errorf("it left %v %v", names, err)
	}
	db := mustOpen(t, fs, Options{})
	set(t, db, "k", "v")
	mustClose(t, db)
	disk := fs.String()
	db = mustOpen(t, fs, Options{ReadOnly: true})
	b := db.NewBatch()
	b.Set([]byte("k"), []byte("w"))
	if err := db.Commit(b); !errors.Is(err, ErrReadOnly) {
		t.Errorf("commit: %v", err)
	}
	mustClose(t, db)
	if fs.String() != disk {
		t.Errorf("the disk changed from\n%s\nto\n%s", disk, fs)
	}
}

func TestAfterCloseEveryCallSaysSo(t *testing.T) {
	db := mustOpen(t, vfs.NewMem(), Options{})
	b := db.NewBatch()
	b.Set([]byte("k"), []byte("v"))
	mustClose(t, db)
	_, _, getErr := db.Get([]byte("k"))
	for what, err := range map[string]error{
		"Commit": db.Commit(b), "Get": getErr, "Scan": db.Scan(nil, nil, nil), "CommitLazy": db.CommitLazy(db.NewBatch()),
	} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s: %v", what, err)
		}
	}
	mustClose(t, db)
}

// TestCloseWaitsForCallsUnderWay, which may call the database again: they are
// refused and do not deadlock.
func TestCloseWaitsForCallsUnderWay(t *testing.T) {
	db := mustOpen(t, vfs.NewMem(), Options{})
	set(t, db, "k", "v")
	within(t, limit, "Close", func() {
		inside, closing := make(chan struct{}), make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			err := db.Scan(nil, nil, func(k, v []byte) error {
				close(inside)
				<-closing
				for {
					if _, _, err := db.Get(k); err != nil {
						return err
					}
				}
			})
			if !errors.Is(err, ErrClosed) {
				t.Errorf("scan: %v", err)
			}
		})
		<-inside
		for range 3 {
			wg.Go(func() {
				if err := db.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		close(closing)
		wg.Wait()
	})
}

// TestCreationLeavesOnlyTheDatabase: also where an empty directory is, and
// where an earlier creation was cut off.
func TestCreationLeavesOnlyTheDatabase(t *testing.T) {
	fs := vfs.NewMem()
	for _, d := range []string{dir, dir + creating + "/junk"} {
		if err := fs.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	db := mustOpen(t, fs, Options{})
	set(t, db, "k", "v")
	mustClose(t, db)
	if names, err := fs.List(fs.PathDir(dir)); err != nil || len(names) != 1 || names[0] != "pebble" {
		t.Errorf("beside the database: %v %v", names, err)
	}
}

// TestRunsOnARealFileSystem, where files have descriptors and are preallocated.
func TestRunsOnARealFileSystem(t *testing.T) {
	at := t.TempDir() + "/s/pebble"
	steps := workload(40)
	want := state{}
	for round := range 2 {
		db, err := Open(vfs.Default, at, small)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range steps[round*20 : round*20+20] {
			b := db.NewBatch()
			s.apply(b, want)
			if err := db.Commit(b); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := contents(db); err != nil || wrong(got, want) != "" {
			t.Errorf("round %d: %v%s", round, err, wrong(got, want))
		}
		mustClose(t, db)
	}
}
