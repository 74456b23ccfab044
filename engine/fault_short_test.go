package engine_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/engine"
	"oubliette/internal/latchfs/failfs"
)

// A write of the store's small files that is cut short without an error is told by the
// call, and the store opens when the fault is over. A FORMAT of which half is there
// would be damaged for good, with everything that was written behind it.
func TestASmallFileThatIsCutShortIsTold(t *testing.T) {
	for _, name := range []string{"FORMAT", "CLEAN"} {
		t.Run(name, func(t *testing.T) {
			var met atomic.Bool
			mem := vfs.NewCrashableMem()
			fs := failfs.New(mem, func(_ int, op, path string) failfs.Verdict {
				if op == "write" && strings.HasSuffix(path, "/"+name) && met.CompareAndSwap(false, true) {
					return failfs.Short
				}
				return failfs.Pass
			})
			told := func() error {
				db, err := engine.Open(storeDir, &engine.Options{FS: fs})
				if err != nil {
					return err
				}
				_, err = db.CreateIndex(context.Background(), "a", engine.NewKey(), engine.IndexConfig{})
				return errors.Join(err, db.Close())
			}()
			if !met.Load() {
				t.Fatalf("no %s was written", name)
			}
			wantError(t, told, io.ErrShortWrite)
			must(t, got(engine.Open(storeDir, &engine.Options{FS: mem}))(t).Close())
		})
	}
}
