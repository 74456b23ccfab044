package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"oubliette/engine"
	"oubliette/internal/latchfs/failfs"
)

// faultPlan says which call to the file system fails, and how.
type faultPlan struct {
	what   string // printed
	part   string // of the path
	reads  bool   // else mutations
	err    error  // what it answers; nil: verdict says what is done
	how    failfs.Verdict
	sticky bool // it and every later one
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

// hit tells whether this call fails.
func (in *faultInjector) hit(read bool, op, path string) bool {
	if read != in.reads || !strings.Contains(path, in.part) {
		return false
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.off > 0 {
		return false
	}
	in.n++
	if in.n-1 == in.k || in.sticky && in.n-1 > in.k {
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
	if in.err != nil && in.hit(read, fmt.Sprint("op ", int(op.Kind)), op.Path) {
		return in.err
	}
	return nil
}

func (in *faultInjector) String() string { return in.what }

// verdict fails calls with the deed done, or half done.
func (in *faultInjector) verdict(_ int, op, path string) failfs.Verdict {
	if in.err == nil && op != "preallocate" && op != "close" && op != "stat" && in.hit(false, op, path) {
		return in.how
	}
	return failfs.Pass
}

func (in *faultInjector) pause(by int) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.off += by
}

func (in *faultInjector) hasFired() string {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.fired
}

// faultWorld runs calls that may fail, with the oracle beside them.
type faultWorld struct {
	t     testing.TB
	in    *faultInjector
	mem   *vfs.MemFS
	opts  engine.Options
	db    *engine.DB
	ix    map[string]*engine.Index
	keys  map[string]engine.Key
	notes *crashNotes

	now    *crashModel
	maybe  *crashModel // what the first call that answered ErrFailed would have made
	failed bool        // some call answered ErrFailed
	undead bool        // index b is gone and its files are not
	errs   []error     // other errors
	next   int
}

func newFaultWorld(t testing.TB, in *faultInjector) *faultWorld {
	w := &faultWorld{
		t: t, in: in, mem: vfs.NewCrashableMem(),
		ix: make(map[string]*engine.Index), keys: make(map[string]engine.Key),
		notes: newCrashNotes(), now: newCrashModel(), next: 1,
	}
	w.opts = crashOptions(failfs.New(errorfs.Wrap(w.mem, in), in.verdict))
	return w
}

func (w *faultWorld) String() string {
	return fmt.Sprintf("%s, call %d (%s)", w.in.what, w.in.k, w.in.hasFired())
}

func (w *faultWorld) errorf(format string, args ...any) {
	w.t.Helper()
	w.t.Errorf("%v: %s", w, fmt.Sprintf(format, args...))
}

// call runs one call under a limit of time. It answers whether it was done.
func (w *faultWorld) call(what string, next *crashModel, run func() error) bool {
	w.t.Helper()
	var err error
	crashTimed(w.t, 30*time.Second, w.String()+": "+what, func() { err = run() })
	switch {
	case err == nil && w.failed && next != w.now:
		w.errorf("%s is acknowledged after ErrFailed", what)
	case err == nil:
		w.now = next
	case errors.Is(err, engine.ErrFailed):
		if !w.failed && next != w.now {
			w.maybe = next
		}
		w.failed = true
	case w.failed && !w.in.sticky: // else other things may fail first
		w.errorf("%s after ErrFailed answers %v", what, err)
	default:
		w.errs = append(w.errs, fmt.Errorf("%s: %w", what, err))
	}
	return err == nil
}

// paused does something that no fault is to meet.
func (w *faultWorld) paused(do func()) {
	w.in.pause(1)
	defer w.in.pause(-1)
	do()
}

func (w *faultWorld) open() bool {
	return w.call("Open", w.now, func() (err error) {
		w.db, err = engine.Open(storeDir, &w.opts)
		return err
	})
}

func (w *faultWorld) create(name string) {
	w.keys[name] = engine.NewKey()
	next := w.now.with(name, func(map[string]int) {})
	done := w.call("CreateIndex", next, func() (err error) {
		w.ix[name], err = w.db.CreateIndex(context.Background(), name, w.keys[name], engine.IndexConfig{})
		return err
	})
	if !done && !w.failed {
		w.settle(name, w.now, next)
	}
}

// settle finds out whether an index is there after its creation or removal
// answered an error: either may have gone through and then met a fault.
func (w *faultWorld) settle(name string, without, with *crashModel) {
	names, err := w.db.ListIndexes()
	if err != nil {
		w.errorf("ListIndexes: %v", err)
	}
	if w.now = without; slices.Contains(names, name) {
		w.now = with
		w.paused(func() {
			if w.ix[name], err = w.db.LoadIndex(context.Background(), name, engine.WithIndexKey(w.keys[name])); err != nil {
				w.errorf("load of %s: %v", name, err)
			}
		})
	}
}

func (w *faultWorld) drop(name string) {
	if w.ix[name] == nil {
		return
	}
	before, next := w.now, w.now.without(name)
	done := w.call("DeleteIndex", next, func() error {
		return w.db.DeleteIndex(context.Background(), name, w.keys[name])
	})
	if !done && !w.failed {
		w.settle(name, next, before)
		w.undead = w.now == next // gone, but its files are left to the next Open
	}
	delete(w.ix, name)
}

func (w *faultWorld) upsert(name string, ids ...string) {
	if w.ix[name] == nil {
		return
	}
	version := w.next
	w.next++
	items := make([]engine.Item, len(ids))
	for i, id := range ids {
		items[i] = crashItem(id, version)
	}
	next := w.now.with(name, func(m map[string]int) {
		for _, id := range ids {
			m[id] = version
		}
	})
	if w.call("Upsert", next, func() error { return w.ix[name].Upsert(context.Background(), items) }) {
		w.note(name, ids)
	}
}

// note notes sealed bytes of items.
func (w *faultWorld) note(name string, ids []string) {
	w.paused(func() {
		rows, err := w.ix[name].SealedRows(context.Background(), ids)
		for try := 0; err != nil && try < 20; try++ { // moved meanwhile
			time.Sleep(time.Millisecond)
			rows, err = w.ix[name].SealedRows(context.Background(), ids)
		}
		if err != nil {
			w.errorf("sealed bytes of %v: %v", ids, err)
		}
		for _, row := range rows {
			w.notes.add(crashVersion{name, row.ID, w.now.indexes[name][row.ID]}, row.Bytes)
		}
	})
}

func (w *faultWorld) delete(name string, ids ...string) {
	if w.ix[name] == nil {
		return
	}
	next := w.now.with(name, func(m map[string]int) {
		for _, id := range ids {
			delete(m, id)
		}
	})
	w.call("Delete", next, func() error {
		_, err := w.ix[name].Delete(context.Background(), ids)
		return err
	})
}

func (w *faultWorld) purge(name string) bool {
	return w.ix[name] == nil || w.call("Purge", w.now, func() error {
		_, err := w.ix[name].Purge(context.Background())
		return err
	})
}

func (w *faultWorld) compact(name string) bool {
	return w.ix[name] == nil || w.call("Compact", w.now, func() error { return w.ix[name].Compact(context.Background()) })
}

// get reads what lives and what does not. A wrong answer is never right; an
// error is, while reads fail.
func (w *faultWorld) get(name string) {
	if w.ix[name] == nil {
		return
	}
	ids := crashIDs("s", 0, 30)
	var have []engine.Item
	var err error
	crashTimed(w.t, 30*time.Second, w.String()+": Get", func() {
		have, err = w.ix[name].Get(context.Background(), ids, engine.AllFields)
	})
	if err != nil {
		w.errs = append(w.errs, fmt.Errorf("Get: %w", err))
		if !w.in.reads {
			w.errorf("Get fails: %v", err)
		}
		if errors.Is(err, engine.ErrCorrupt) {
			w.errorf("a read that failed is called corrupt: %v", err)
		}
		return
	}
	if w.maybe != nil {
		return // not told which of the two it shows
	}
	for _, it := range have {
		if v, ok := w.now.indexes[name][it.ID]; !ok || !equal(it, crashItem(it.ID, v)) {
			w.errorf("Get of %q answers %.60s", it.ID, it.Metadata)
		}
	}
	n := 0
	for _, id := range ids {
		if _, ok := w.now.indexes[name][id]; ok {
			n++
		}
	}
	if n != len(have) {
		w.errorf("Get answers %d items of %d", len(have), n)
	}
}

// script is what is run against a faulty disk.
func (w *faultWorld) script() {
	if !w.open() {
		return
	}
	w.create("a")
	w.upsert("a", crashIDs("s", 0, 12)...)
	w.upsert("a", crashIDs("L", 0, 32)...) // fills a segment
	w.get("a")
	w.upsert("a", crashIDs("s", 8, 20)...)
	w.delete("a", append(crashIDs("L", 0, 6), crashIDs("s", 0, 3)...)...)
	w.purge("a")
	w.get("a")
	w.upsert("a", crashIDs("s", 0, 2)...)
	w.delete("a", append(crashIDs("L", 6, 24), "s09")...)
	w.get("a")
	w.compact("a")
	w.create("b")
	w.upsert("b", crashIDs("s", 0, 4)...)
	w.get("b")
	w.drop("b")
	w.upsert("a", crashIDs("L", 20, 52)...) // and another
	w.delete("a", append(crashIDs("L", 40, 44), "s12")...)
	w.purge("a")
	w.get("a")
	w.upsert("a", crashIDs("s", 4, 10)...)
	w.delete("a", "s04")
}

// images are the store as a restart, a crash and a half-kept crash find it.
func (w *faultWorld) images() []*crashImage {
	rec := &crashRecorder{mem: w.mem, now: w.now, next: w.maybe, during: w.String()}
	var out []*crashImage
	for i, style := range crashStyles {
		if !crashLong() && i%2 == 1 {
			continue
		}
		out = append(out, rec.take("end", "", style, uint64(i)))
	}
	return out
}

func (w *faultWorld) verify(images []*crashImage) {
	w.t.Helper()
	v := &crashVerifier{ever: crashRoots(w.keys), notes: w.notes}
	for _, im := range images {
		if err := v.verify(im); err != nil {
			w.errorf("%v: %v (errors before: %v)", im, err, w.errs)
		}
	}
}

// close closes the store, which has to come back.
func (w *faultWorld) close() (err error) {
	if w.db != nil {
		crashTimed(w.t, 30*time.Second, w.String()+": Close", func() { err = w.db.Close() })
	}
	return err
}
