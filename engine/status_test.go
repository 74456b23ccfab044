package engine_test

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/engine"
)

// clock is a wall clock that a test sets.
type clock struct{ at atomic.Int64 }

func newClock() *clock {
	c := new(clock)
	c.set(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	return c
}

func (c *clock) now() time.Time  { return time.UnixMilli(c.at.Load()).UTC() }
func (c *clock) set(t time.Time) { c.at.Store(t.UnixMilli()) }
func (c *clock) add(d time.Duration) time.Time {
	return time.UnixMilli(c.at.Add(d.Milliseconds())).UTC()
}
func (c *clock) use(o *engine.Options) { o.Now = c.now }

func TestStatusGoesThroughItsStates(t *testing.T) {
	ctx := context.Background()
	c := newClock()
	s := newStore(t, c.use)
	ix := s.create("a")
	must(t, ix.Upsert(ctx, makeItems("k", 100)))
	var gone residue
	gone.note(t, s, ix, []string{"k1", "k2"})
	r := got(ix.Delete(ctx, []string{"k1", "unknown", "k2", "k1"}))(t)
	if r.Count != 3 {
		t.Fatalf("receipt of %d ids", r.Count)
	}
	st := got(ix.Status(ctx, r))(t)
	if st != (engine.Erasure{State: engine.Hidden, Wait: engine.WaitTurn}) {
		t.Errorf("after the delete: %+v", st)
	}
	at := c.add(time.Minute)
	got(ix.Purge(ctx))(t)
	gone.wantGone(t, s.fs)
	st = got(ix.Status(ctx, r))(t)
	bytes := st.Bytes
	want := engine.Erasure{State: engine.Erased, Counted: true, Asked: 3, Rows: 2, Bytes: bytes, AppliedAt: at, ErasedAt: at}
	if st != want || bytes < 200 {
		t.Errorf("after the purge: %+v, want %+v", st, want)
	}
	c.add(time.Hour)
	s.reopen()
	ix = s.load("a")
	if st = got(ix.Status(ctx, r))(t); st != want {
		t.Errorf("after a restart: %+v, want %+v", st, want)
	}
	want.Rewritten, want.RewrittenAt = true, c.now()
	got(ix.Purge(ctx, engine.WithRewrite()))(t)
	if st = got(ix.Status(ctx, r))(t); st != want {
		t.Errorf("after the rewrite: %+v, want %+v", st, want)
	}
	newKey := engine.NewKey()
	must(t, ix.RotateKey(ctx, s.keys["a"], newKey))
	s.keys["a"] = newKey
	s.reopen()
	if st = got(s.load("a").Status(ctx, r))(t); st != want {
		t.Errorf("after another epoch and a restart: %+v, want %+v", st, want)
	}
	gone.wantGone(t, s.fs)
}

// A row is counted for the delete that found it alive, whatever came later.
func TestEachDeleteCountsWhatItFound(t *testing.T) {
	ctx := context.Background()
	for _, sealed := range []bool{false, true} {
		t.Run(fmt.Sprintf("sealed=%v", sealed), func(t *testing.T) {
			s := newStore(t)
			ix := s.create("a")
			must(t, ix.Upsert(ctx, makeItems("k", 10)))
			if sealed {
				must(t, ix.Roll(ctx))
				must(t, ix.SealNow(ctx))
			}
			var receipts []engine.Receipt
			var want []int
			del := func(n int, ids ...string) {
				receipts = append(receipts, got(ix.Delete(ctx, ids))(t))
				want = append(want, n)
			}
			del(1, "k1")
			del(0, "k1")                                              // again
			must(t, ix.Upsert(ctx, []engine.Item{makeItem("k1", 2)})) // and back
			must(t, ix.Upsert(ctx, []engine.Item{makeItem("k2", 2)})) // the old version is nobody's
			del(2, "k1", "k2", "k1", "none")
			must(t, ix.Upsert(ctx, []engine.Item{makeItem("k1", 3)}))
			got(ix.Purge(ctx))(t)
			del(1, "k1")
			del(8, idsOf(makeItems("k", 10))...)
			got(ix.Purge(ctx))(t)
			for i, r := range receipts {
				if st := got(ix.Status(ctx, r))(t); !st.Counted || st.Rows != want[i] || st.Asked != r.Count {
					t.Errorf("delete %d: %+v, want %d rows", i, st, want[i])
				}
			}
		})
	}
}

func TestStatusSaysWhatADeleteWaitsFor(t *testing.T) {
	ctx := context.Background()
	first := newStore(t)
	ix := first.create("a")
	reader, writer := engine.NewKey(), engine.NewKey()
	must(t, ix.CreateUserKeys(ctx, userID(1), reader, engine.PermRead, first.keys["a"]))
	must(t, ix.CreateUserKeys(ctx, userID(2), writer, engine.PermWrite, first.keys["a"]))
	must(t, ix.Upsert(ctx, makeItems("k", 10)))
	r := got(ix.Delete(ctx, []string{"k1"}))(t)
	s := openStore(t, first.fs.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{}), first.keys)
	keyless := got(s.LoadIndex(ctx, "a"))(t)
	if st := got(keyless.Status(ctx, r, as(userID(1), reader)...))(t); st.State != engine.Hidden || st.Wait != engine.WaitKey {
		t.Errorf("with a reader alone: %+v", st)
	}
	eventually(t, 10*time.Second, "a writer asks, and it is erased", func() bool {
		st := got(keyless.Status(ctx, r, as(userID(2), writer)...))(t)
		return st.State == engine.Erased && st.Rows == 1
	})
}

func TestStatusRefusesWhatIsNotOfThisHistory(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	ix := s.create("a")
	must(t, ix.Upsert(ctx, makeItems("k", 10)))
	old := got(ix.Delete(ctx, []string{"k0"}))(t)
	got(ix.Purge(ctx))(t)
	before := s.fs.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{})
	r := got(ix.Delete(ctx, []string{"k1", "k2"}))(t)

	_, err := ix.Status(ctx, engine.Receipt{})
	wantError(t, err, engine.ErrInvalid)
	_, err = s.create("b").Status(ctx, r)
	wantError(t, err, engine.ErrInvalid, ix.ID().String())
	alter := map[string]func(*engine.Receipt){
		"session": func(r *engine.Receipt) { r.Session[3]++ },
		"number":  func(r *engine.Receipt) { r.Seq++ },
		"before":  func(r *engine.Receipt) { r.Seq = old.Seq },
		"group":   func(r *engine.Receipt) { r.Group-- },
		"head":    func(r *engine.Receipt) { r.Head[31]++ },
	}
	refused := func(when string) {
		t.Helper()
		for name, change := range alter {
			x := r
			change(&x)
			if st, err := ix.Status(ctx, x); err == nil {
				t.Errorf("%s, with another %s: %+v", when, name, st)
			} else {
				wantError(t, err, engine.ErrCorrupt)
			}
		}
	}
	refused("before the purge")
	got(ix.Purge(ctx))(t)
	x := r
	x.Count = 1
	_, err = ix.Status(ctx, x)
	wantError(t, err, engine.ErrCorrupt, "of 1 ids")
	s.reopen()
	ix = s.load("a")
	delete(alter, "before") // a delete of the same session that is there
	delete(alter, "group")  // its record has been truncated
	refused("after a restart")

	back := openStore(t, before, s.keys)
	bix := back.load("a")
	_, err = bix.Status(ctx, r)
	wantError(t, err, engine.ErrCorrupt, r.Session.String()) // rolled back: the delete is missing
	got(bix.Status(ctx, old))(t)
	got(bix.Delete(ctx, []string{"k1", "k2"}))(t)
	_, err = bix.Status(ctx, r)
	wantError(t, err, engine.ErrCorrupt, r.Session.String()) // one that looks alike, of another history
}

func TestStatusIsKeptAsLongAsItIsSaid(t *testing.T) {
	ctx := context.Background()
	c := newClock()
	s := newStore(t, c.use, func(o *engine.Options) { o.KeepStatus = 24 * time.Hour })
	ix := s.create("a")
	must(t, ix.Upsert(ctx, makeItems("k", 100)))
	r := got(ix.Delete(ctx, []string{"k1"}))(t)
	got(ix.Purge(ctx, engine.WithRewrite()))(t)
	for range 3 { // rounds of maintenance a day and more later
		c.add(25 * time.Hour)
		got(ix.Delete(ctx, []string{"other"}))(t)
		got(ix.Purge(ctx))(t)
	}
	if st := got(ix.Status(ctx, r))(t); st.State != engine.Erased || st.Counted || st.Rows != 0 || !st.ErasedAt.IsZero() && st.ErasedAt.Before(c.now().Add(-26*time.Hour)) {
		t.Errorf("long after: %+v", st)
	}
	if n := ix.Outcomes(); n > 6 {
		t.Errorf("%d outcomes are kept", n)
	}
	s.reopen(func(o *engine.Options) { o.KeepStatus = -1 })
	ix = s.load("a")
	r = got(ix.Delete(ctx, []string{"k2"}))(t)
	before := ix.Outcomes()
	got(ix.Purge(ctx))(t)
	if st := got(ix.Status(ctx, r))(t); st.State != engine.Erased || st.Counted {
		t.Errorf("with nothing kept: %+v", st)
	}
	if n := ix.Outcomes(); n != before {
		t.Errorf("%d outcomes, %d before", n, before)
	}
}

// What is kept says nothing of ids: neither they nor their tokens stand there.
func TestOutcomesHoldNoTokens(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	ix := s.create("a")
	items := makeItems("person-", 50)
	must(t, ix.Upsert(ctx, items))
	got(ix.Delete(ctx, idsOf(items)))(t)
	got(ix.Purge(ctx))(t)
	raw := ix.RawOutcomes()
	if len(raw) == 0 {
		t.Fatal("nothing is kept")
	}
	for _, it := range items {
		tok := ix.TokenOf(it.ID)
		if slices.ContainsFunc(raw, func(b []byte) bool { return contains(b, tok[:]) || contains(b, []byte(it.ID)) }) {
			t.Errorf("%s stands in an outcome", it.ID)
		}
	}
}

func contains(b, part []byte) bool {
	for i := 0; i+len(part) <= len(b); i++ {
		if slices.Equal(b[i:i+len(part)], part) {
			return true
		}
	}
	return false
}

// Check reads what is kept of deletes, and tells where it is not what was signed;
// Status then answers no figures that nobody has signed.
func TestADamagedOutcomeIsTold(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	ix := s.create("a")
	must(t, ix.Upsert(ctx, makeItems("k", 10)))
	r := got(ix.Delete(ctx, []string{"k1"}))(t)
	got(ix.Purge(ctx))(t)
	got(ix.Check(ctx))(t)
	must(t, ix.SpoilOutcomes())
	s.noCheck = true
	if _, err := ix.Check(ctx); err == nil {
		t.Error("Check finds nothing")
	} else {
		wantError(t, err, engine.ErrCorrupt, "outcome")
	}
	_, err := ix.Status(ctx, r)
	wantError(t, err, engine.ErrCorrupt, "outcome")
	wantItems(t, ix, byID(append(makeItems("k", 1), makeItems("k", 10)[2:]...)...), "k1")
}
