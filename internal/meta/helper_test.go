package meta

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"

	"oubliette/internal/fault"
	"oubliette/internal/latchfs/failfs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const dir = "store/pebble"

// small makes every rotation cheap: a memtable is full after a few commits, a
// batch of 32 KiB goes the way of large ones, the manifest moves on all the
// time.
var small = Options{tune: tuning{memTableSize: 32 << 10, maxManifestSize: 256, l0Compact: 2}}

func mustOpen(t testing.TB, fs vfs.FS, o Options) *DB {
	t.Helper()
	db, err := Open(fs, dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func mustClose(t testing.TB, db *DB) {
	t.Helper()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// within fails the test, with all stacks, when f does not return in time.
func within(t testing.TB, d time.Duration, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(d):
		buf := make([]byte, 1<<20)
		t.Fatalf("%s hangs:\n%s", what, buf[:runtime.Stack(buf, true)])
	}
}

// state is what a database should hold.
type state map[string]string

// step is one batch of the workload, and its mirror in a state.
type step struct {
	lazy  bool
	apply func(b *Batch, s state)
}

func put(b *Batch, s state, key string, value []byte) {
	b.Set([]byte(key), value)
	s[key] = string(value)
}

func drop(b *Batch, s state, key string) {
	b.Delete([]byte(key))
	delete(s, key)
}

func dropRange(b *Batch, s state, from, to string) {
	b.DeleteRange([]byte(from), []byte(to))
	maps.DeleteFunc(s, func(k, _ string) bool { return k >= from && k < to })
}

func noise(seed uint64, n int) []byte {
	b := make([]byte, n+8)
	r := rand.New(rand.NewPCG(seed, 1))
	for i := 0; i < n; i += 8 {
		binary.LittleEndian.PutUint64(b[i:], r.Uint64())
	}
	return b[:n]
}

// workload is the life of a log: groups are appended, now and then a large one,
// marks are set lazily, and a checkpoint cuts the log's beginning off.
func workload(n int) []step {
	steps := make([]step, n)
	for i := range steps {
		steps[i] = step{lazy: i%7 == 5, apply: func(b *Batch, s state) {
			size := 3 << 10
			if i%11 == 10 {
				size = 40 << 10
			}
			put(b, s, fmt.Sprintf("w%06d", i), noise(uint64(i), size))
			put(b, s, "m", fmt.Appendf(nil, "%d", i))
			if i%13 == 12 {
				dropRange(b, s, "w", fmt.Sprintf("w%06d", i-6))
			}
			if i%5 == 4 {
				drop(b, s, fmt.Sprintf("w%06d", i-2))
			}
		}}
	}
	return steps
}

// contents reads everything by Scan.
func contents(db *DB) (state, error) {
	s, last := state{}, ""
	err := db.Scan(nil, nil, func(k, v []byte) error {
		if last != "" && string(k) <= last {
			return fmt.Errorf("%q comes after %q", k, last)
		}
		last = string(k)
		s[last] = string(v)
		return nil
	})
	return s, err
}

// wrong tells how got differs from want, or "".
func wrong(got, want state) string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(want)) {
		if v, ok := got[k]; !ok {
			fmt.Fprintf(&b, " %s missing", k)
		} else if v != want[k] {
			fmt.Fprintf(&b, " %s altered", k)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[k]; !ok {
			fmt.Fprintf(&b, " %s too many", k)
		}
	}
	return b.String()
}

// run commits the steps until one fails, and answers the states before and
// after each: states[i] is what there is when i steps were made. acked is how
// many steps were acknowledged with a sync, or before one that was.
type run struct {
	states []state
	acked  int
	err    error // of the step that failed
}

func (r *run) current() state { return r.states[len(r.states)-1] }

func commitAll(db *DB, steps []step) *run {
	r := &run{states: []state{{}}}
	for i, s := range steps {
		next := maps.Clone(r.current())
		b := db.NewBatch()
		s.apply(b, next)
		commit := db.Commit
		if s.lazy {
			commit = db.CommitLazy
		}
		r.err = commit(b)
		r.states = append(r.states, next)
		if r.err != nil {
			return r
		}
		if !s.lazy {
			r.acked = i + 1
		}
	}
	return r
}

// checkFailed: err says what it must, and so does all that follows.
func checkFailed(t testing.TB, db *DB, err error) {
	t.Helper()
	check := func(what string, err error) {
		if !errors.Is(err, fault.ErrFailed) || !errors.Is(err, failfs.ErrInjected) && !strings.Contains(err.Error(), "short write") {
			t.Errorf("%s: %v, want ErrFailed with its cause", what, err)
		}
		if errors.Is(err, fault.ErrCorrupt) {
			t.Errorf("%s: %v calls a failed write corruption", what, err)
		}
	}
	check("the commit that failed", err)
	check("Err", db.Err())
	for _, commit := range []func(*Batch) error{db.Commit, db.CommitLazy} {
		b := db.NewBatch()
		b.Set([]byte("too late"), bytes.Repeat([]byte{1}, 50<<10))
		check("a later commit", commit(b))
	}
}

// checkImage opens what a crash left and finds it to be the state after some
// step that was tried, and none before the last that was acknowledged.
func checkImage(t testing.TB, image vfs.FS, r *run) {
	t.Helper()
	db, err := Open(image, dir, small)
	if err != nil {
		t.Errorf("the crash image does not open: %v", err)
		return
	}
	got, err := contents(db)
	if err != nil {
		t.Errorf("the crash image does not read: %v", err)
	}
	for i := r.acked; i < len(r.states); i++ {
		if wrong(got, r.states[i]) == "" {
			if err := db.Close(); err != nil {
				t.Errorf("the crash image does not close: %v", err)
			}
			return
		}
	}
	t.Errorf("the crash image is no state from %d to %d; against the acknowledged one:%s", r.acked, len(r.states)-1, wrong(got, r.states[r.acked]))
	_ = db.Close()
}
