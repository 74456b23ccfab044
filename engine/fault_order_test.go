package engine_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"oubliette/engine"
	"oubliette/internal/latchfs/failfs"
)

// faultGate holds up the first call that it is asked about while it is shut.
type faultGate struct {
	match   func(errorfs.Op) bool
	fail    error // what the held call answers
	shut    atomic.Bool
	reached chan struct{} // closed when a call is held
	open    chan struct{} // close it to let the call go
	once    sync.Once
}

func newFaultGate(match func(errorfs.Op) bool) *faultGate {
	return &faultGate{match: match, reached: make(chan struct{}), open: make(chan struct{})}
}

func (g *faultGate) MaybeError(op errorfs.Op) (err error) {
	if g.shut.Load() && g.match(op) {
		g.once.Do(func() {
			close(g.reached)
			<-g.open
			err = g.fail
		})
	}
	return err
}

func (g *faultGate) String() string { return "gate" }

func faultSegment(op errorfs.Op) bool { return strings.HasSuffix(op.Path, ".seg") }

// TestCloseEndsWhileARewriteIsUnderWay closes a store while maintenance is in
// the middle of a rewrite of its own accord: it is given up, and not begun
// again.
func TestCloseEndsWhileARewriteIsUnderWay(t *testing.T) {
	ctx := context.Background()
	gate := newFaultGate(func(op errorfs.Op) bool { return op.Kind == errorfs.OpOpen && faultSegment(op) })
	s := openStore(t, errorfs.Wrap(vfs.NewCrashableMem(), gate), nil)
	ix := s.create("a")
	items := makeItems("i", 100)
	must(t, ix.Upsert(ctx, items))
	must(t, ix.Roll(ctx))
	must(t, ix.SealNow(ctx))
	got(ix.Delete(ctx, idsOf(items[:80])))(t)
	got(ix.Purge(ctx))(t) // most of the segment is dead: worth a rewrite
	gate.shut.Store(true)
	got(ix.Delete(ctx, []string{"wakes maintenance"}))(t)
	select {
	case <-gate.reached:
	case <-time.After(10 * time.Second):
		t.Fatal("maintenance does not rewrite a segment that is mostly dead")
	}
	crashTimed(t, 20*time.Second, "Close", func() {
		time.AfterFunc(100*time.Millisecond, func() { close(gate.open) }) // when Close waits for maintenance
		s.close()
	})
	s.open()
	wantItems(t, s.load("a"), byID(items[80:]...), "i0")
}

// TestCallsThatWaitForAFailedLoadDoNotLoadOnTheirOwn lets the reading of an
// index fail while another call waits for it. Were that one to read it on its
// own, the index would have two logs and two maintenances.
func TestCallsThatWaitForAFailedLoadDoNotLoadOnTheirOwn(t *testing.T) {
	ctx := context.Background()
	mem := vfs.NewCrashableMem()
	s := openStore(t, mem, nil)
	must(t, s.create("a").Upsert(ctx, makeItems("i", 10)))
	s.close()

	gate := newFaultGate(func(op errorfs.Op) bool { return op.Kind == errorfs.OpFileReadAt && faultSegment(op) })
	gate.fail = errors.New("a read fails once")
	s = openStore(t, errorfs.Wrap(mem, gate), s.keys)
	gate.shut.Store(true)
	type answer struct {
		ix  *engine.Index
		err error
	}
	load := func(to chan answer) {
		ix, err := s.LoadIndex(ctx, "a", engine.WithIndexKey(s.keys["a"]))
		to <- answer{ix, err}
	}
	first, second := make(chan answer, 1), make(chan answer, 1)
	go load(first)
	<-gate.reached
	go load(second)
	time.Sleep(50 * time.Millisecond) // it waits for the first
	close(gate.open)
	if a := <-first; !errors.Is(a.err, gate.fail) {
		t.Fatalf("first load: %v, want the failed read", a.err)
	}
	var handles []*engine.Index
	if a := <-second; a.err == nil {
		handles = append(handles, a.ix)
	}
	handles = append(handles, s.load("a"))
	want := byID(makeItems("i", 10)...)
	// One of a store that another test has closed may be on its last instructions.
	eventually(t, 10*time.Second, "one maintenance of the index is running", func() bool {
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		return strings.Count(string(stacks), "created by oubliette/engine.(*state).load") == 1
	})
	for i, ix := range handles {
		it := makeItem("by handle", i)
		must(t, ix.Upsert(ctx, []engine.Item{it}))
		want[it.ID] = it
	}
	wantItems(t, handles[0], want)
	s.reopen()
	wantItems(t, s.load("a"), want)
}

// TestAbortedUpsertDoesNotPutOffErasure gives an upsert up half-way and deletes
// afterwards: the deadline holds for both.
func TestAbortedUpsertDoesNotPutOffErasure(t *testing.T) {
	mem := vfs.NewCrashableMem()
	rec, fs := newCrashRecorder(mem, 1, crashNever)
	w := newCrashWorld(t, rec, fs)
	w.opts.PurgeWithin = 300 * time.Millisecond
	erased := make(chan engine.EraseInfo, 100)
	w.opts.EventListener = &engine.EventListener{Erased: func(i engine.EraseInfo) { erased <- i }}
	w.open()
	defer func() { must(t, w.db.Close()) }()
	w.create("a")
	w.upsert("a", "one", "two")
	time.Sleep(600 * time.Millisecond) // maintenance has looked, and sleeps
	w.aborted("a")
	w.delete("a", "one")
	select {
	case <-erased:
	case <-time.After(5 * time.Second):
		t.Fatal("nothing is erased 5 s after a delete, PurgeWithin is 300 ms")
	}
	eventually(t, 5*time.Second, "no byte is left", func() bool {
		return w.notes.residue(mem, func(v crashVersion) bool { return v.id == "one" }) == nil
	})
}

// TestIndexThatMayBeListedIsNotWrittenOver lets the commit fail that lists a
// segment's new index: nobody knows whether it is there. Another attempt must
// leave the index as it is, or the manifest lists one that is gone.
func TestIndexThatMayBeListedIsNotWrittenOver(t *testing.T) {
	ctx := context.Background()
	// Late: the commit reaches the disk, and is told as failed.
	in := &faultInjector{faultPlan: faultPlan{what: "log's sync", part: "/pebble", how: failfs.Late}, off: 1}
	w := newFaultWorld(t, in)
	w.open()
	w.create("a")
	w.upsert("a", crashIDs("s", 0, 20)...)
	w.maybe = w.now
	in.pause(-1)
	must(t, w.ix["a"].Roll(ctx)) // maintenance is woken, and seals it
	for range 3 {
		if err := w.ix["a"].SealNow(ctx); !errors.Is(err, engine.ErrFailed) {
			t.Errorf("seal while the log fails: %v", err)
		}
	}
	if err := w.ix["a"].Compact(ctx); !errors.Is(err, engine.ErrFailed) {
		t.Errorf("compaction while the log fails: %v", err)
	}
	w.get("a")
	images := w.images()
	if err := w.close(); !errors.Is(err, engine.ErrFailed) {
		t.Errorf("Close: %v", err)
	}
	w.verify(append(images, w.images()...))
}
