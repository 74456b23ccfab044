package engine_test

import (
	"context"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/engine"
)

func readOnly(o *engine.Options) { o.ReadOnly = true }

// A store that a crash left with an open segment, tombstones not applied and
// older versions not erased is read as it should be, and stays as it is to the
// last byte.
func TestReadOnlyReadsACrashedStoreAndChangesNothing(t *testing.T) {
	ctx := context.Background()
	first := newStore(t)
	ix := first.create("a")
	items := makeItems("k", 600)
	must(t, ix.Upsert(ctx, items[:300]))
	must(t, ix.Roll(ctx))
	must(t, ix.SealNow(ctx))
	must(t, ix.Upsert(ctx, items[300:]))
	got(ix.Delete(ctx, []string{"k1", "k599", "unknown"}))(t)
	must(t, ix.Upsert(ctx, []engine.Item{makeItem("k2", 2), makeItem("new", 1)}))
	want := byID(items...)
	delete(want, "k1")
	delete(want, "k599")
	want["k2"], want["new"] = makeItem("k2", 2), makeItem("new", 1)

	image := first.fs.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{})
	before := readAll(t, image)
	s := openStore(t, image, first.keys, readOnly)
	ix = s.load("a")
	wantItems(t, ix, want, "k1", "k599", "unknown")
	if m := s.Metrics().Indexes["a"]; m.Tombstones != 3 || m.OpenSegments == 0 {
		t.Errorf("metrics %+v: nothing was pending, the test shows nothing", m)
	}
	s.checkAll()
	s.close()
	sameFiles(t, before, readAll(t, image))

	s.reopenFor(func(o *engine.Options) { o.ReadOnly = false })
	wantItems(t, s.load("a"), want, "k1", "k599", "unknown")
}

// reopenFor opens a closed store with changed options.
func (s *store) reopenFor(change func(*engine.Options)) {
	s.Helper()
	change(&s.opts)
	s.open()
}

func TestReadOnlyRefusesEveryChange(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	ix := s.create("a")
	items := makeItems("k", 5)
	must(t, ix.Upsert(ctx, items))
	s.reopen(readOnly)
	ix = s.load("a")
	keyless := got(s.LoadIndex(ctx, "a"))(t)
	for _, op := range operations() {
		if op.writes {
			wantError(t, op.run(ix), engine.ErrReadOnly)
			wantError(t, op.run(keyless), engine.ErrReadOnly)
		} else {
			must(t, op.run(ix))
			must(t, op.run(keyless, engine.WithIndexKey(s.keys["a"])))
			wantError(t, op.run(keyless), engine.ErrKeyRequired, `"a"`)
		}
	}
	_, err := s.CreateIndex(ctx, "b", engine.NewKey(), engine.IndexConfig{})
	wantError(t, err, engine.ErrReadOnly)
	wantError(t, s.DeleteIndex(ctx, "a", s.keys["a"]), engine.ErrReadOnly)
	wantItems(t, ix, byID(items...))
}

// What an Open for writing would finish — files on their way in or out — is
// left as it is.
func TestReadOnlyFinishesNothing(t *testing.T) {
	ctx := context.Background()
	first := newStore(t)
	ix := first.create("a")
	must(t, ix.Upsert(ctx, makeItems("k", 50)))
	fs := first.fs.(*vfs.MemFS)
	image := fs.CrashClone(vfs.CrashCloneCfg{})
	stray := storeDir + "/segments/00000000000000000000000000000000"
	must(t, image.MkdirAll(stray, 0o700))
	s := openStore(t, image, first.keys, readOnly)
	wantItems(t, s.load("a"), byID(makeItems("k", 50)...))
	s.close()
	if _, err := image.Stat(stray); err != nil {
		t.Errorf("a folder was removed: %v", err)
	}
	s.reopenFor(func(o *engine.Options) { o.ReadOnly = false })
	if _, err := image.Stat(stray); err == nil {
		t.Error("an empty folder of no index is left by an Open for writing")
	}
}
