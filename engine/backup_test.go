package engine_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/engine"
)

// backedUp is the stream of a backup.
func backedUp(t testing.TB, db *engine.DB) []byte {
	t.Helper()
	var b bytes.Buffer
	must(t, db.Backup(context.Background(), &b))
	return b.Bytes()
}

// restored is the store that a stream makes, on a file system of its own. It is
// checked when the test ends.
func restored(t testing.TB, stream []byte, keys map[string]engine.Key, changes ...func(*engine.Options)) *store {
	t.Helper()
	mem := vfs.NewCrashableMem()
	must(t, engine.RestoreWith(context.Background(), bytes.NewReader(stream), storeDir, &engine.Options{FS: mem}))
	return openStore(t, mem, keys, changes...)
}

func TestARestoredStoreHoldsWhatTheSourceHeld(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	ix := s.create("a")
	s.create("empty")
	items := makeItems("x", 200)
	must(t, ix.Upsert(ctx, items[:100]))
	must(t, ix.Roll(ctx))
	must(t, ix.SealNow(ctx))
	must(t, ix.Upsert(ctx, items[100:]))
	must(t, ix.Upsert(ctx, []engine.Item{makeItem("x5", 2)}))
	got(ix.Delete(ctx, []string{"x1", "x150"}))(t)
	want := byID(items...)
	want["x5"] = makeItem("x5", 2)
	delete(want, "x1")
	delete(want, "x150")
	r := restored(t, backedUp(t, s.DB), s.keys)
	wantItems(t, r.load("a"), want, "x1", "x150")
	wantItems(t, r.load("empty"), nil)
	must(t, r.load("a").Upsert(ctx, makeItems("y", 3)))
	wantItems(t, ix, want, "x1", "x150", "y1")
}
