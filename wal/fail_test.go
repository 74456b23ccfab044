package wal

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/crypto"
	"oubliette/internal/fault"
	"oubliette/internal/latchfs/failfs"
)

// TestFailedWriteIsToldToGroupQueueAndLaterCalls fails the sync of the second
// group while calls wait behind it.
func TestFailedWriteIsToldToGroupQueueAndLaterCalls(t *testing.T) {
	const inFlight, behind = 5, 7
	inner := vfs.NewCrashableMem()
	var armed atomic.Bool
	syncing, fail := make(chan struct{}), make(chan struct{})
	fs := failfs.New(inner, func(_ int, op, path string) failfs.Verdict {
		if op == "sync" && filepath.Ext(path) == ".log" && armed.CompareAndSwap(true, false) {
			close(syncing)
			<-fail
			return failfs.Refuse
		}
		return failfs.Pass
	})
	w := newWorld(t, fs)
	g := newGate()
	l := w.log(Position{}, g.after)
	var first sync.WaitGroup
	first.Go(func() { w.append(l, entry(w.root, "first")) })
	<-g.arrived
	ends := make(chan error)
	call := func(i int) { ends <- l.Append(context.Background(), entry(w.root, fmt.Sprint(i))) }
	for i := range inFlight {
		go call(i)
	}
	until(t, "calls in the queue", func() bool { return l.queued() == inFlight })
	armed.Store(true)
	g.let()
	first.Wait()
	<-syncing
	for i := range behind {
		go call(inFlight + i)
	}
	until(t, "calls behind the group", func() bool { return l.queued() == behind })
	close(fail)
	within(t, "a call", func() {
		for range inFlight + behind {
			if err := <-ends; !errors.Is(err, fault.ErrFailed) || !errors.Is(err, failfs.ErrInjected) {
				t.Errorf("%v, want ErrFailed with its cause", err)
			}
		}
		if err := l.Append(context.Background(), entry(w.root, "later")); !errors.Is(err, fault.ErrFailed) {
			t.Errorf("a later call: %v", err)
		}
	})
	if !errors.Is(l.Err(), fault.ErrFailed) {
		t.Errorf("Err: %v", l.Err())
	}
	if got := w.seen(); len(got) != 1 {
		t.Errorf("%d records published, one was committed", len(got))
	}
	for _, percent := range []int{0, 100} { // what the disk may keep of the failed group
		clone := inner.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rand.New(rand.NewPCG(1, 2))})
		w.db = open(t, clone)
		at, records := w.mustReplay()
		got := payloads(records)
		if got["first"] != 1 || len(got) != 1 && len(got) != 1+inFlight {
			t.Errorf("after the crash, %d%% kept: %v", percent, got)
		}
		w.append(w.log(at, nil), entry(w.root, "goes on"))
	}
}

func TestFailFromOutsideLetsTheGroupInFlightFinish(t *testing.T) {
	w := newWorld(t, vfs.NewMem())
	g := newGate()
	l := w.log(Position{}, g.after)
	ends, first := make(chan error), make(chan error)
	go func() { first <- l.Append(context.Background(), entry(w.root, "first")) }()
	<-g.arrived
	for range 5 {
		go func() { ends <- l.Append(context.Background(), entry(w.root, "waits")) }()
	}
	until(t, "calls in the queue", func() bool { return l.queued() == 5 })
	closed := errors.New("closed")
	l.Fail(closed)
	l.Fail(errors.New("the second word does not count"))
	within(t, "a waiting call", func() {
		for range 5 {
			if err := <-ends; !errors.Is(err, closed) {
				t.Errorf("a waiting call: %v", err)
			}
		}
	})
	if err := l.Append(context.Background(), entry(w.root, "later")); !errors.Is(err, closed) || !errors.Is(l.Err(), closed) {
		t.Errorf("a later call: %v; Err: %v", err, l.Err())
	}
	g.let()
	if err := <-first; err != nil {
		t.Errorf("the call in flight: %v", err)
	}
	if _, records := w.mustReplay(); len(records) != 1 {
		t.Errorf("%d records in the log, one was in flight", len(records))
	}
}

// TestFailBetweenLeadAndGroupWritesNothing: Fail comes when a call has read its
// lead, or has it lying in its turn, and has not cut its group yet. A group of
// no record would be refused by every replay.
func TestFailBetweenLeadAndGroupWritesNothing(t *testing.T) {
	for name, read := range map[string]bool{"lead read": true, "lead lies in the turn": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, vfs.NewMem())
			l := w.log(Position{}, nil)
			wt := &waiter{entry: entry(w.root, "waits"), turn: make(chan bool, 1)}
			if err := l.join(wt); err != nil {
				t.Fatal(err)
			}
			closed := errors.New("closed")
			within(t, "the call", func() {
				if read {
					<-wt.turn
				}
				l.Fail(closed)
				if !read && !<-wt.turn {
					t.Error("the lead is gone from the turn")
				}
				l.lead()
			})
			if wt.err != closed {
				t.Errorf("the call was answered %v", wt.err)
			}
			if at, records := w.mustReplay(); at.Group != 0 || len(w.seen()) != 0 {
				t.Errorf("group %d with %d records was written", at.Group, len(records))
			}
		})
	}
}

// outcome is what a call of the storm was answered.
type outcome struct {
	name string
	err  error
}

// TestStorm lets callers come, give up and be failed at random, with a disk
// that fails at some point and a Fail from outside at another. Every call has
// to return; what was acknowledged has to be there after a crash, in the order
// told; what was refused must not be.
func TestStorm(t *testing.T) {
	rounds := 40
	if testing.Short() {
		rounds = 10
	}
	rng := seeded(t)
	for range rounds {
		storm(t, rand.New(rand.NewPCG(rng.Uint64(), rng.Uint64())))
		if t.Failed() {
			return
		}
	}
}

func storm(t *testing.T, rng *rand.Rand) {
	inner := vfs.NewCrashableMem()
	var countdown atomic.Int64
	countdown.Store(1 << 40)
	w := newWorld(t, failfs.New(inner, func(int, string, string) failfs.Verdict {
		if countdown.Add(-1) == 0 {
			return failfs.Refuse
		}
		return failfs.Pass
	}))
	l := w.log(Position{}, nil)
	if rng.IntN(3) > 0 {
		countdown.Store(rng.Int64N(400))
	}
	closed := errors.New("closed")
	var outcomes []outcome
	within(t, "the storm", func() {
		outcomes = w.rage(l, rng, func() {
			if rng.IntN(3) > 0 {
				time.Sleep(time.Duration(rng.IntN(3_000_000)))
				l.Fail(closed)
			}
		})
	})
	clone := inner.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
	w.db = open(t, clone)
	at, records := w.mustReplay()
	got := payloads(records)
	for _, o := range outcomes {
		_, there := got[o.name]
		switch {
		case o.err == nil && !there:
			t.Errorf("%s was acknowledged and is gone", o.name)
		case there && (errors.Is(o.err, context.Canceled) || errors.Is(o.err, closed)):
			t.Errorf("%s was answered %v and is there", o.name, o.err)
		case o.err != nil && !errors.Is(o.err, context.Canceled) && !errors.Is(o.err, closed) && !errors.Is(o.err, fault.ErrFailed):
			t.Errorf("%s: %v", o.name, o.err)
		}
	}
	for i, p := range w.seen() {
		if i >= len(records) || string(records[i].Payload) != p.value || records[i].Seq != p.seq {
			t.Fatalf("publication %d, %v, is not in its place in the log", i, p.value)
		}
	}
	w.append(w.log(at, nil), entry(w.root, "after the storm"))
	w.mustReplay()
}

// rage runs 16 callers with 30 calls each, and other beside them.
func (w *world) rage(l *Log, rng *rand.Rand, other func()) []outcome {
	const callers, calls = 16, 30
	outcomes := make([][]outcome, callers)
	signers := []*crypto.Signer{w.root, w.alice, w.bob}
	var wg sync.WaitGroup
	for c := range callers {
		mine := rand.New(rand.NewPCG(rng.Uint64(), rng.Uint64()))
		wg.Go(func() {
			for k := range calls {
				name := fmt.Sprintf("%d/%d", c, k)
				err := w.impatient(l, mine, entry(signers[c%3], name))
				outcomes[c] = append(outcomes[c], outcome{name, err})
			}
		})
	}
	other()
	wg.Wait()
	var all []outcome
	for _, o := range outcomes {
		all = append(all, o...)
	}
	return all
}

// impatient appends with a context that half of the time ends soon.
func (w *world) impatient(l *Log, rng *rand.Rand, e *Entry) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if rng.IntN(2) == 0 {
		timer := time.AfterFunc(time.Duration(rng.IntN(150_000)), cancel)
		defer timer.Stop()
	}
	return l.Append(ctx, e)
}
