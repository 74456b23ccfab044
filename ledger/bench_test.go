package ledger

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// BenchmarkRead reads a ledger of 10,000 deletes of one id each, in both depths,
// with nothing missing.
func BenchmarkRead(b *testing.B) {
	const deletes = 10_000
	f := openFile(b, vfs.NewMem())
	w := newWorld(b, f)
	for range deletes {
		w.delete(string(make([]byte, 22)))
	}
	for name, full := range map[string]bool{"quick": false, "full": true} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if c, err := w.compareIn(f, w.state(), full); err != nil || !c.Same() {
					b.Fatal(c, err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/deletes, "µs/group")
		})
	}
}
