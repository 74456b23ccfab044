package engine_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"oubliette/engine"
)

// spread makes an index with items in several sealed segments and a memtable.
func spread(t testing.TB, s *store, n int) (*engine.Index, []engine.Item) {
	t.Helper()
	ctx := context.Background()
	ix := s.create("a")
	items := makeItems("k", n)
	for i := 0; i < 4; i++ {
		must(t, ix.Upsert(ctx, items[n*i/4:n*(i+1)/4]))
		if i < 3 {
			must(t, ix.Roll(ctx))
			must(t, ix.SealNow(ctx))
		}
	}
	return ix, items
}

func TestScanHidesWhatIsDeletedHalfWay(t *testing.T) {
	ctx := context.Background()
	for _, purge := range []bool{false, true} {
		t.Run(fmt.Sprintf("purge=%v", purge), func(t *testing.T) {
			s := newStore(t)
			ix, items := spread(t, s, 400)
			seen := make(map[string]bool)
			deleted := make(map[string]bool)
			for it, err := range ix.Items(ctx, engine.AllFields) {
				must(t, err)
				if deleted[it.ID] {
					t.Fatalf("%q came after it was deleted", it.ID)
				}
				seen[it.ID] = true
				if len(seen) != 100 {
					continue
				}
				for _, x := range items {
					if !seen[x.ID] && len(deleted) < 150 {
						deleted[x.ID] = true
					}
				}
				got(ix.Delete(ctx, keysOf(deleted)))(t)
				if purge {
					got(ix.Purge(ctx))(t)
				}
			}
			if len(seen) != 250 {
				t.Errorf("%d items came, want 250", len(seen))
			}
		})
	}
}

func keysOf[V any](m map[string]V) (out []string) {
	for k := range m {
		out = append(out, k)
	}
	return out
}

// What lives throughout comes exactly once, whatever happens to its row while
// the scan runs: upserted again, segment sealed, purged, rewritten; neighbours
// come and go. What is deleted never comes later.
func TestScanYieldsWhatLivesThroughoutOnce(t *testing.T) {
	r := newRand(t)
	for round := range 60 {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			s := newStore(t, small)
			ix, items := spread(t, s, 80)
			m := &meddler{t: t, ix: ix, version: 1, deleted: make(map[string]bool), newest: make(map[string]int)}
			for _, it := range items {
				m.ids = append(m.ids, it.ID)
				m.newest[it.ID] = 1
			}
			m.throughout = m.ids[:40] // in the sealed segments and, re-upserted, in memtables
			if r.IntN(2) == 0 {
				m.throughout = m.ids[40:]
			}
			seen := make(map[string]int)
			for it, err := range ix.Items(context.Background(), engine.AllFields) {
				must(t, err)
				seen[it.ID]++
				if m.deleted[it.ID] {
					t.Errorf("%q came after it was deleted", it.ID)
				}
				if want := makeItem(it.ID, m.newest[it.ID]); !equal(it, want) {
					t.Errorf("%q came as %.60q, want version %d", it.ID, it.Contents, m.newest[it.ID])
				}
				for range r.IntN(3) {
					m.step(r.IntN(12), r.IntN(len(m.ids)))
				}
			}
			for _, id := range m.throughout {
				if seen[id] != 1 {
					t.Errorf("%q lived throughout and came %d times", id, seen[id])
				}
			}
			for id, n := range seen {
				if n > 1 {
					t.Errorf("%q came %d times", id, n)
				}
			}
		})
		if t.Failed() {
			t.Fatalf("round %d", round)
		}
	}
}

// meddler changes an index under a scan.
type meddler struct {
	t          testing.TB
	ix         *engine.Index
	ids        []string
	throughout []string // never deleted
	version    int
	newest     map[string]int
	deleted    map[string]bool
}

func (m *meddler) step(what, which int) {
	ctx := context.Background()
	id := m.ids[which]
	switch what {
	case 0, 1, 2, 3: // a new version, also of what was deleted
		m.version++
		must(m.t, m.ix.Upsert(ctx, []engine.Item{makeItem(id, m.version)}))
		m.newest[id] = m.version
		delete(m.deleted, id)
	case 4, 5:
		for _, x := range m.throughout {
			if x == id {
				return
			}
		}
		got(m.ix.Delete(ctx, []string{id}))(m.t)
		m.deleted[id] = true
	case 6:
		got(m.ix.Purge(ctx))(m.t)
	case 7:
		must(m.t, m.ix.Roll(ctx))
		must(m.t, m.ix.SealNow(ctx))
	case 8:
		must(m.t, m.ix.Compact(ctx))
	case 9:
		must(m.t, m.ix.Roll(ctx))
	}
}

func TestScanEndsWhenTheStoreIsClosed(t *testing.T) {
	s := newStore(t)
	ix, _ := spread(t, s, 100)
	n := 0
	var last error
	for _, err := range ix.IDs(context.Background()) {
		if n++; n == 30 {
			s.checkAll()
			s.close()
		}
		last = err
	}
	wantError(t, last, engine.ErrClosed, "store")
	if n != 31 {
		t.Errorf("%d turns, want 30 items and an error", n)
	}
}

func TestScanOutlivesItsHandle(t *testing.T) {
	s := newStore(t)
	ix, _ := spread(t, s, 100)
	n := 0
	for _, err := range ix.IDs(context.Background()) {
		must(t, err)
		if n++; n == 30 {
			must(t, ix.Close())
		}
	}
	if n != 100 {
		t.Errorf("%d items", n)
	}
}

func TestScanEndsWithItsContext(t *testing.T) {
	s := newStore(t)
	ix, _ := spread(t, s, 100)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	n := 0
	var last error
	for _, err := range ix.IDs(ctx) {
		if n++; n == 10 {
			cancel()
		}
		last = err
	}
	wantError(t, last, context.Canceled)
	if n != 11 {
		t.Errorf("%d turns, want 10 items and an error", n)
	}
}

// Leaving the loop early leaves nothing behind: the store closes, and a new
// scan begins at the start.
func TestScanMayBeLeftEarly(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	ix, items := spread(t, s, 100)
	for stop := range 100 {
		n := 0
		for _, err := range ix.IDs(ctx) {
			must(t, err)
			if n == stop {
				break
			}
			n++
		}
	}
	seq := ix.Items(ctx, engine.AllFields)
	for range 2 { // a sequence may be walked again
		n := 0
		for _, err := range seq {
			must(t, err)
			n++
		}
		if n != len(items) {
			t.Errorf("%d items, want %d", n, len(items))
		}
	}
	s.reopen()
	wantItems(t, s.load("a"), byID(items...))
}

func TestCallsInsideAScan(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	ix, items := spread(t, s, 60)
	want := byID(items...)
	n := 0
	for id, err := range ix.IDs(ctx) {
		must(t, err)
		have := got(ix.Get(ctx, []string{id}, engine.AllFields))(t)
		if len(have) != 1 || !equal(have[0], want[id]) {
			t.Errorf("Get inside of a scan: %q is %v", id, have)
		}
		if n%20 == 0 {
			inner := 0
			for _, err := range ix.IDs(ctx) {
				must(t, err)
				inner++
			}
			if inner != len(items) {
				t.Errorf("a scan in a scan yields %d items", inner)
			}
			must(t, ix.Compact(ctx))
		}
		n++
	}
	if n != len(items) {
		t.Errorf("%d items", n)
	}
}

// A scan may hold files of segments that are long gone; it still reads right.
func TestScansRunBesideRewrites(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	s := newStore(t, small)
	ix, items := spread(t, s, 200)
	want := byID(items...)
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			it := items[i%len(items)]
			if err := ix.Upsert(context.Background(), []engine.Item{it}); err != nil {
				t.Errorf("upsert: %v", err)
			}
			if i%7 == 0 {
				if err := ix.Compact(context.Background()); err != nil {
					t.Errorf("compact: %v", err)
				}
			}
		}
	})
	for range 15 {
		have := collect(t, ix)
		if len(have) != len(want) {
			t.Errorf("%d items, want %d", len(have), len(want))
		}
		for id, it := range have {
			if !equal(it, want[id]) {
				t.Errorf("%q is %v", id, it)
			}
		}
	}
	cancel()
	wg.Wait()
}
