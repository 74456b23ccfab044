package engine_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/engine"
)

// The hot paths, in memory, where what is left is the engine's own work, and on
// the disk of the temporary folder, where every write is synced:
//
//	go test -run '^$' -bench . -benchmem ./engine
//
// How the engine stands beside other stores is measured by the module in
// bench.

// benchOn runs a benchmark in memory and on disk, on an index of its own with
// n items.
func benchOn(b *testing.B, n int, run func(b *testing.B, ix *engine.Index)) {
	for _, on := range []struct {
		name string
		fs   vfs.FS
	}{{"mem", vfs.NewMem()}, {"disk", vfs.Default}} {
		b.Run(on.name, func(b *testing.B) {
			dir := b.TempDir()
			if err := on.fs.MkdirAll(dir, 0o700); err != nil { // in memory it is not there yet
				b.Fatal(err)
			}
			db, err := engine.Open(on.fs.PathJoin(dir, "store"), &engine.Options{FS: on.fs})
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() {
				if err := db.Close(); err != nil {
					b.Error(err)
				}
			})
			ix, err := db.CreateIndex(b.Context(), "bench", engine.NewKey(), engine.IndexConfig{})
			if err != nil {
				b.Fatal(err)
			}
			for at := 0; at < n; at += 1000 {
				if err := ix.Upsert(b.Context(), benchItems(min(1000, n-at), at)); err != nil {
					b.Fatal(err)
				}
			}
			if n > 0 {
				if err := ix.Compact(b.Context()); err != nil { // reads are from segments
					b.Fatal(err)
				}
			}
			run(b, ix)
		})
	}
}

func benchID(n int) string { return fmt.Sprintf("item-%09d", n) }

// benchItemBytes: 512 dimensions, 1,800 bytes of contents, 200 of metadata.
const benchItemBytes = 4*512 + 1800 + 200

// benchItems are n items of about 4 KB from number first on; vectors and
// contents do not compress.
func benchItems(n, first int) []engine.Item {
	items := make([]engine.Item, n)
	for i := range items {
		rnd := rand.New(rand.NewPCG(uint64(first+i), 0))
		it := &items[i]
		it.ID = benchID(first + i)
		it.Vector = make([]float32, 512)
		for k := range it.Vector {
			it.Vector[k] = float32(rnd.NormFloat64())
		}
		it.Contents = make([]byte, 1800)
		for k := range it.Contents {
			it.Contents[k] = byte(rnd.Uint32())
		}
		it.Metadata = fmt.Appendf(nil, `{"source":"%0186d"}`, first+i)
	}
	return items
}

func benchIDs(n, first int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = benchID(first + i)
	}
	return ids
}

func BenchmarkDelete1(b *testing.B) { benchDelete(b, 1) }

func BenchmarkDelete10000(b *testing.B) { benchDelete(b, 10_000) }

// benchDelete deletes ids that are not there: a delete looks nothing up, so
// that is the call itself, without what its maintenance does later.
func benchDelete(b *testing.B, n int) {
	benchOn(b, 0, func(b *testing.B, ix *engine.Index) {
		ids := benchIDs(n, 0)
		for b.Loop() {
			if _, err := ix.Delete(context.Background(), ids); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "ids/s")
	})
}

// BenchmarkUpsert1000x4KB puts the same thousand items again and again: every
// call makes the rows of the one before it dead, and they are erased meanwhile.
func BenchmarkUpsert1000x4KB(b *testing.B) {
	benchOn(b, 0, func(b *testing.B, ix *engine.Index) {
		items := benchItems(1000, 0)
		b.SetBytes(1000 * benchItemBytes)
		for b.Loop() {
			if err := ix.Upsert(context.Background(), items); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// benchStored is how many items the reading benchmarks read from.
const benchStored = 10_000

func BenchmarkGet1(b *testing.B) { benchGet(b, 1) }

func BenchmarkGet100(b *testing.B) { benchGet(b, 100) }

func benchGet(b *testing.B, n int) {
	benchOn(b, benchStored, func(b *testing.B, ix *engine.Index) {
		order := rand.New(rand.NewPCG(1, 1)).Perm(benchStored)
		ids := make([]string, benchStored)
		for i, k := range order {
			ids[i] = benchID(k)
		}
		b.SetBytes(int64(n * benchItemBytes))
		at := 0
		for b.Loop() {
			got, err := ix.Get(context.Background(), ids[at:at+n], engine.AllFields)
			if err != nil || len(got) != n {
				b.Fatalf("%d of %d items, %v", len(got), n, err)
			}
			at = (at + n) % (benchStored - n + 1)
		}
	})
}

func BenchmarkScan(b *testing.B) {
	benchOn(b, benchStored, func(b *testing.B, ix *engine.Index) {
		b.SetBytes(benchStored * benchItemBytes)
		for b.Loop() {
			n := 0
			for _, err := range ix.Items(context.Background(), engine.AllFields) {
				if err != nil {
					b.Fatal(err)
				}
				n++
			}
			if n != benchStored {
				b.Fatalf("%d items of %d", n, benchStored)
			}
		}
	})
}
