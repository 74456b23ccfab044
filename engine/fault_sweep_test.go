package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"

	"oubliette/engine"
	"oubliette/internal/latchfs/failfs"
)

// faultSweep runs the script once for every k until no call fails any more; in
// short form for two of the calls that the plan is about, of which there are so many.
func faultSweep(t *testing.T, plan faultPlan, calls int, each func(w *faultWorld)) (met int) {
	t.Helper()
	rng := newRand(t)
	var mu sync.Mutex
	begun, over := 0, false
	next := func() (k int, more bool) {
		mu.Lock()
		defer mu.Unlock()
		k = begun
		if begun++; !crashLong() {
			k, over = rng.IntN(calls), begun > 2
		}
		return k, !over && !t.Failed()
	}
	var wg sync.WaitGroup
	for range faultWorkers() {
		wg.Go(func() {
			for k, more := next(); more; k, more = next() {
				w := newFaultWorld(t, &faultInjector{faultPlan: plan, k: k})
				w.script()
				each(w)
				mu.Lock()
				if w.in.hasFired() != "" {
					met++
				} else if k >= calls {
					over = true // the background does not do the same each time
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	t.Logf("%s: %d runs met the fault", plan.what, met)
	return met
}

// faultCalls is how many calls a plan is about.
func faultCalls(t *testing.T, plan faultPlan) int {
	t.Helper()
	w := newFaultWorld(t, &faultInjector{faultPlan: plan, k: 1 << 30})
	w.script()
	if err := w.close(); err != nil || len(w.errs) > 0 {
		w.errorf("without a fault: Close %v, others %v", err, w.errs)
	}
	return w.in.calls()
}

// faultWorkers is how many runs there are at once.
func faultWorkers() int {
	if crashLong() {
		return 2
	}
	return 1
}

// faultSweeps runs a sweep for each plan, and tells how many runs there were in all.
func faultSweeps(t *testing.T, plans []faultPlan, each func(w *faultWorld)) {
	t.Helper()
	all, counted, calls := 0, "", 0
	for _, plan := range plans {
		if about := fmt.Sprint(plan.part, plan.not, plan.reads, plan.closes); about != counted {
			if counted, calls = about, faultCalls(t, plan); calls == 0 {
				t.Fatalf("%s: the script has no such call", plan.what)
			}
		}
		t.Run(plan.what, func(t *testing.T) { all += faultSweep(t, plan, calls, each) })
	}
	t.Logf("%d runs in all have met a fault", all)
	if all == 0 {
		t.Error("no run has met a fault")
	}
}

// TestLogFailureStopsWritesAndNothingElse fails mutations of the database's
// files. The call that meets the failure, and every later write, answer
// ErrFailed; reads go on; Close returns; what was acknowledged is there when
// the store is opened again.
//
// It takes a sample of the calls, OUBLIETTE_LONG=1 every one.
func TestLogFailureStopsWritesAndNothingElse(t *testing.T) {
	plans := append(faultMutations(faultLog), faultPlan{what: "ENOSPC for a while", part: faultLog, err: syscall.ENOSPC, times: 25})
	faultSweeps(t, plans, func(w *faultWorld) { faultStops(w, nil) })
}

// TestLedgerFailureStopsWritesAndNothingElse does that with the ledger's file and its
// folder: what keeps deletes outside of the store is as good as the log, or nothing
// is deleted.
func TestLedgerFailureStopsWritesAndNothingElse(t *testing.T) {
	plans := append(faultMutations(crashLedger), faultPlan{what: "ENOSPC for a while", part: crashLedger, err: syscall.ENOSPC, times: 5})
	faultSweeps(t, plans, func(w *faultWorld) {
		faultStops(w, func(call string) bool { return call == "Open" }) // it may not come to a log
	})
}

// faultStops holds a store against what it should be after a fault that stops writes.
// may says which calls may answer another error than ErrFailed.
func faultStops(w *faultWorld, may func(call string) bool) {
	w.t.Helper()
	for _, err := range w.errs {
		if call, _, _ := strings.Cut(err.Error(), ":"); may == nil || !may(call) {
			w.errorf("not ErrFailed: %v", err)
		}
	}
	if w.in.hasFired() != "" && w.ix["a"] != nil && !w.closed {
		w.upsert("a", "last")
		w.delete("a", "last")
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
	w.verify(append(images, w.image()))
}

// TestSegmentFailureFailsOneCall fails one mutation of a segment file or its
// folder. One call may answer its error, never ErrFailed; writes go on in
// another segment; what a failed erasure left is erased in another way, what
// could not be closed has moved, and no file is forgotten.
func TestSegmentFailureFailsOneCall(t *testing.T) {
	var plans []faultPlan
	for _, plan := range faultMutations(faultSegments) {
		if !plan.sticky {
			plans = append(plans, plan)
		}
	}
	faultSweeps(t, plans, func(w *faultWorld) {
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
		w.verify(append(images, w.image()))
	})
}

// TestFailureInTheStoresOwnFolderIsTold fails one mutation of what stands beside log,
// segments and ledger: the format file, the folders, the lock. It is told, and
// passes.
func TestFailureInTheStoresOwnFolderIsTold(t *testing.T) {
	plans := faultMutations("")
	for i := range plans {
		plans[i].not = faultElse
	}
	faultSweeps(t, plans, faultPasses)
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

// faultPasses holds a store against what it should be when a fault is over that any
// call may have met: nothing hangs, nothing is lost, and afterwards all is well.
func faultPasses(w *faultWorld) {
	w.t.Helper()
	for _, err := range w.errs {
		if errors.Is(err, engine.ErrCorrupt) {
			w.errorf("a failed call is called corruption: %v", err)
		}
	}
	images := w.images()
	if w.ix["a"] != nil && !w.failed {
		faultAftermath(w) // the disk is good again
	}
	over := w.in.over()
	if err := w.close(); err != nil && !w.failed && over {
		w.errorf("Close: %v", err)
	}
	w.verify(append(images, w.image()))
}

// TestBrokenDiskNeverHangsNorKills fails every mutation from one on, or for a while
// as a disk that is full until somebody has cleared it up, or a close: everything may
// fail, nothing may hang, reads of what is there go on. When the disk is good again,
// what was acknowledged is there, what was deleted can be erased, and no file has
// been forgotten.
func TestBrokenDiskNeverHangsNorKills(t *testing.T) {
	plans := []faultPlan{
		{what: "EIO from then on in segments", part: faultSegments, err: syscall.EIO, sticky: true},
		{what: "EIO from then on", err: syscall.EIO, sticky: true},
		{what: "ENOSPC for a while in segments", part: faultSegments, err: syscall.ENOSPC, times: 25},
		{what: "ENOSPC for a while", err: syscall.ENOSPC, times: 40},
		{what: "done, and told as failed, for a while in segments", part: faultSegments, how: failfs.Late, times: 8},
		{what: "failed close", closes: true, how: failfs.Refuse},
	}
	faultSweeps(t, plans, func(w *faultWorld) {
		if w.failed && w.in.part == faultSegments {
			w.errorf("a segment's failure is taken for the log's")
		}
		faultPasses(w)
	})
}

// TestFailedReadsAreToldAndPass fails single reads, opens, lists and stats: calls
// answer their error, which is not called corruption, never a wrong answer, and
// afterwards all is well.
func TestFailedReadsAreToldAndPass(t *testing.T) {
	plans := []faultPlan{
		{what: "in segments", part: faultSegments, reads: true, err: syscall.EIO},
		{what: "in the log", part: faultLog, reads: true, err: syscall.EIO},
		{what: "in the ledger", part: crashLedger, reads: true, err: syscall.EIO},
		{what: "elsewhere", not: faultElse, reads: true, err: syscall.EIO},
		{what: "for a while", not: []string{faultCopy}, reads: true, err: syscall.EIO, times: 12},
	}
	faultSweeps(t, plans, faultPasses)
}

// TestRestoreBesideAStoreSurvivesFailures fails what Restore does in the same file
// system: it is told, there is no store or the whole one, the next Restore makes it,
// and the store beside it meets nothing of it.
func TestRestoreBesideAStoreSurvivesFailures(t *testing.T) {
	plans := append(faultMutations(faultCopy), faultPlan{what: "failed read", part: faultCopy, reads: true, err: syscall.EIO})
	faultSweeps(t, plans, func(w *faultWorld) {
		if w.failed || len(w.errs) > 1 {
			w.errorf("the store beside it meets it: %v", w.errs)
		}
		if err := w.close(); err != nil {
			w.errorf("Close: %v", err)
		}
		w.verify([]*crashImage{w.image()})
	})
}
