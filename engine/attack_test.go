package engine_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/crypto"
	"oubliette/engine"
	"oubliette/internal/meta"
)

// What somebody can try who has the files and no key.

// recordKey is the key of the one record of a kind.
func recordKey(t *testing.T, all map[string][]byte, kind byte) string {
	t.Helper()
	for k := range all {
		if k[0] == kind {
			return k
		}
	}
	t.Fatalf("no record of kind %q", kind)
	return ""
}

// Rows of a segment with an index have been applied, so a log that ends before
// them is told: it would hand out their sequence numbers again, and deletes
// made with those would hide nothing.
func TestALogCutBelowSealedRowsIsTold(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	s.noCheck = true
	ix := s.create("a")
	for i := range 10 {
		must(t, ix.Upsert(ctx, []engine.Item{makeItem(fmt.Sprint("k", i), 1)}))
	}
	s.close()
	for k := range records(t, s.fs) {
		if k[0] == 'w' {
			setRecord(t, s.fs, k, nil)
		}
	}
	s.open()
	ix, err := s.LoadIndex(ctx, "a", engine.WithIndexKey(s.keys["a"]))
	if err != nil {
		wantError(t, err, engine.ErrCorrupt, "group")
		return
	}
	// Nothing was left to cut: the log had been let go, and numbers go on.
	r := got(ix.Delete(ctx, []string{"k5"}))(t)
	if r.Seq <= 10 {
		t.Errorf("the delete has number %d, the rows have numbers up to 10", r.Seq)
	}
	wantItems(t, ix, without(byID(makeItems("k", 10)...), "k5"), "k5")
}

func without(items map[string]engine.Item, ids ...string) map[string]engine.Item {
	for _, id := range ids {
		delete(items, id)
	}
	return items
}

// A manifest from before a segment was made, beside the log as it is now, would
// leave that segment's rows out.
func TestAnOldManifestBesideTheLogOfNowIsTold(t *testing.T) {
	ctx := context.Background()
	for _, before := range []int{0, 5} {
		s := newStore(t)
		s.noCheck = true
		ix := s.create("a")
		must(t, ix.Upsert(ctx, makeItems("k", before)))
		s.close()
		old := records(t, s.fs)
		s.open()
		ix = s.load("a")
		must(t, ix.Upsert(ctx, []engine.Item{makeItem("k0", 2), makeItem("new", 1)}))
		mem := s.fs.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{})
		key := recordKey(t, old, 'm')
		setRecord(t, mem, key, old[key])
		db := got(engine.Open(storeDir, &engine.Options{FS: mem}))(t)
		_, err := db.LoadIndex(ctx, "a", engine.WithIndexKey(s.keys["a"]))
		wantError(t, err, engine.ErrCorrupt, "group")
		must(t, db.Close())
	}
}

// Nothing that nobody signs may keep an erasure from being finished.
func TestOpenErasesWhateverTheUnsignedRecordsSay(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	ix := s.create("a")
	must(t, ix.Upsert(ctx, makeItems("k", 20)))
	var gone residue
	gone.note(t, s, ix, []string{"k7"})
	got(ix.Delete(ctx, []string{"k7"}))(t)
	var mem *vfs.MemFS
	must(t, ix.ApplyNow(ctx, func() { mem = s.fs.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{}) }))
	if gone.erased(t, mem) {
		t.Fatal("the image has been erased already")
	}
	all := records(t, mem)
	for k, v := range all {
		if k[0] == 'd' { // the form of a mark that an earlier engine believed
			setRecord(t, mem, "x"+k[1:], v[42:50])
		}
	}
	must(t, got(engine.Open(storeDir, &engine.Options{FS: mem}))(t).Close())
	gone.wantGone(t, mem)
}

// A link in the place of a segment file leads out of the store. What it leads
// to is neither overwritten nor removed.
func TestALinkIsNotFollowed(t *testing.T) {
	base := t.TempDir()
	dir, victim := filepath.Join(base, "store"), filepath.Join(base, "victim")
	precious := []byte(strings.Repeat("precious ", 2000))
	must(t, os.WriteFile(victim, precious, 0o600))
	must(t, got(engine.Open(dir, nil))(t).Close())
	index, segment := crypto.NewIndexID(), crypto.NewSegmentID()
	m := got(meta.Open(vfs.Default, filepath.Join(dir, "pebble"), meta.Options{}))(t)
	b := m.NewBatch()
	b.Set(meta.SegmentKey(index, segment), []byte{1})
	must(t, m.Commit(b))
	must(t, m.Close())
	must(t, os.Remove(filepath.Join(dir, "CLEAN")))
	must(t, os.MkdirAll(filepath.Join(dir, "segments", index.String()), 0o700))
	must(t, os.Symlink(victim, filepath.Join(dir, "segments", index.String(), segment.String()+".seg")))
	db := got(engine.Open(dir, nil))(t)
	wantError(t, db.Close(), os.ErrInvalid, "not a regular file")
	if now := got(os.ReadFile(victim))(t); !slices.Equal(now, precious) {
		t.Error("the file behind the link has changed")
	}
}

// DeleteIndex destroys every file of the index, whether or not its record is
// there.
func TestDeleteIndexNeedsNoRecordsOfFiles(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	ix := s.create("a")
	must(t, ix.Upsert(ctx, makeItems("k", 20)))
	var gone residue
	gone.note(t, s, ix, []string{"k7"})
	s.close()
	for k := range records(t, s.fs) {
		if k[0] == 's' {
			setRecord(t, s.fs, k, nil)
		}
	}
	s.open()
	must(t, s.DeleteIndex(ctx, "a", s.keys["a"]))
	delete(s.keys, "a")
	gone.wantGone(t, s.fs)
	for path := range readAll(t, s.fs) {
		if strings.HasSuffix(path, ".seg") {
			t.Errorf("%s is left", path)
		}
	}
}
