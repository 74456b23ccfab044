package wal

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/crypto"
)

// TestCallsThatMeetShareAGroup holds the first group until 63 more calls wait:
// they make one group, in the order in which they queued.
func TestCallsThatMeetShareAGroup(t *testing.T) {
	w := newWorld(t, vfs.NewMem())
	g := newGate()
	l := w.log(Position{}, g.after)
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() { w.append(l, entry(w.root, fmt.Sprint("call ", i))) })
		if i == 0 {
			<-g.arrived
		} else {
			until(t, "a call in the queue", func() bool { return l.queued() == i })
		}
	}
	g.let()
	at := <-g.arrived
	g.let()
	wg.Wait()
	if at.Group != 2 || at.Seq != 64 {
		t.Errorf("64 calls end at group %d, number %d; want 2 and 64", at.Group, at.Seq)
	}
	end, records := w.mustReplay()
	if end != at {
		t.Errorf("replay ends at %v, published was %v", end, at)
	}
	for i, r := range records {
		if want := fmt.Sprint("call ", i); string(r.Payload) != want || r.Seq != uint64(i+1) {
			t.Errorf("record %d is %q numbered %d", i, r.Payload, r.Seq)
		}
	}
}

// TestPublicationIsInSequenceOrderAndBeforeTheReturn runs 64 goroutines that
// append whatever their turn is.
func TestPublicationIsInSequenceOrderAndBeforeTheReturn(t *testing.T) {
	const goroutines, calls = 64, 20
	w := newWorld(t, vfs.NewMem())
	var shown sync.Map // value -> Position
	var busy atomic.Int32
	l := w.log(Position{}, nil)
	note := l.cfg.Publish
	l.cfg.Publish = func(at Position, n int, entries []*Entry) {
		if busy.Add(1) != 1 {
			t.Error("two publications at a time")
		}
		note(at, n, entries)
		for _, e := range entries {
			shown.Store(e.Value, at)
		}
		busy.Add(-1)
	}
	signers := []*crypto.Signer{w.root, w.alice, w.bob}
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for c := range calls {
				e := entry(signers[(g+c)%3], fmt.Sprintf("%d/%d", g, c))
				w.append(l, e)
				if at, ok := shown.Load(e.Value); !ok || at != e.At || e.Seq > e.At.Seq {
					t.Errorf("%v returned at %v with number %d, published was %v %v", e.Value, e.At, e.Seq, ok, at)
				}
			}
		})
	}
	wg.Wait()
	events := w.seen()
	for i, p := range events {
		if p.seq != uint64(i+1) {
			t.Fatalf("publication %d has number %d", i, p.seq)
		}
	}
	last := events[len(events)-1].at
	if len(events) != goroutines*calls || last.Group >= goroutines*calls {
		t.Errorf("%d calls made %d publications in %d groups", goroutines*calls, len(events), last.Group)
	}
	t.Logf("%d calls in %d groups", len(events), last.Group)
	end, records := w.mustReplay()
	if end != last {
		t.Errorf("replay ends at %v, published was %v", end, last)
	}
	for i, r := range records {
		if string(r.Payload) != events[i].value {
			t.Errorf("number %d is %q in the log and %q in the publication", r.Seq, r.Payload, events[i].value)
		}
	}
}

func TestAppendRefusesWhatReplayWouldRefuse(t *testing.T) {
	w := newWorld(t, vfs.NewMem())
	l := w.log(Position{}, nil)
	for name, e := range map[string]*Entry{
		"too large":    {Kind: KindUpsert, Signer: w.root, Payload: make([]byte, MaxPayload+1)},
		"no kind":      {Signer: w.root},
		"unknown kind": {Kind: 4, Signer: w.root},
		"no signer":    {Kind: KindUpsert},
	} {
		if err := l.Append(context.Background(), e); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if at, _ := w.mustReplay(); at != (Position{}) || l.Err() != nil {
		t.Errorf("something was written: %v, %v", at, l.Err())
	}
	w.append(l, entry(w.root, ""))
}

func TestLargestPayloadIsReadBack(t *testing.T) {
	w := newWorld(t, vfs.NewMem())
	g := newGate()
	l := w.log(Position{}, g.after)
	big := strings.Repeat("x", MaxPayload)
	var wg sync.WaitGroup
	for i, p := range []string{"first", big, "small"} {
		wg.Go(func() { w.append(l, entry(w.root, p)) })
		if i == 0 {
			<-g.arrived
		} else {
			until(t, "a call in the queue", func() bool { return l.queued() == i })
		}
	}
	g.let()
	if at := <-g.arrived; at.Seq != 2 {
		t.Errorf("the group of the largest payload ends at number %d: it should be alone", at.Seq)
	}
	g.let()
	<-g.arrived
	g.let()
	wg.Wait()
	if cap(l.enc.buf.B) > keptBuffer {
		t.Errorf("a buffer of %d bytes is kept", cap(l.enc.buf.B))
	}
	if at, records := w.mustReplay(); at.Group != 3 || string(records[1].Payload) != big {
		t.Errorf("replay ends at %v", at)
	}
}

func TestCancelledCallIsNotWritten(t *testing.T) {
	w := newWorld(t, vfs.NewMem())
	g := newGate()
	l := w.log(Position{}, g.after)
	done, cancel := context.WithCancel(context.Background())
	cancel()
	if err := l.Append(done, entry(w.root, "never")); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled before: %v", err)
	}

	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { w.append(l, entry(w.root, "first")) })
	<-g.arrived
	left := make(chan error)
	go func() { left <- l.Append(ctx, entry(w.root, "left")) }()
	until(t, "the call in the queue", func() bool { return l.queued() == 1 })
	wg.Go(func() { w.append(l, entry(w.root, "last")) })
	until(t, "the call in the queue", func() bool { return l.queued() == 2 })
	cancel()
	if err := <-left; !errors.Is(err, context.Canceled) { // while the first group still stands
		t.Errorf("cancelled in the queue: %v", err)
	}
	g.let()
	<-g.arrived
	g.let()
	wg.Wait()
	_, records := w.mustReplay()
	got := payloads(records)
	if len(got) != 2 || got["first"] != 1 || got["last"] != 2 {
		t.Errorf("the log holds %v", got)
	}
}

// TestCancelCountsNoLongerOnceAGroupHasTheCall: both the leader and a member of
// the group in flight are cancelled, and both are written.
func TestCancelCountsNoLongerOnceAGroupHasTheCall(t *testing.T) {
	w := newWorld(t, vfs.NewMem())
	g := newGate()
	l := w.log(Position{}, g.after)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() { w.append(l, entry(w.root, "first")) })
	<-g.arrived
	ends := make(chan error, 2)
	for i, p := range []string{"leader", "member"} {
		go func() { ends <- l.Append(ctx, entry(w.root, p)) }()
		until(t, "the call in the queue", func() bool { return l.queued() == i+1 })
	}
	g.let()
	<-g.arrived
	cancel()
	select {
	case err := <-ends:
		t.Errorf("a call of the group in flight ended: %v", err)
	default:
	}
	g.let()
	for range 2 {
		if err := <-ends; err != nil {
			t.Errorf("cancelled in flight: %v", err)
		}
	}
	wg.Wait()
	if _, records := w.mustReplay(); len(records) != 3 {
		t.Errorf("%d records, want 3", len(records))
	}
}

// TestLeadGivenToACancelledCallIsTaken: the lead lies in the turn of a call
// whose context has ended. It must not leave with it.
func TestLeadGivenToACancelledCallIsTaken(t *testing.T) {
	w := newWorld(t, vfs.NewMem())
	l := w.log(Position{}, nil)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	wt := &waiter{entry: entry(w.root, "led"), turn: make(chan bool, 1)}
	if err := l.join(wt); err != nil {
		t.Fatal(err)
	}
	within(t, "leave", func() {
		if err := l.leave(ctx, wt); err != nil {
			t.Errorf("leave: %v", err)
		}
		w.append(l, entry(w.root, "next"))
	})
	if _, records := w.mustReplay(); len(records) != 2 {
		t.Errorf("%d records, want 2", len(records))
	}
}

// TestALeaderLetsThoseWhoComeBackRun: on one processor a call that is about to be made
// runs only when the leader lets it, and joins the leader's group then. Once in a while
// the scheduler has the leader go on at once; that is not enough of them.
func TestALeaderLetsThoseWhoComeBackRun(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	w := newWorld(t, vfs.NewMem())
	l := w.log(Position{}, nil)
	const rounds = 40
	for range rounds {
		l.mu.Lock()
		l.mu.away = 2 // as if two calls of the last group had been told
		l.mu.Unlock()
		leader := &waiter{entry: entry(w.root, "leads"), turn: make(chan bool, 1)}
		if err := l.join(leader); err != nil {
			t.Fatal(err)
		}
		ends := make(chan error, 1)
		go func() { ends <- l.Append(context.Background(), entry(w.root, "comes back")) }()
		<-leader.turn
		l.lead()
		within(t, "the other call", func() {
			if err := errors.Join(leader.err, <-ends); err != nil {
				t.Error(err)
			}
		})
	}
	at, records := w.mustReplay()
	if len(records) != 2*rounds || at.Group > rounds+rounds/4 {
		t.Errorf("%d groups of %d records, want about %d of two each", at.Group, len(records), rounds)
	}
}

// TestPanicInAGroupStrandsNobody: a fault of the program in one call's goroutine
// ends the log, and the others are told.
func TestPanicInAGroupStrandsNobody(t *testing.T) {
	w := newWorld(t, vfs.NewMem())
	g := newGate()
	l := w.log(Position{}, g.after)
	spoiled := crypto.NewSigner(crypto.UserID{9}, crypto.NewSecret())
	spoiled.Wipe()
	var wg sync.WaitGroup
	wg.Go(func() { w.append(l, entry(w.root, "first")) })
	<-g.arrived
	caught := make(chan any, 1)
	go func() {
		defer func() { caught <- recover() }()
		_ = l.Append(context.Background(), entry(spoiled, "spoiled"))
	}()
	until(t, "the call in the queue", func() bool { return l.queued() == 1 })
	ends := make(chan error, 1)
	go func() { ends <- l.Append(context.Background(), entry(w.root, "beside")) }()
	until(t, "the call in the queue", func() bool { return l.queued() == 2 })
	g.let()
	within(t, "the group", func() {
		if r := <-caught; r == nil {
			t.Error("no panic: the test shows nothing")
		}
		if err := <-ends; !errors.Is(err, errUnfinished) {
			t.Errorf("the call beside it: %v", err)
		}
		if err := l.Append(context.Background(), entry(w.root, "later")); !errors.Is(err, errUnfinished) {
			t.Errorf("a later call: %v", err)
		}
		if err := w.db.Err(); !errors.Is(err, errUnfinished) {
			t.Errorf("the database goes on: %v", err)
		}
	})
	wg.Wait()
}
