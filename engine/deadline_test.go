package engine_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/engine"
)

// On a clock that is the test's own: a delete in an idle store is hidden at once,
// still on the disk before half of PurgeWithin has passed, and erased at half of
// it. The wall clock jumps by years meanwhile, and nothing comes of it.
func TestTheDeadlineRunsOnItsOwnClock(t *testing.T) {
	ctx := context.Background()
	warm := newStore(t) // what the process shares is not of a bubble
	wix := warm.create("a")
	must(t, wix.Upsert(ctx, makeItems("k", 500)))
	wantItems(t, wix, byID(makeItems("k", 500)...))
	for _, jump := range []time.Duration{0, 5 * 365 * 24 * time.Hour, -5 * 365 * 24 * time.Hour} {
		t.Run(fmt.Sprint(jump), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newClock()
				s := newStore(t, c.use, within(time.Hour))
				ix := s.create("a")
				must(t, ix.Upsert(ctx, makeItems("k", 500)))
				time.Sleep(2 * time.Hour)
				synctest.Wait()
				var gone residue
				gone.note(t, s, ix, []string{"k7"})
				r := got(ix.Delete(ctx, []string{"k7"}))(t)
				c.add(jump)
				time.Sleep(30*time.Minute - time.Second)
				synctest.Wait()
				if st := got(ix.Status(ctx, r))(t); st.State != engine.Hidden || gone.erased(t, s.fs) {
					t.Errorf("a second before half of the time: %+v", st)
				}
				time.Sleep(2 * time.Second)
				synctest.Wait()
				if st := got(ix.Status(ctx, r))(t); st.State != engine.Erased || st.Rows != 1 {
					t.Errorf("a second after half of the time: %+v", st)
				}
				gone.wantGone(t, s.fs)
				m := s.Metrics().Indexes["a"]
				if m.Unerased != 0 || m.OldestDelete != 0 || m.Late != 0 || m.OldestErased < 30*time.Minute || m.OldestErased > 31*time.Minute {
					t.Errorf("metrics %+v", m)
				}
			})
		})
	}
}

// What waits for a key becomes overdue, once, and is told; then a writer comes.
func TestOverdueDeletesAreTold(t *testing.T) {
	ctx := context.Background()
	first := newStore(t)
	ix := first.create("a")
	reader := engine.NewKey()
	must(t, ix.CreateUserKeys(ctx, userID(1), reader, engine.PermRead, first.keys["a"]))
	must(t, ix.Upsert(ctx, makeItems("k", 10)))
	got(ix.Delete(ctx, []string{"k1", "k2", "k3"}))(t)
	var overdue, deleted, applied atomic.Int64
	s := openStore(t, first.fs.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{}), first.keys, within(50*time.Millisecond), func(o *engine.Options) {
		o.EventListener = &engine.EventListener{
			Overdue: func(i engine.OverdueInfo) {
				if i.IDs != 3 || i.Oldest < 50*time.Millisecond || i.Index != ix.ID().String() {
					t.Errorf("overdue: %+v", i)
				}
				overdue.Add(1)
			},
			Deleted: func(i engine.DeleteInfo) { deleted.Add(int64(i.IDs)) },
			Applied: func(i engine.ApplyInfo) { applied.Add(int64(i.Rows)) },
		}
	})
	r := got(s.LoadIndex(ctx, "a", as(userID(1), reader)...))(t)
	got(r.Count(ctx))(t)
	eventually(t, 5*time.Second, "the listener is told", func() bool { return overdue.Load() > 0 })
	if m := s.Metrics().Indexes["a"]; m.Unerased != 3 || m.Overdue != 3 || m.OldestDelete < 50*time.Millisecond {
		t.Errorf("metrics %+v", m)
	}
	time.Sleep(150 * time.Millisecond)
	if n := overdue.Load(); n != 1 {
		t.Errorf("told %d times", n)
	}
	s.load("a")
	eventually(t, 5*time.Second, "a writer comes, and it is erased", func() bool {
		m := s.Metrics().Indexes["a"]
		return m.Unerased == 0 && m.Late == 3 && m.OldestErased >= 50*time.Millisecond
	})
	if applied.Load() != 3 {
		t.Errorf("%d rows applied", applied.Load())
	}
	got(s.load("a").Delete(ctx, []string{"k4", "k5"}))(t)
	if deleted.Load() != 2 {
		t.Errorf("%d ids deleted", deleted.Load())
	}
}

// Under a full write load, on the real disk, every delete is erased within
// PurgeWithin: a minute of it with OUBLIETTE_LONG=1, else 3 s, and a machine that is
// busy with other tests may be late.
func TestTheDeadlineHoldsUnderFullLoad(t *testing.T) {
	ctx := context.Background()
	limit, within, late := 3*time.Second, 2*time.Second, slack
	if crashLong() {
		limit, late = time.Minute, 0
	}
	dir := t.TempDir()
	var overdue atomic.Int64
	db, err := engine.Open(dir, &engine.Options{PurgeWithin: within, SegmentSize: 32 << 20, EventListener: &engine.EventListener{
		Overdue: func(i engine.OverdueInfo) { overdue.Add(1); t.Logf("overdue: %+v", i) },
	}})
	must(t, err)
	ix, err := db.CreateIndex(ctx, "a", engine.NewKey(), engine.IndexConfig{})
	must(t, err)
	var wg sync.WaitGroup
	var upserts, deletes atomic.Int64
	end := time.Now().Add(limit)
	for w := range 4 {
		wg.Go(func() {
			for n := 0; time.Now().Before(end) && !t.Failed(); n++ {
				items := make([]engine.Item, 100)
				for i := range items {
					items[i] = sizedItem(fmt.Sprintf("%d-%d-%d", w, n, i), n, 2048)
				}
				if err := ix.Upsert(ctx, items); err != nil {
					t.Errorf("upsert: %v", err)
				}
				upserts.Add(int64(len(items)))
				r, err := ix.Delete(ctx, idsOf(items[:50]))
				if err != nil {
					t.Errorf("delete: %v", err)
				}
				deletes.Add(int64(r.Count))
			}
		})
	}
	wg.Wait()
	m := db.Metrics().Indexes["a"]
	must(t, db.Close())
	t.Logf("%v: %d upserted, %d deleted, %d bytes erased; greatest age %v of %v, %d late",
		limit, upserts.Load(), deletes.Load(), m.BytesErased, m.OldestErased, within, m.Late)
	if m.OldestErased > within+late || late == 0 && (m.Late > 0 || overdue.Load() > 0) || m.BytesErased == 0 {
		t.Errorf("greatest age %v, %d late, %d events, %d bytes erased", m.OldestErased, m.Late, overdue.Load(), m.BytesErased)
	}
}
