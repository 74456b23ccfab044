package engine_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/engine"
)

// BenchmarkLoadPending opens a store that was killed with a million deletes not
// applied, and loads the index: 64 callers had deleted, so many ids a call. Bounds
// that would have had them applied before are lifted.
func BenchmarkLoadPending(b *testing.B) {
	const pending = 1_000_000
	defer engine.MaxLog(4 << 30)()
	for _, each := range []int{1000, 1} {
		b.Run(fmt.Sprintf("ids=%d", each), func(b *testing.B) {
			ctx := context.Background()
			fs := vfs.NewCrashableMem()
			s := openStore(b, fs, nil, func(o *engine.Options) { o.MemoryLimit = 80 << 20 })
			ix := s.create("a")
			var wg sync.WaitGroup
			for c := range 64 {
				wg.Go(func() {
					for first := c * each; first < pending; first += 64 * each {
						if _, err := ix.Delete(ctx, benchIDs(each, first)); err != nil {
							b.Error(err)
						}
					}
				})
			}
			wg.Wait()
			killed := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))})
			b.ResetTimer()
			for b.Loop() {
				db := got(engine.Open(storeDir, &engine.Options{FS: killed, ReadOnly: true}))(b)
				got(db.LoadIndex(ctx, "a", engine.WithIndexKey(s.keys["a"])))(b)
				if m := db.Metrics().Indexes["a"]; m.Tombstones != pending {
					b.Fatalf("%d tombstones are pending, want %d", m.Tombstones, pending)
				}
				must(b, db.Close())
			}
		})
	}
}
