package engine_test

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/engine"
)

// After a purge the blocks of what was deleted go back to the file system by
// themselves, what lives is where it was, and no deleted byte is in a file.
func TestBlocksOfDeletedItemsAreGivenBack(t *testing.T) {
	ctx := context.Background()
	dir := filepath.Join(t.TempDir(), "store")
	db := got(engine.Open(dir, nil))(t)
	defer func() { must(t, db.Close()) }()
	ix := got(db.CreateIndex(ctx, "a", engine.NewKey(), engine.IndexConfig{}))(t)
	items := bigItems("k", 100, 40<<10)
	must(t, ix.Upsert(ctx, items))
	full := segmentBlocks(t, dir)
	var gone residue
	var doomed []string
	for i := 0; i < len(items); i += 4 {
		doomed = append(doomed, items[i].ID)
	}
	for _, row := range got(ix.SealedRows(ctx, doomed))(t) {
		gone.add(row.ID, row.Bytes)
	}
	if found := gone.search(t, copied(t, dir)); len(found) < len(doomed) {
		t.Fatalf("the search finds %d of %d items while they live", len(found), len(doomed))
	}
	got(ix.Delete(ctx, doomed))(t)
	got(ix.Purge(ctx))(t)
	least := int64(len(doomed)) * (40<<10 - 2*4096)
	eventually(t, 10*time.Second, "the blocks are given back", func() bool { return segmentBlocks(t, dir) <= full-least })
	for i := range items {
		if found := got(ix.Get(ctx, []string{items[i].ID}, engine.AllFields))(t); len(found) != min(i%4, 1) {
			t.Errorf("item %d: found %d times", i, len(found))
		} else if len(found) == 1 && string(found[0].Contents) != string(items[i].Contents) {
			t.Errorf("item %d is altered", i)
		}
	}
	if r := got(ix.Check(ctx))(t); r.Rows != uint64(len(items)-len(doomed)) || len(r.Problems) > 0 {
		t.Errorf("Check: %+v", r)
	}
	if found := gone.search(t, copied(t, dir)); len(found) > 0 {
		t.Errorf("left: %v", found)
	}
}

// copied is a store's files in memory.
func copied(t *testing.T, dir string) vfs.FS {
	t.Helper()
	mem := vfs.NewMem()
	must(t, mem.MkdirAll(storeDir, 0o755))
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return vfs.CopyAcrossFS(vfs.Default, path, mem, storeDir+"/"+strings.ReplaceAll(path, "/", "_"))
	}))
	return mem
}

// segmentBlocks is how many bytes of disk the segments of a store take.
func segmentBlocks(t *testing.T, dir string) (n int64) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".seg") {
			return err
		}
		fi, err := os.Stat(path)
		if err != nil {
			return err
		}
		n += fi.Sys().(*syscall.Stat_t).Blocks * 512
		return nil
	}))
	return n
}
