package engine_test

import (
	"context"
	"runtime"
	"testing"
	"time"
	"weak"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/engine"
)

// Nothing keeps a closed store in memory, also when a delete in it was made long before
// its deadline: the store was closed, which erases it, or its index was deleted.
func TestAClosedStoreIsForgotten(t *testing.T) {
	ctx := context.Background()
	used := func(drop bool) weak.Pointer[vfs.MemFS] {
		fs := vfs.NewMem()
		db := got(engine.Open(storeDir, &engine.Options{FS: fs, PurgeWithin: time.Hour}))(t)
		key := engine.NewKey()
		ix := got(db.CreateIndex(ctx, "a", key, engine.IndexConfig{}))(t)
		must(t, ix.Upsert(ctx, makeItems("k", 5)))
		got(ix.Delete(ctx, []string{"k1"}))(t)
		if drop {
			must(t, db.DeleteIndex(ctx, "a", key))
		}
		must(t, db.Close())
		return weak.Make(fs)
	}
	for _, drop := range []bool{false, true} {
		fs := used(drop)
		for end := time.Now().Add(10 * time.Second); fs.Value() != nil; time.Sleep(time.Millisecond) {
			if runtime.GC(); time.Now().After(end) {
				t.Errorf("index deleted: %v: the store is still in memory", drop)
				break
			}
		}
	}
}
