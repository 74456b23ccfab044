package engine_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/engine"
)

// TestAClosedStoreIsNotKeptInMemory deletes something, which may be overdue in an
// hour, and closes the store: nothing keeps it, its file system and its tables in
// memory until then.
func TestAClosedStoreIsNotKeptInMemory(t *testing.T) {
	type held struct{ vfs.FS }
	gone := make(chan struct{})
	func() {
		ctx := context.Background()
		fs := &held{vfs.NewMem()}
		runtime.AddCleanup(fs, func(c chan struct{}) { close(c) }, gone)
		db := got(engine.Open(storeDir, &engine.Options{FS: fs, PurgeWithin: time.Hour}))(t)
		ix := got(db.CreateIndex(ctx, "a", engine.NewKey(), engine.IndexConfig{}))(t)
		must(t, ix.Upsert(ctx, makeItems("k", 5)))
		got(ix.Delete(ctx, []string{"k1"}))(t)
		must(t, db.Close())
	}()
	eventually(t, 20*time.Second, "the closed store is let go", func() bool {
		runtime.GC()
		select {
		case <-gone:
			return true
		default:
			return false
		}
	})
}
