package engine_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/internal/latchfs/failfs"
)

// crashLong tells whether the tests take every point, not a sample.
func crashLong() bool { return os.Getenv("OUBLIETTE_LONG") != "" }

// crashStyle is what of the unsynced a crash keeps.
type crashStyle struct {
	percent int  // of unsynced blocks, names and removals
	kill    bool // the process died, the machine did not: everything is as it was written
}

func (s crashStyle) String() string {
	if s.kill {
		return "process killed"
	}
	return fmt.Sprintf("%d%% of the unsynced kept", s.percent)
}

// crashStyles are what a sample chooses from, and what the long form takes all of.
var crashStyles = []crashStyle{
	{percent: 0}, {percent: 25}, {percent: 60}, {percent: 90}, {kill: true},
	{percent: 10}, {percent: 45}, {percent: 75},
}

// crashImage is a file system as a crash left it, and what may be expected of
// it: the state before the call that was under way, or after it.
type crashImage struct {
	fs        *vfs.MemFS
	point     int    // the mutation before which the crash came
	op, path  string // that mutation
	style     crashStyle
	seed      uint64
	now, next *crashModel // next is nil when no call was under way
	during    string      // the call
}

func (im *crashImage) String() string {
	return fmt.Sprintf("crash before mutation %d (%s %s), %v, seed %d, during %q", im.point, im.op, im.path, im.style, im.seed, im.during)
}

// crashRecorder takes images of a file system before mutations of it. The
// moment after a mutation is the moment before the next one.
type crashRecorder struct {
	mem  *vfs.MemFS
	want func(point int) []crashStyle // what images to take before a mutation
	seed uint64

	mu        sync.Mutex
	off       bool
	points    int
	removed   []string // what a removal has been asked for
	images    []*crashImage
	now, next *crashModel
	during    string
	onWrite   func(path string) // told of every write, for tests that act on one
}

func newCrashRecorder(mem *vfs.MemFS, seed uint64, want func(int) []crashStyle) (*crashRecorder, vfs.FS) {
	r := &crashRecorder{mem: mem, want: want, seed: seed, now: newCrashModel()}
	return r, failfs.New(crashWhole{mem, &r.mu}, func(_ int, op, path string) failfs.Verdict {
		r.before(op, path)
		return failfs.Pass
	})
}

// crashWhole keeps an image from being taken within a lock or a reuse: MemFS does
// either in two steps, and a clone that comes between them waits for the first and
// keeps the second waiting. taking is held while an image is taken; it stands below
// what asks for one, which must not hold it when it goes on.
type crashWhole struct {
	vfs.FS
	taking *sync.Mutex
}

func (fs crashWhole) Lock(name string) (io.Closer, error) {
	fs.taking.Lock()
	defer fs.taking.Unlock()
	return fs.FS.Lock(name)
}

func (fs crashWhole) ReuseForWrite(oldname, newname string, c vfs.DiskWriteCategory) (vfs.File, error) {
	fs.taking.Lock()
	defer fs.taking.Unlock()
	return fs.FS.ReuseForWrite(oldname, newname, c)
}

func (r *crashRecorder) before(op, path string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if op == "write" && r.onWrite != nil {
		r.onWrite(path)
	}
	// Neither a close nor a stat changes what a crash leaves.
	if r.off || op == "close" || op == "preallocate" || strings.HasPrefix(op, "stat") {
		return
	}
	for i, style := range r.want(r.points) {
		r.images = append(r.images, r.take(op, path, style, r.seed+uint64(r.points)*16+uint64(i)))
	}
	r.points++
	if strings.HasPrefix(op, "remove") && !slices.Contains(r.removed, path) {
		r.removed = append(r.removed, path)
	}
}

func (r *crashRecorder) take(op, path string, style crashStyle, seed uint64) *crashImage {
	im := &crashImage{
		point: r.points, op: op, path: path, style: style, seed: seed,
		now: r.now, next: r.next, during: r.during,
	}
	if style.kill {
		im.fs = crashKilled(r.mem)
	} else {
		rng := rand.New(rand.NewPCG(seed, 7))
		im.fs = r.mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: style.percent, RNG: rng})
		r.keepRemovals(im.fs, style.percent, rng)
	}
	return im
}

// keepRemovals takes out of a clone a part of what was removed without a sync: a
// CrashClone brings back all of it. A name that a rename took away is none of these: a
// disk keeps that or the new one.
func (r *crashRecorder) keepRemovals(clone *vfs.MemFS, percent int, rng *rand.Rand) {
	for _, path := range r.removed {
		if _, err := r.mem.Stat(path); err == nil {
			continue // it is there again
		}
		if _, err := clone.Stat(path); err == nil && rng.IntN(100) < percent {
			_ = clone.RemoveAll(path)
		}
	}
}

// crashKilled is a file system as the next process finds it. A CrashClone brings
// back what was removed without a sync: that is taken out again.
func crashKilled(live *vfs.MemFS) *vfs.MemFS {
	for {
		before := crashNames(live, "/", nil)
		clone := live.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(0, 7))})
		if !slices.Equal(before, crashNames(live, "/", nil)) {
			continue // somebody is at work
		}
		for _, path := range crashNames(clone, "/", nil) {
			if !slices.Contains(before, path) {
				_ = clone.RemoveAll(path)
			}
		}
		return clone
	}
}

// crashNames is every path of a file system.
func crashNames(fs *vfs.MemFS, dir string, out []string) []string {
	names, _ := fs.List(dir)
	slices.Sort(names)
	for _, n := range names {
		path := fs.PathJoin(dir, n)
		out = append(out, path)
		if info, err := fs.Stat(path); err == nil && info.IsDir() {
			out = crashNames(fs, path, out)
		}
	}
	return out
}

// begin notes that a call is under way that would make next of the store, and
// end that it has come back.
func (r *crashRecorder) begin(what string, next *crashModel) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.during, r.next = what, next
}

func (r *crashRecorder) end(next *crashModel) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now, r.next, r.during = next, nil, "nothing (after "+r.during+")"
}

// is notes what the store is to hold while no call is under way.
func (r *crashRecorder) is(now *crashModel) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = now
}

// stop ends the taking of images.
func (r *crashRecorder) stop() []*crashImage {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.off = true
	return r.images
}

// crashSample takes about n of total points, each in one style.
func crashSample(rng *rand.Rand, n, total int) func(int) []crashStyle {
	return func(int) []crashStyle {
		if rng.IntN(total) >= n {
			return nil
		}
		return []crashStyle{crashStyles[rng.IntN(len(crashStyles))]}
	}
}

// crashSlice takes every round-th point in every style, from the given one on.
func crashSlice(round, rounds int) func(int) []crashStyle {
	return func(point int) []crashStyle {
		if point%rounds != round {
			return nil
		}
		return crashStyles
	}
}

// crashNever takes nothing.
func crashNever(int) []crashStyle { return nil }

// crashTimed fails the test with every goroutine's stack when run takes longer
// than limit: something hangs.
func crashTimed(t testing.TB, limit time.Duration, what string, run func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		run()
	}()
	select {
	case <-done:
	case <-time.After(limit):
		stacks := make([]byte, 4<<20)
		panic(fmt.Sprintf("%s: %s does not end within %v\n%s", t.Name(), what, limit, stacks[:runtime.Stack(stacks, true)]))
	}
}
