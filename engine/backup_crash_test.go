package engine_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"oubliette/engine"
)

// TestNothingIsLostOrComesBackWhileBackupsRunAcrossCrash is the test of all that
// changes the disk, with a backup under way all the time: one whose taker stands
// still, so that everything overwritten stays listed, or one after the other.
func TestNothingIsLostOrComesBackWhileBackupsRunAcrossCrash(t *testing.T) {
	rng := newRand(t)
	for _, still := range []bool{true, false} {
		var wg sync.WaitGroup
		open := make(chan struct{})
		begin := func(db *engine.DB) error {
			if !still {
				return db.Backup(context.Background(), io.Discard)
			}
			return db.Backup(context.Background(), &stalling{reached: make(chan struct{}), open: open})
		}
		script := func(w *crashWorld) {
			defer engine.TailLimit(8 << 10)()
			var db *engine.DB
			w.onCall = func(*crashModel) {
				if db == w.db {
					return
				}
				db = w.db
				wg.Go(func() {
					for err := error(nil); err == nil; {
						if err = begin(w.db); err != nil && !errors.Is(err, engine.ErrClosed) {
							t.Errorf("backup: %v", err)
						}
					}
				})
			}
			crashUnderBackupScript(w)
			close(open)
			wg.Wait()
		}
		want := crashSample(rng, 10, 1100)
		if crashLong() {
			want = crashSlice(rng.IntN(6), 6)
		}
		crashRun(t, script, rng.Uint64(), want)
	}
}

// TestReadsThatFailEndABackupAndNothingElse: what it answers nil for is whole.
func TestReadsThatFailEndABackupAndNothingElse(t *testing.T) {
	ctx := context.Background()
	rng := newRand(t)
	s, ix, want := filled(t)
	everyThird(t, ix, want)
	got(ix.Purge(ctx))(t)
	s.reopen()
	for _, limit := range []uint64{0, 1 << 30} {
		back := engine.TailLimit(limit)
		failed := 0
		for k := 0; ; k += 1 + rng.IntN(stepOf(4)) {
			in := &faultInjector{faultPlan: faultPlan{what: "read", reads: true, err: syscall.EIO}, k: k, off: 1}
			clone := s.fs.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{})
			db := got(engine.Open(storeDir, &engine.Options{FS: errorfs.Wrap(clone, in)}))(t)
			in.pause(-1)
			var b bytes.Buffer
			err := db.Backup(ctx, &b)
			in.pause(1)
			switch {
			case err == nil:
				wantItems(t, restored(t, b.Bytes(), s.keys).load("a"), want)
			case in.hasFired() == "" || errors.Is(err, engine.ErrCorrupt) || errors.Is(err, engine.ErrFailed):
				t.Errorf("after %q: %v", in.hasFired(), err)
			default:
				failed++
			}
			wantItems(t, got(db.LoadIndex(ctx, "a", engine.WithIndexKey(s.keys["a"])))(t), want)
			must(t, db.Backup(ctx, io.Discard))
			must(t, db.Close())
			if in.hasFired() == "" {
				break
			}
		}
		if failed == 0 {
			t.Error("no read failed")
		}
		back()
	}
}

// TestASegmentThatFailsIsMovedWhileABackupStandsStill: erasing has the right of
// way. The rows move, the file is destroyed, and the backup has them where they
// are now.
func TestASegmentThatFailsIsMovedWhileABackupStandsStill(t *testing.T) {
	ctx := context.Background()
	defer engine.TailLimit(16 << 10)()
	var failures atomic.Int32 // to come: an erasure tries twice
	s, ix, want := filled(t, func(o *engine.Options) {
		o.FS = errorfs.Wrap(o.FS, errorfs.InjectorFunc(func(op errorfs.Op) error {
			if op.Kind == errorfs.OpFileWriteAt && faultSegment(op) && failures.Load() > 0 {
				failures.Add(-1)
				return syscall.EIO
			}
			return nil
		}))
	})
	b := stalled(t, s.DB, 250<<10)
	var gone residue
	gone.note(t, s, ix, []string{"p0", "q3", "q36", "r9"})
	failures.Store(2)
	everyThird(t, ix, want)
	got(ix.Purge(ctx))(t)
	if n := s.Metrics().Indexes["a"].Unlinked; n == 0 {
		t.Error("no file was destroyed: the test does not show what it should")
	}
	wantItems(t, ix, want)
	r := restored(t, b.goOn(t), s.keys)
	wantItems(t, r.load("a"), want)
	gone.wantGone(t, r.fs)
}

// TestALogThatFailsEndsABackup: what the database shows then counts for nothing.
func TestALogThatFailsEndsABackup(t *testing.T) {
	ctx := context.Background()
	defer engine.TailLimit(16 << 10)()
	var on atomic.Bool
	s, ix, _ := filled(t, func(o *engine.Options) {
		o.FS = errorfs.Wrap(o.FS, errorfs.InjectorFunc(func(op errorfs.Op) error {
			if on.Load() && op.Kind.ReadOrWrite() == errorfs.OpIsWrite && !faultSegment(op) {
				return syscall.EIO
			}
			return nil
		}))
	})
	s.noCheck = true
	b := stalled(t, s.DB, 250<<10)
	on.Store(true)
	_, err := ix.Delete(ctx, []string{"p0"})
	wantError(t, err, engine.ErrFailed)
	close(b.w.open)
	wantError(t, <-b.done, engine.ErrFailed)
	wantError(t, s.Backup(ctx, io.Discard), engine.ErrFailed)
	s.closed = true
	wantError(t, s.DB.Close(), engine.ErrFailed)
}
