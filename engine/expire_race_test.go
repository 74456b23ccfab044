package engine_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/engine"
)

// mortal is a writer whose items expire after a few milliseconds, or don't. It owns
// its ids.
type mortal struct {
	name  string
	ix    *engine.Index
	rng   *rand.Rand
	items map[string]engine.Item
	next  int
}

// step upserts an id anew and reads it, and another one, back: an item that stays has
// to be there, one that expires may not be after its time, nor as it was before.
func (m *mortal) step(ctx context.Context) error {
	m.next++
	it := sizedItem(fmt.Sprintf("%s-%d", m.name, m.rng.IntN(20)), m.next, m.rng.IntN(600))
	if m.rng.IntN(3) > 0 {
		it.ExpiresAt = time.UnixMilli(time.Now().UnixMilli() + m.rng.Int64N(6) - 1).UTC()
	}
	if err := m.ix.Upsert(ctx, []engine.Item{it}); err != nil {
		return err
	}
	m.items[it.ID] = it
	for id := range m.items {
		if err := m.read(ctx, id); err != nil {
			return err
		}
		break
	}
	return m.read(ctx, it.ID)
}

func (m *mortal) read(ctx context.Context, id string) error {
	began := time.Now()
	have, err := m.ix.Get(ctx, []string{id}, engine.AllFields)
	want := m.items[id]
	switch {
	case err != nil:
		return err
	case len(have) == 1 && !equal(have[0], want):
		return fmt.Errorf("%q is %.60s, expires %v; want %.60s, expires %v", id, have[0].Metadata, have[0].ExpiresAt, want.Metadata, want.ExpiresAt)
	case len(have) == 1 && !want.ExpiresAt.IsZero() && !began.Before(want.ExpiresAt):
		return fmt.Errorf("%q is read at %v and has expired at %v", id, began, want.ExpiresAt)
	case len(have) == 0 && want.ExpiresAt.IsZero():
		return fmt.Errorf("%q is gone and does not expire", id)
	}
	return nil
}

// Writers upsert ids again and again while maintenance logs the deaths of what they
// had there before, with so little memory that they wait for it; what was upserted
// last has to be there.
func TestItemsThatExpireAmidWritesTakeNoNewerOnesAlong(t *testing.T) {
	rng := newRand(t)
	ctx := context.Background()
	mem := vfs.NewCrashableMem()
	s := openStore(t, mem, nil, within(10*time.Millisecond), func(o *engine.Options) {
		o.SegmentSize, o.MemoryLimit = 64<<10, 64<<10
	})
	ix := s.create("a")
	steps := 150
	if crashLong() {
		steps = 4000
	}
	writers := make([]*mortal, 4)
	var wg, background sync.WaitGroup
	stop := make(chan struct{})
	for i := range writers {
		w := &mortal{name: fmt.Sprint("w", i), ix: ix, rng: rand.New(rand.NewPCG(rng.Uint64(), 1)), items: make(map[string]engine.Item)}
		writers[i] = w
		wg.Go(func() {
			for range steps {
				if err := w.step(ctx); err != nil {
					t.Errorf("%s: %v", w.name, err)
					return
				}
			}
		})
	}
	background.Go(func() { modelBackground(t, ix, stop) })
	crashTimed(t, 5*time.Minute, "the workload", wg.Wait)
	close(stop)
	background.Wait()
	time.Sleep(20 * time.Millisecond) // for the last to expire
	want := make(map[string]engine.Item)
	var gone []string
	for _, w := range writers {
		for id, it := range w.items {
			if it.ExpiresAt.IsZero() {
				want[id] = it
			} else {
				gone = append(gone, id)
			}
		}
	}
	wantItems(t, ix, want, gone...)
	if m := s.Metrics().Indexes["a"]; m.Expired == 0 {
		t.Error("nothing has expired, the test shows nothing")
	}
	wantItems(t, openStore(t, mem.CrashClone(vfs.CrashCloneCfg{}), s.keys).load("a"), want, gone...)
	s.reopen()
	wantItems(t, s.load("a"), want, gone...)
}

// Writers who wait for memory wait for maintenance, and maintenance does not wait for
// them or for memory when it logs what has expired.
func TestExpiriesAreLoggedWhileWritersWaitForMemory(t *testing.T) {
	ctx := context.Background()
	s := newStore(t, within(100*time.Millisecond), func(o *engine.Options) { o.MemoryLimit = 64 << 10 })
	ix := s.create("a")
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for round := range 30 {
				items := makeItems(fmt.Sprintf("w%d-%d-", w, round), 100)
				for i := range items {
					items[i].Vector, items[i].Contents = nil, nil
				}
				must(t, ix.Upsert(ctx, expiring(time.Now().UnixMilli()+int64(round), items...)))
			}
		})
	}
	crashTimed(t, time.Minute, "the workload", wg.Wait)
	eventually(t, 10*time.Second, "all have expired", func() bool { return got(ix.Count(ctx))(t) == 0 })
	eventually(t, 10*time.Second, "all that has expired is logged", func() bool { return s.Metrics().Indexes["a"].Expired > 0 })
	got(ix.Purge(ctx))(t)
	if m := s.Metrics().Indexes["a"]; m.Died != 4*30*100 {
		t.Errorf("%d rows have died, 12000 have expired", m.Died)
	}
}
