package engine_test

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/engine"
)

func TestOneOpenStoreAtATime(t *testing.T) {
	s := newStore(t)
	_, err := engine.Open(storeDir, &engine.Options{FS: s.fs})
	wantError(t, err, engine.ErrLocked, storeDir)
	_, err = engine.Open(storeDir, &engine.Options{FS: s.fs, ReadOnly: true})
	wantError(t, err, engine.ErrLocked, storeDir)
	s.create("still works")
	s.reopen()
}

// The lock of the operating system's file system, not of one in memory.
func TestOneOpenStoreAtATimeOnDisk(t *testing.T) {
	dir := t.TempDir() + "/store"
	db := got(engine.Open(dir, nil))(t)
	_, err := engine.Open(dir, nil)
	wantError(t, err, engine.ErrLocked, dir)
	must(t, db.Close())
	db = got(engine.Open(dir, nil))(t)
	must(t, db.Close())
}

func TestOpenReportsAllBadOptionsTogether(t *testing.T) {
	_, err := engine.Open(storeDir, &engine.Options{
		FS: vfs.NewMem(), SegmentSize: 1, CacheSize: -1, MemoryLimit: 5, PurgeWithin: -time.Second,
	})
	wantError(t, err, engine.ErrInvalid, "SegmentSize 1", "65536", "CacheSize -1", "MemoryLimit 5", "PurgeWithin -1s")
	_, err = engine.Open(storeDir, &engine.Options{FS: vfs.NewMem(), SegmentSize: 1 << 50})
	wantError(t, err, engine.ErrInvalid, "SegmentSize")
	_, err = engine.Open("", &engine.Options{FS: vfs.NewMem()})
	wantError(t, err, engine.ErrInvalid, "empty store folder")
}

// What is refused before it is begun leaves nothing behind.
func TestRefusedOpenMakesNothing(t *testing.T) {
	mem := vfs.NewMem()
	_, err := engine.Open(storeDir, &engine.Options{FS: mem, SegmentSize: 1})
	wantError(t, err, engine.ErrInvalid)
	_, err = engine.Open(storeDir, &engine.Options{FS: mem, ReadOnly: true})
	wantError(t, err, fs.ErrNotExist)
	if _, err := mem.Stat(storeDir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder is there: %v", err)
	}
	must(t, mem.MkdirAll(storeDir, 0o700))
	_, err = engine.Open(storeDir, &engine.Options{FS: mem, ReadOnly: true})
	wantError(t, err, fs.ErrNotExist, storeDir)
}

func TestCreateIndexRefusesBadNamesAndDimensions(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	create := func(name string, dim int) error {
		_, err := s.CreateIndex(ctx, name, engine.NewKey(), engine.IndexConfig{Dimension: dim})
		return err
	}
	wantError(t, create("", 0), engine.ErrInvalid, "empty index name")
	wantError(t, create(strings.Repeat("n", 256), 0), engine.ErrTooLarge, "256 bytes", "255")
	wantError(t, create("v", -1), engine.ErrInvalid, "dimension -1")
	wantError(t, create("v", 65537), engine.ErrTooLarge, "dimension 65537", "65536")
	if names := got(s.ListIndexes())(t); len(names) != 0 {
		t.Errorf("indexes are %q after refusals", names)
	}
}

// A name is any bytes: it never becomes a path.
func TestIndexNamesAreAnyBytes(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	names := []string{strings.Repeat("n", 255), "../../etc/passwd", "a/b", "nul\x00", "\xff\xfe", ".", "ä€"}
	for i, name := range names {
		must(t, s.create(name).Upsert(ctx, makeItems(name, i+1)))
	}
	s.reopen()
	for i, name := range names {
		wantItems(t, s.load(name), byID(makeItems(name, i+1)...))
	}
}

func TestClosedStoreAndHandleAnswerErrClosed(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	ix := s.create("vault")
	must(t, ix.Upsert(ctx, makeItems("k", 3)))
	handle, keyless := s.load("vault"), got(s.LoadIndex(ctx, "vault"))(t)
	must(t, handle.Close())
	wantError(t, handle.Close(), engine.ErrClosed, `"vault"`, "handle")
	for _, op := range operations() {
		wantError(t, op.run(handle), engine.ErrClosed, `"vault"`, "handle")
		must(t, op.run(ix)) // other handles go on
	}
	key := engine.WithIndexKey(s.keys["vault"])
	s.close()
	for _, op := range operations() {
		wantError(t, op.run(ix), engine.ErrClosed, "store")
		wantError(t, op.run(ix, key), engine.ErrClosed, "store")
		wantError(t, op.run(keyless, key), engine.ErrClosed, "store")
	}
	_, err := s.CreateIndex(ctx, "other", engine.NewKey(), engine.IndexConfig{})
	wantError(t, err, engine.ErrClosed)
	_, err = s.LoadIndex(ctx, "vault")
	wantError(t, err, engine.ErrClosed)
	_, err = s.ListIndexes()
	wantError(t, err, engine.ErrClosed)
	wantError(t, s.DeleteIndex(ctx, "vault", s.keys["vault"]), engine.ErrClosed)
	wantError(t, s.DB.Close(), engine.ErrClosed)
	if n := len(s.Metrics().Indexes); n != 0 {
		t.Errorf("a closed store tells of %d indexes", n)
	}
}
