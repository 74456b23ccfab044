package engine_test

import (
	"fmt"
	"strings"
	"sync"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"oubliette/internal/latchfs/failfs"
)

// faultPlan says which call to the file system fails, and how.
type faultPlan struct {
	what   string   // printed
	part   string   // of the path
	not    []string // how paths that are left alone begin
	reads  bool     // reads, opens, lists and stats fail; else mutations
	closes bool     // closes fail; else mutations
	err    error    // what it answers; nil: verdict says what is done
	how    failfs.Verdict
	sticky bool // it and every later one
	times  int  // so many of them, and then no more; 0: one
}

// faultCopy is where the copy of the fault tests is restored to.
const faultCopy = "/copy"

// The parts of a store: its log, its segments, its ledger, and what stands in its
// folder and above.
const (
	faultLog      = storeDir + "/pebble"
	faultSegments = storeDir + "/segments"
)

// faultElse are the paths that are no store's own folder.
var faultElse = []string{faultLog, faultSegments, faultCopy, crashLedger}

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

// faultInjector fails the k-th call that its plan is about.
type faultInjector struct {
	faultPlan
	k int

	mu    sync.Mutex
	off   int // pauses under way
	n     int
	fired string // the call that failed; empty: none has yet
}

// about tells whether the plan is about a path.
func (in *faultInjector) about(path string) bool {
	for _, p := range in.not {
		if strings.HasPrefix(path, p) {
			return false
		}
	}
	if in.part == faultLog || in.part == faultSegments || in.part == faultCopy {
		return strings.HasPrefix(path, in.part)
	}
	return strings.Contains(path, in.part)
}

// hit tells whether this call fails.
func (in *faultInjector) hit(read bool, op, path string) bool {
	if read != in.reads || !in.about(path) {
		return false
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.off > 0 {
		return false
	}
	in.n++
	if at := in.n - 1; at >= in.k && (in.sticky || at < in.k+max(1, in.times)) {
		if in.fired == "" {
			in.fired = op + " " + path
		}
		return true
	}
	return false
}

// MaybeError fails calls with an error of the operating system.
func (in *faultInjector) MaybeError(op errorfs.Op) error {
	read := op.Kind.ReadOrWrite() == errorfs.OpIsRead
	if op.Kind == errorfs.OpLock || op.Kind == errorfs.OpFileClose || op.Kind == errorfs.OpFilePreallocate {
		return nil // not the store's data
	}
	if in.reads && op.Kind == errorfs.OpOpen && strings.HasSuffix(op.Path, "/IDENTITY") {
		return nil // errorfs calls every open a read; this one is for writing, but for the first of a store
	}
	if in.err != nil && in.hit(read, fmt.Sprint("op ", int(op.Kind)), op.Path) {
		return in.err
	}
	return nil
}

func (in *faultInjector) String() string { return in.what }

// verdict fails calls with the deed done, or half done, and closes.
func (in *faultInjector) verdict(_ int, op, path string) failfs.Verdict {
	if in.err != nil || op == "preallocate" || op == "stat" || (op == "close") != in.closes {
		return failfs.Pass
	}
	if in.hit(false, op, path) {
		return in.how
	}
	return failfs.Pass
}

func (in *faultInjector) pause(by int) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.off += by
}

// over tells whether no call fails any more.
func (in *faultInjector) over() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return !in.sticky && in.n >= in.k+max(1, in.times)
}

// calls is how many calls the plan has been about.
func (in *faultInjector) calls() int {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.n
}

func (in *faultInjector) hasFired() string {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.fired
}
