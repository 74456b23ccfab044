package meta

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"

	"oubliette/internal/fault"
	"oubliette/internal/latchfs/failfs"
)

const limit = 20 * time.Second

// TestEveryFailedMutationIsSurvived fails the k-th mutation of a whole life of
// a database, from Open to Close, for every fourth k until none fires;
// OUBLIETTE_LONG=1 takes every k.
func TestEveryFailedMutationIsSurvived(t *testing.T) {
	for name, v := range map[string]failfs.Verdict{"refused": failfs.Refuse, "late": failfs.Late, "short": failfs.Short} {
		t.Run(name, func(t *testing.T) {
			opened, ran, stride := 0, 0, 4
			if os.Getenv("OUBLIETTE_LONG") != "" {
				stride = 1
			}
			for k := rand.IntN(stride); ; k += stride {
				fired, early := failureAt(t, k, v)
				if t.Failed() {
					t.Fatalf("at mutation %d", k)
				}
				if !fired {
					break
				}
				if ran++; early {
					opened++
				}
			}
			t.Logf("%d mutations failed, %d of them in Open", ran, opened)
			if opened < 50/stride-1 || ran < opened+200/stride {
				t.Error("too few for this to show anything")
			}
		})
	}
}

// failureAt runs the workload with the k-th mutation failing. It tells whether
// that one came up at all, and whether it did in Open.
func failureAt(t *testing.T, k int, v failfs.Verdict) (fired, inOpen bool) {
	inner := vfs.NewCrashableMem()
	var hit atomic.Bool
	fs := failfs.New(inner, func(n int, _, _ string) failfs.Verdict {
		if n != k {
			return failfs.Pass
		}
		hit.Store(true)
		return v
	})
	r := &run{states: []state{{}}}
	within(t, limit, fmt.Sprintf("mutation %d", k), func() {
		db, err := Open(fs, dir, small)
		if err != nil {
			inOpen = true
			if !errors.Is(err, fault.ErrFailed) {
				t.Errorf("Open: %v, want ErrFailed", err)
			}
			return
		}
		r = live(t, db, &hit)
	})
	for _, percent := range []int{0, 50 + k%2*50} {
		cfg := vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rand.New(rand.NewPCG(uint64(k), uint64(percent)))}
		within(t, limit, "recovery", func() { checkImage(t, inner.CrashClone(cfg), r) })
	}
	if err := goleak.Find(goleak.IgnoreCurrent()); err != nil {
		t.Error(err)
	}
	return hit.Load(), inOpen
}

// live commits the workload, looks at everything that must hold whether or not
// something failed, and closes.
func live(t *testing.T, db *DB, hit *atomic.Bool) *run {
	r := commitAll(db, workload(50))
	if r.err != nil {
		checkFailed(t, db, r.err)
	}
	if err := db.p.Flush(); err != nil { // tables written after the latch must read back
		t.Errorf("flush: %v", err)
	}
	checkReads(t, db, r)
	err := db.Close()
	if again := db.Close(); again != err {
		t.Errorf("Close says %v, then %v", err, again)
	}
	failed := db.Err() != nil
	if failed != hit.Load() || failed != errors.Is(err, fault.ErrFailed) || !failed && err != nil {
		t.Errorf("failed: %v; Err: %v; Close: %v", hit.Load(), db.Err(), err)
	}
	return r
}

// checkReads: what was acknowledged can be read. A commit that failed may show
// or not, but whole.
func checkReads(t *testing.T, db *DB, r *run) {
	got, err := contents(db)
	if err != nil {
		t.Errorf("scan: %v", err)
	}
	before := r.current()
	if r.err != nil {
		before = r.states[len(r.states)-2]
	}
	if wrong(got, before) != "" && wrong(got, r.current()) != "" {
		t.Errorf("reads show:%s", wrong(got, before))
	}
	for k, want := range got {
		if v, found, err := db.Get([]byte(k)); err != nil || !found || string(v) != want {
			t.Errorf("Get %q: found %v, %v", k, found, err)
		}
	}
}

// TestWorkloadTurnsEverythingOver: the test above shows something only if the
// workload flushes, compacts, and moves log and manifest on.
func TestWorkloadTurnsEverythingOver(t *testing.T) {
	var logs, reused, manifests, removed atomic.Int32
	fs := failfs.New(vfs.NewCrashableMem(), func(_ int, op, path string) failfs.Verdict {
		switch {
		case op == "create" && strings.HasSuffix(path, ".log"):
			logs.Add(1)
		case op == "reuse":
			reused.Add(1)
		case op == "create" && strings.Contains(path, "/MANIFEST-"):
			manifests.Add(1)
		case op == "remove" && strings.HasSuffix(path, ".sst"):
			removed.Add(1)
		}
		return failfs.Pass
	})
	db := mustOpen(t, fs, small)
	if r := commitAll(db, workload(50)); r.err != nil {
		t.Fatal(r.err)
	}
	m := db.p.Metrics()
	for end := time.Now().Add(limit); m.Compact.Count == 0 && time.Now().Before(end); m = db.p.Metrics() {
		time.Sleep(time.Millisecond)
	}
	mustClose(t, db)
	t.Logf("%d flushes, %d compactions, %d logs made, %d reused, %d manifests, %d tables removed",
		m.Flush.Count, m.Compact.Count, logs.Load(), reused.Load(), manifests.Load(), removed.Load())
	for what, n := range map[string]int64{
		"flushes": m.Flush.Count, "compactions": m.Compact.Count, "logs": int64(logs.Load()) - 1,
		"reused logs": int64(reused.Load()), "manifests": int64(manifests.Load()) - 1,
	} {
		if n < 1 {
			t.Errorf("no %s", what)
		}
	}
}

// rotation names the calls that Pebble makes when its log moves on to another
// file: an error of any makes it panic with a lock held.
var rotation = []struct{ name, op, suffix string }{
	{"closing the old log", "close", ".log"},
	{"creating the new log", "create", ".log"},
	{"reusing an old log", "reuse", ".log"},
	{"asking a reused log's size", "stat", ".log"},
	{"syncing the directory", "sync", "/pebble"},
	{"writing to the log", "write", ".log"},
}

func failRotation(op, suffix string, armed *atomic.Bool) *failfs.FS {
	return failfs.New(vfs.NewCrashableMem(), func(_ int, o, path string) failfs.Verdict {
		if o == op && strings.HasSuffix(path, suffix) && armed.Load() {
			return failfs.Refuse
		}
		return failfs.Pass
	})
}

func TestFailedLogRotationNeitherPanicsNorHangs(t *testing.T) {
	for _, c := range rotation {
		t.Run(c.name, func(t *testing.T) {
			var armed atomic.Bool
			db := mustOpen(t, failRotation(c.op, c.suffix, &armed), small)
			armed.Store(true)
			within(t, limit, c.name, func() {
				r := commitAll(db, workload(50))
				if r.err == nil {
					t.Fatal("the workload never came to " + c.name)
				}
				checkFailed(t, db, r.err)
				checkReads(t, db, r)
				if err := db.Close(); !errors.Is(err, fault.ErrFailed) {
					t.Errorf("Close: %v", err)
				}
			})
		})
	}
}

// TestPebbleAloneDies is the other half of the test above: the same failures
// without the latch end the process. It runs itself once more for each.
func TestPebbleAloneDies(t *testing.T) {
	const env = "META_TEST_ROTATION"
	for _, c := range rotation {
		if os.Getenv(env) == c.name {
			pebbleAlone(t, c.op, c.suffix)
			return
		}
	}
	for _, c := range rotation {
		cmd := exec.Command(os.Args[0], "-test.run=^TestPebbleAloneDies$")
		cmd.Env = append(os.Environ(), env+"="+c.name)
		out, err := cmd.CombinedOutput()
		if text := string(out); err == nil || !strings.Contains(text, "panic: ") && !strings.Contains(text, "fatal commit error") {
			t.Errorf("%s: Pebble lives (%v), so the latch has nothing to show here:\n%s", c.name, err, out)
		}
	}
}

func pebbleAlone(t *testing.T, op, suffix string) {
	var armed atomic.Bool
	db, err := pebble.Open(dir, &pebble.Options{FS: failRotation(op, suffix, &armed), MemTableSize: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	armed.Store(true)
	for i := range 100 {
		if err := db.Set(fmt.Appendf(nil, "w%d", i), noise(uint64(i), 3<<10), pebble.Sync); err != nil {
			t.Fatal(err)
		}
	}
}

// TestConcurrentCommitsNeverAcknowledgeWhatIsLost: many committers, one failure
// among them.
func TestConcurrentCommitsNeverAcknowledgeWhatIsLost(t *testing.T) {
	for k := 0; k < 300; k += 19 {
		inner := vfs.NewCrashableMem()
		var opened atomic.Int64
		fs := failfs.New(inner, func(n int, _, _ string) failfs.Verdict {
			if at := opened.Load(); at > 0 && n == int(at)+k {
				return failfs.Refuse
			}
			return failfs.Pass
		})
		db := mustOpen(t, fs, small)
		opened.Store(int64(fs.Count()))
		var acked [8][]string
		within(t, limit, fmt.Sprintf("mutation %d", k), func() {
			var wg sync.WaitGroup
			for w := range acked {
				wg.Go(func() { acked[w] = commitOwn(t, db, w) })
			}
			wg.Wait()
			_ = db.Close()
		})
		if db.Err() == nil {
			t.Fatalf("mutation %d never came up", k)
		}
		checkHeld(t, inner.CrashClone(vfs.CrashCloneCfg{}), acked[:])
		if t.Failed() {
			t.Fatalf("at mutation %d", k)
		}
	}
}

// commitOwn commits under keys of its own until it fails, and answers what was
// acknowledged.
func commitOwn(t *testing.T, db *DB, w int) (acked []string) {
	for i := range 60 {
		key := fmt.Sprintf("w%d-%03d", w, i)
		size := 2 << 10
		if i%9 == 8 {
			size = 40 << 10
		}
		b := db.NewBatch()
		b.Set([]byte(key), noise(uint64(w*1000+i), size))
		if err := db.Commit(b); err != nil {
			if !errors.Is(err, fault.ErrFailed) {
				t.Errorf("commit: %v", err)
			}
			return acked
		}
		acked = append(acked, key)
	}
	return acked
}

func checkHeld(t *testing.T, image vfs.FS, acked [][]string) {
	t.Helper()
	db := mustOpen(t, image, small)
	for _, keys := range acked {
		for _, k := range keys {
			if _, found, err := db.Get([]byte(k)); err != nil || !found {
				t.Errorf("%s was acknowledged and is lost (%v)", k, err)
			}
		}
	}
	mustClose(t, db)
}

// TestFatalIsLatchedAndReturns: what Pebble calls fatal ends writing, not the
// process.
func TestFatalIsLatchedAndReturns(t *testing.T) {
	inner := vfs.NewCrashableMem()
	db := mustOpen(t, inner, Options{})
	pebbleLogger{log: Options{}.logger(), fail: db.latch.Fail}.Fatalf("files %d and %d overlap", 1, 2)
	disk := inner.String()
	b := db.NewBatch()
	b.Set([]byte("k"), []byte("v"))
	if err := db.Commit(b); !errors.Is(err, fault.ErrFailed) || !strings.Contains(err.Error(), "files 1 and 2 overlap") {
		t.Errorf("commit: %v", err)
	}
	if err := db.Close(); !errors.Is(err, fault.ErrFailed) {
		t.Errorf("close: %v", err)
	}
	if inner.String() != disk {
		t.Error("the disk changed after Fatalf")
	}
}
