package engine_test

import (
	"context"
	"errors"
	"syscall"
	"testing"

	"oubliette/engine"
	"oubliette/internal/latchfs/failfs"
)

// faultSweep runs the script once for every k until no call fails any more; in
// short form for a sample of k.
func faultSweep(t *testing.T, plan faultPlan, each func(w *faultWorld)) {
	t.Helper()
	rng := newRand(t)
	runs := 0
	for k := 0; !t.Failed(); k++ {
		if !crashLong() {
			k += rng.IntN(60)
		}
		w := newFaultWorld(t, &faultInjector{faultPlan: plan, k: k})
		w.script()
		each(w)
		runs++
		if w.in.hasFired() == "" {
			break
		}
	}
	t.Logf("%s: %d runs", plan.what, runs)
}

// faultMutations are the ways in which a mutation fails.
func faultMutations(part string) []faultPlan {
	return []faultPlan{
		{what: "EIO", part: part, err: syscall.EIO},
		{what: "ENOSPC", part: part, err: syscall.ENOSPC},
		{what: "EIO from then on", part: part, err: syscall.EIO, sticky: true},
		{what: "short write", part: part, how: failfs.Short},
		{what: "done, and told as failed", part: part, how: failfs.Late},
	}
}

// TestLogFailureStopsWritesAndNothingElse fails mutations of the database's
// files. The call that meets the failure, and every later write, answer
// ErrFailed; reads go on; Close returns; what was acknowledged is there when
// the store is opened again.
//
// It takes a sample of the calls, OUBLIETTE_LONG=1 every one.
func TestLogFailureStopsWritesAndNothingElse(t *testing.T) {
	for _, plan := range faultMutations("/pebble") {
		t.Run(plan.what, func(t *testing.T) {
			faultSweep(t, plan, func(w *faultWorld) {
				for _, err := range w.errs {
					w.errorf("not ErrFailed: %v", err)
				}
				if w.in.hasFired() != "" && w.ix["a"] != nil {
					w.upsert("a", "last")
					w.get("a")
					if !w.failed {
						w.errorf("a write was lost, and writes go on")
					}
				}
				images := w.images()
				err := w.close()
				if w.failed && w.db != nil && !errors.Is(err, engine.ErrFailed) {
					w.errorf("Close after ErrFailed: %v", err)
				}
				w.verify(append(images, w.images()...))
			})
		})
	}
}

// TestSegmentFailureFailsOneCall fails one mutation of a segment file or its
// folder. One call may answer its error, never ErrFailed; writes go on in
// another segment; what a failed erasure left is erased in another way, what
// could not be closed has moved, and no file is forgotten.
func TestSegmentFailureFailsOneCall(t *testing.T) {
	for _, plan := range faultMutations("/segments") {
		if plan.sticky {
			continue
		}
		t.Run(plan.what, func(t *testing.T) {
			faultSweep(t, plan, func(w *faultWorld) {
				if w.failed {
					w.errorf("a segment's failure is taken for the log's")
				}
				if len(w.errs) > 1 {
					w.errorf("one failure fails %d calls: %v", len(w.errs), w.errs)
				}
				images := w.images()
				if w.ix["a"] != nil {
					faultAftermath(w)
				}
				if err := w.close(); err != nil {
					w.errorf("Close: %v", err)
				}
				w.verify(append(images, w.images()...))
			})
		})
	}
}

// faultAftermath uses a store that has met a fault, and looks for residue.
func faultAftermath(w *faultWorld) {
	w.t.Helper()
	w.paused(func() {
		ctx := context.Background()
		before := len(w.errs)
		w.upsert("a", "after", "s01")
		w.delete("a", "s02", "after")
		if w.purge("a") {
			if err := w.notes.residue(w.mem, func(v crashVersion) bool { return !w.now.lives(v) && !(w.undead && v.index == "b") }); err != nil {
				w.errorf("after Purge: %v (errors before: %v)", err, w.errs)
			}
		}
		w.compact("a")
		w.purge("a")
		w.get("a")
		for _, err := range w.errs[before:] {
			w.errorf("after the fault is over: %v", err)
		}
		if _, err := w.ix["a"].Check(ctx); err != nil && !(w.failed && errors.Is(err, engine.ErrFailed)) {
			w.errorf("Check: %v", err)
		}
		sealed, open, err := w.ix["a"].SegmentPaths(ctx)
		if err != nil {
			w.errorf("%v", err)
		}
		names, err := w.mem.List(storeDir + "/segments/" + w.ix["a"].ID().String())
		// A commit that failed may have listed a file all the same: until the store
		// is opened again such a file is neither known nor destroyed.
		if err != nil || (len(names) != len(sealed)+len(open) && !w.failed) {
			w.errorf("%d segment files on disk, %d sealed and %d open are known (errors before: %v): %v", len(names), len(sealed), len(open), w.errs, err)
		}
	})
}

// TestBrokenDiskNeverHangsNorKills fails every mutation of segment files from
// one on: everything may fail, nothing may hang, reads of what is there go on.
// When the disk is good again, what was acknowledged is there, what was deleted
// can be erased, and no file has been forgotten.
func TestBrokenDiskNeverHangsNorKills(t *testing.T) {
	for _, part := range []string{"/segments", storeDir} {
		plan := faultPlan{what: "EIO from then on in " + part, part: part, err: syscall.EIO, sticky: true}
		t.Run(part, func(t *testing.T) {
			faultSweep(t, plan, func(w *faultWorld) {
				if w.failed && part == "/segments" {
					w.errorf("a segment's failure is taken for the log's")
				}
				images := w.images()
				if w.ix["a"] != nil && !w.failed {
					faultAftermath(w) // the disk is good again
				}
				w.close()
				w.verify(append(images, w.images()...))
			})
		})
	}
}

// TestFailedReadsAreToldAndPass fails single reads: calls answer their error,
// which is not called corruption, never a wrong answer, and afterwards all is
// well.
func TestFailedReadsAreToldAndPass(t *testing.T) {
	for _, part := range []string{"/segments", "/pebble"} {
		plan := faultPlan{what: "failed read in " + part, part: part, reads: true, err: syscall.EIO}
		t.Run(part, func(t *testing.T) {
			faultSweep(t, plan, func(w *faultWorld) {
				for _, err := range w.errs {
					if errors.Is(err, engine.ErrCorrupt) {
						w.errorf("a failed read is called corruption: %v", err)
					}
				}
				images := w.images()
				if w.ix["a"] != nil && !w.failed {
					faultAftermath(w)
				}
				if err := w.close(); err != nil && !w.failed {
					w.errorf("Close: %v", err)
				}
				w.verify(append(images, w.images()...))
			})
		})
	}
}
