package engine_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"oubliette/engine"
	"oubliette/internal/latchfs/failfs"
)

// faultWorld runs calls that may fail, with the oracle beside them.
type faultWorld struct {
	t     testing.TB
	in    *faultInjector
	mem   *vfs.MemFS
	opts  engine.Options
	db    *engine.DB
	ix    map[string]*engine.Index
	ever  map[string][]epochLogin // every key that ever opened an index of that name, or was to
	as    *epochLogin             // who calls; nil: root
	notes *crashNotes
	clock *testClock

	now    *crashModel
	maybe  *crashModel // what the first call that answered ErrFailed would have made
	failed bool        // some call answered ErrFailed
	undead bool        // index b is gone and its files are not
	closed bool        // it has been closed since the fault, or could not be opened at it
	errs   []error     // other errors
	next   int
}

func newFaultWorld(t testing.TB, in *faultInjector) *faultWorld {
	w := &faultWorld{
		t: t, in: in, mem: vfs.NewCrashableMem(),
		ix: make(map[string]*engine.Index), ever: make(map[string][]epochLogin),
		notes: newCrashNotes(), clock: newTestClock(), now: newCrashModel(), next: 1,
	}
	w.opts = crashOptions(failfs.New(errorfs.Wrap(w.mem, in), in.verdict))
	w.clock.option(&w.opts)
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
	case w.failed && !w.in.sticky && w.in.times == 0: // else other things may fail first
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

// start opens the store. Where a fault keeps it from being opened, it has to open
// when the fault is over.
func (w *faultWorld) start() bool {
	if !w.open() {
		w.failed, w.closed = false, true // nothing goes on that could fail
		w.paused(func() {
			if !w.open() {
				w.errorf("cannot be opened when the fault is over: %v", w.errs)
			}
		})
	}
	if w.t.Failed() {
		return false
	}
	for name := range w.now.indexes {
		w.load(name)
	}
	return true
}

// load binds the handle of an index to root's key.
func (w *faultWorld) load(name string) {
	load := func() (err error) {
		w.ix[name], err = w.db.LoadIndex(context.Background(), name, engine.WithIndexKey(w.now.who[name].root))
		return err
	}
	if w.call("LoadIndex", w.now, load) || w.failed {
		return
	}
	w.paused(func() {
		if err := load(); err != nil {
			w.errorf("load of %s when the fault is over: %v", name, err)
		}
	})
}

// reopen closes the store and opens it again. It answers false when there is
// nothing more to be run: a failed log keeps which of two states the store is in
// open.
func (w *faultWorld) reopen() bool {
	err := w.close()
	w.db, w.closed = nil, w.in.hasFired() != ""
	clear(w.ix)
	switch pending := new(engine.PendingError); {
	case w.failed && !errors.Is(err, engine.ErrFailed):
		w.errorf("Close after ErrFailed: %v", err)
	case err == nil:
	case errors.Is(err, engine.ErrFailed):
		w.failed = true
	case w.in.hasFired() == "":
		w.errorf("Close without any fault: %v", err)
	case errors.As(err, &pending):
		w.errs = append(w.errs, fmt.Errorf("Close: %w", err))
	default:
		w.errs = append(w.errs, fmt.Errorf("Close: %w", err))
	}
	if w.failed {
		return false
	}
	return w.start()
}

// by lets a user make calls, if it has come to be one.
func (w *faultWorld) by(name string, n byte, calls func()) {
	who := w.now.who[name]
	if who == nil {
		return
	}
	if l, ok := who.users[userID(n)]; ok {
		w.as = &l
		defer func() { w.as = nil }()
		calls()
	}
}

// who is what a call brings.
func (w *faultWorld) who(opts ...engine.OpOption) []engine.OpOption {
	if w.as == nil {
		return opts
	}
	return append(w.as.opts(), opts...)
}

// root brings root's key, whoever calls.
func (w *faultWorld) root(name string) engine.OpOption {
	return engine.WithIndexKey(w.now.who[name].root)
}

func (w *faultWorld) verifier() *crashVerifier {
	return &crashVerifier{ever: w.ever, notes: w.notes, clock: w.clock}
}

// images are the store as a restart, a crash and a half-kept crash find it.
func (w *faultWorld) images() []*crashImage {
	rec := &crashRecorder{mem: w.mem, now: w.now, next: w.maybe, during: w.String()}
	styles := []crashStyle{{percent: 10 + 20*(w.in.k%5)}, {percent: 0}, {kill: true}}
	if !crashLong() {
		styles = styles[w.in.k%3:][:1]
	}
	var out []*crashImage
	for i, style := range styles {
		out = append(out, rec.take("end", "", style, uint64(i)))
	}
	return out
}

// image is the store as the next process finds it.
func (w *faultWorld) image() *crashImage {
	rec := &crashRecorder{mem: w.mem, now: w.now, next: w.maybe, during: w.String()}
	return rec.take("end", "", crashStyle{kill: w.in.k%2 == 0}, 0)
}

func (w *faultWorld) verify(images []*crashImage) {
	w.t.Helper()
	v := w.verifier()
	for _, im := range images {
		if err := v.verify(im); err != nil {
			w.errorf("%v: %v (errors before: %v)", im, err, errors.Join(w.errs...))
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
