package meta

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"go.uber.org/goleak"
)

// TestEveryFailedReadOfAnOpenIsTold fails the k-th read, open, list or stat of the
// Open of what a crash has left, for every k until none fires: the error is told,
// nothing of what Open had begun runs on, and the next Open finds everything. What
// Open flushes out of the log is a table of which Pebble would collect statistics
// beside an Open that fails after it.
func TestEveryFailedReadOfAnOpenIsTold(t *testing.T) {
	mem := vfs.NewCrashableMem()
	db := mustOpen(t, mem, small)
	r := commitAll(db, workload(50))
	if r.err != nil {
		t.Fatal(r.err)
	}
	left := func(seed int) *vfs.MemFS {
		return mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: rand.New(rand.NewPCG(uint64(seed), 0))})
	}
	told := 0
	for k, fired := 0, true; fired; k++ {
		for again := range 4 { // what runs beside Open is not always as quick
			image := left(again)
			var n, hit atomic.Int32
			fs := errorfs.Wrap(image, errorfs.InjectorFunc(func(op errorfs.Op) error {
				if op.Kind.ReadOrWrite() != errorfs.OpIsRead || int(n.Add(1)) != k+1 {
					return nil
				}
				hit.Add(1)
				return errorfs.ErrInjected
			}))
			within(t, limit, fmt.Sprintf("read %d", k), func() {
				db, err := Open(fs, dir, small)
				if err == nil {
					_ = db.Close() // says what a background read met, or nothing
					return
				}
				if told++; !errors.Is(err, errorfs.ErrInjected) {
					t.Errorf("read %d: Open: %v, want the injected error", k, err)
				}
			})
			if err := goleak.Find(goleak.IgnoreCurrent()); err != nil {
				t.Errorf("read %d: %v", k, err)
			}
			checkImage(t, image, r)
			if fired = hit.Load() > 0; t.Failed() || !fired {
				break
			}
		}
	}
	mustClose(t, db)
	t.Logf("%d Opens have told of a failed read", told)
	if told < 40 {
		t.Error("too few for this to show anything")
	}
}
