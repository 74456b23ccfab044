package engine_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"oubliette/engine"
	"oubliette/segment"
)

// One folder is one store, however its path is spelled.
func TestStoreOpensOnceUnderAnySpelling(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	db := got(engine.Open(dir, nil))(t)
	link := filepath.Join(filepath.Dir(dir), "link")
	must(t, os.Symlink(dir, link))
	relative := got(filepath.Rel(got(os.Getwd())(t), dir))(t)
	for _, spelling := range []string{dir, dir + "/", dir + "/../store", link, relative} {
		_, err := engine.Open(spelling, nil)
		wantError(t, err, engine.ErrLocked)
	}
	must(t, db.Close())
	must(t, got(engine.Open(link, nil))(t).Close())
}

// An index block that cannot be read keeps the rows of its own segment from
// being found, not those of others from being erased.
func TestUnreadableSegmentDoesNotKeepOthersFromErasure(t *testing.T) {
	ctx := context.Background()
	var broken atomic.Value // path of the file whose index does not read
	broken.Store("")
	inject := errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpFileReadAt && op.Path == broken.Load() {
			return errors.New("unreadable")
		}
		return nil
	})
	mem := vfs.NewCrashableMem()
	s := openStore(t, errorfs.Wrap(mem, inject), nil)
	ix := s.create("a")
	for _, prefix := range []string{"x", "y"} {
		must(t, ix.Upsert(ctx, makeItems(prefix, 20)))
		must(t, ix.Roll(ctx))
		must(t, ix.SealNow(ctx))
	}
	rows := got(ix.SealedRows(ctx, []string{"x1", "y1"}))(t)
	var gone residue
	gone.note(t, s, ix, []string{"y1"})
	s.reopen() // nothing of an index is in memory
	ix = s.load("a")
	got(ix.Delete(ctx, []string{"x1", "y1"}))(t)
	broken.Store(rows[0].Path)
	if _, err := ix.Purge(ctx); err == nil {
		t.Error("a Purge that could not look through a segment says that all is erased")
	}
	gone.wantGone(t, mem)
	if items := got(ix.Get(ctx, []string{"y1"}, 0))(t); len(items) != 0 {
		t.Errorf("%d deleted items are read", len(items))
	}
	broken.Store("")
	got(ix.Purge(ctx))(t)
	gone.add("x1", rows[0].Bytes)
	gone.wantGone(t, mem)
}

// A row that has rotted keeps its own segment from being rewritten, not the
// rest of maintenance from going on: no rewrite every turn.
func TestRottenRowDoesNotMakeARewriteStorm(t *testing.T) {
	ctx := context.Background()
	var failed atomic.Int64
	s := newStore(t, func(o *engine.Options) {
		o.PurgeWithin = 100 * time.Millisecond
		o.EventListener = &engine.EventListener{Failed: func(step string, err error) {
			if step != "rewrite" || !errors.Is(err, engine.ErrCorrupt) {
				t.Errorf("%s failed: %v", step, err)
			}
			failed.Add(1)
		}}
	})
	ix := s.create("a")
	must(t, ix.Upsert(ctx, makeItems("k", 40)))
	must(t, ix.Roll(ctx))
	must(t, ix.SealNow(ctx))
	row := got(ix.SealedRows(ctx, []string{"k39"}))(t)[0]
	f := got(s.fs.OpenReadWrite(row.Path, vfs.WriteCategoryUnspecified))(t)
	got(f.WriteAt([]byte("rotten"), int64(row.Extent.Off)))(t)
	must(t, f.Close())
	s.noCheck = true
	got(ix.Delete(ctx, idsOf(makeItems("k", 39))))(t)
	eventually(t, 10*time.Second, "the first rewrite fails", func() bool { return failed.Load() > 0 })
	for range 20 { // each a turn of maintenance
		got(ix.Delete(ctx, []string{"nobody"}))(t)
		got(ix.Purge(ctx))(t)
		time.Sleep(20 * time.Millisecond)
	}
	if n := failed.Load(); n > 2 {
		t.Errorf("%d rewrites of the rotten segment", n)
	}
	_, err := ix.Get(ctx, []string{"k39"}, engine.AllFields)
	wantError(t, err, engine.ErrCorrupt, row.Path)
}

// A file that cannot be destroyed keeps no other one, and is tried again.
func TestRemovalOfAnIndexGoesOnBesideABadFile(t *testing.T) {
	ctx := context.Background()
	var bad atomic.Value
	bad.Store("")
	inject := errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Path == bad.Load() && (op.Kind == errorfs.OpFileWriteAt || op.Kind == errorfs.OpRemove) {
			return errors.New("bad block")
		}
		return nil
	})
	mem := vfs.NewCrashableMem()
	s := openStore(t, errorfs.Wrap(mem, inject), nil)
	ix := s.create("a")
	var gone residue
	for _, prefix := range []string{"x", "y", "z"} {
		must(t, ix.Upsert(ctx, makeItems(prefix, 5)))
		must(t, ix.Roll(ctx))
		must(t, ix.SealNow(ctx))
		gone.note(t, s, ix, []string{prefix + "1"})
	}
	sealed, _, err := ix.SegmentPaths(ctx)
	must(t, err)
	bad.Store(sealed[1])
	if err := s.DeleteIndex(ctx, "a", s.keys["a"]); err == nil || !strings.Contains(err.Error(), "bad block") {
		t.Errorf("DeleteIndex beside a bad file: %v", err)
	}
	left := 0
	for path := range readAll(t, mem) {
		if strings.HasSuffix(path, ".seg") {
			left++
		}
	}
	if left != 1 {
		t.Errorf("%d files are left, one of them is bad", left)
	}
	bad.Store("")
	delete(s.keys, "a")
	s.close() // tries again
	gone.wantGone(t, mem)
}

// Check looks at dead rows of segments without an index, too.
func TestCheckFindsWhatWasNotErasedInAnOpenSegment(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	ix := s.create("a")
	must(t, ix.Upsert(ctx, makeItems("k", 5)))
	row := got(ix.SealedRows(ctx, []string{"k1"}))(t)[0]
	got(ix.Delete(ctx, []string{"k1"}))(t)
	got(ix.Purge(ctx))(t)
	got(ix.Check(ctx))(t)
	f := got(s.fs.OpenReadWrite(row.Path, vfs.WriteCategoryUnspecified))(t)
	got(f.WriteAt(row.Bytes[:1+segment.WantAll], int64(row.Extent.Off)))(t) // as a disk that lost the zeros
	must(t, f.Close())
	_, err := ix.Check(ctx)
	wantError(t, err, engine.ErrCorrupt, row.Path)
	s.noCheck = true
}

// What was durable before a store was opened without syncs stays so, and
// maintenance, which destroys files, never runs ahead of its records.
func TestNoSyncKeepsWhatWasDurable(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	ix := s.create("a")
	items := makeItems("k", 50)
	must(t, ix.Upsert(ctx, items))
	s.reopen(func(o *engine.Options) { o.NoSync = true })
	ix = s.load("a")
	got(ix.Delete(ctx, []string{"k1"}))(t)
	must(t, ix.Compact(ctx))
	image := s.fs.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{})
	after := openStore(t, image, s.keys)
	want := byID(items...)
	delete(want, "k1") // Compact has synced it
	wantItems(t, after.load("a"), want, "k1")
}

// A file that cannot be destroyed does not put off the erasing of others.
func TestUndestroyableFileDoesNotPutOffErasure(t *testing.T) {
	ctx := context.Background()
	var bad atomic.Value
	bad.Store("")
	inject := errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Path == bad.Load() && (op.Kind == errorfs.OpRemove || op.Kind == errorfs.OpFileWriteAt) {
			return errors.New("bad file")
		}
		return nil
	})
	var told atomic.Int64
	mem := vfs.NewCrashableMem()
	s := openStore(t, errorfs.Wrap(mem, inject), nil, func(o *engine.Options) {
		o.PurgeWithin = 200 * time.Millisecond
		o.EventListener = &engine.EventListener{Failed: func(string, error) { told.Add(1) }}
	})
	ix := s.create("a")
	for _, prefix := range []string{"x", "y"} {
		must(t, ix.Upsert(ctx, makeItems(prefix, 20)))
		must(t, ix.Roll(ctx))
		must(t, ix.SealNow(ctx))
	}
	row := got(ix.SealedRows(ctx, []string{"x1"}))(t)[0]
	var gone residue
	gone.note(t, s, ix, []string{"y1"})
	got(ix.Delete(ctx, idsOf(makeItems("x", 20))))(t)
	got(ix.Purge(ctx))(t) // while the file is good
	bad.Store(row.Path)   // now it is dead throughout, and its removal fails
	got(ix.Delete(ctx, []string{"nobody"}))(t)
	eventually(t, 10*time.Second, "the removal fails", func() bool { return told.Load() > 0 })
	time.Sleep(time.Second) // and fails
	got(ix.Delete(ctx, []string{"y1"}))(t)
	eventually(t, 3*time.Second, "y1 is erased", func() bool { return len(gone.search(t, mem)) == 0 })
	bad.Store("")
	got(ix.Purge(ctx))(t)
	gone.wantGone(t, mem)
}
