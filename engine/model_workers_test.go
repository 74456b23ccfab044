package engine_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/engine"
)

// modelWorker owns the ids that begin with its name: what it reads of them must
// be what it wrote last.
type modelWorker struct {
	name  string
	ix    *engine.Index
	rng   *rand.Rand
	items map[string]engine.Item
	next  int
}

func (w *modelWorker) ids() []string {
	out := make([]string, 0, 12)
	for range 1 + w.rng.IntN(12) {
		out = append(out, fmt.Sprintf("%s-%d", w.name, w.rng.IntN(60)))
	}
	return out
}

// step does one random operation. Deletes and upserts that are cancelled may
// have been done or not; what is read afterwards settles it.
func (w *modelWorker) step(ctx context.Context) error {
	ids := w.ids()
	switch w.rng.IntN(12) {
	default:
		items := make([]engine.Item, len(ids))
		for i, id := range ids {
			w.next++
			items[i] = sizedItem(id, w.next, w.rng.IntN(2000))
		}
		if err := w.ix.Upsert(ctx, items); err != nil {
			return fmt.Errorf("upsert: %w", err)
		}
		for _, it := range items {
			w.items[it.ID] = it
		}
	case 0, 1, 2:
		if _, err := w.ix.Delete(ctx, ids); err != nil {
			return fmt.Errorf("delete: %w", err)
		}
		for _, id := range ids {
			delete(w.items, id)
		}
	case 3:
		return w.cancelled(ids)
	case 4, 5:
		return w.get(ctx, ids)
	case 6:
		return w.scan(ctx)
	}
	return w.get(ctx, ids)
}

// cancelled upserts under a context that ends at some moment.
func (w *modelWorker) cancelled(ids []string) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	items := make([]engine.Item, len(ids))
	for i, id := range ids {
		w.next++
		items[i] = sizedItem(id, w.next, 100)
	}
	timer := time.AfterFunc(time.Duration(w.rng.IntN(2000))*time.Microsecond, cancel)
	defer timer.Stop()
	err := w.ix.Upsert(ctx, items)
	if err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("cancelled upsert: %w", err)
	}
	if err == nil {
		for _, it := range items {
			w.items[it.ID] = it
		}
	}
	return w.get(context.Background(), ids)
}

func (w *modelWorker) get(ctx context.Context, ids []string) error {
	have, err := w.ix.Get(ctx, ids, engine.AllFields)
	if err != nil {
		return fmt.Errorf("get: %w", err)
	}
	var want []engine.Item
	for _, id := range ids {
		if it, ok := w.items[id]; ok {
			want = append(want, it)
		}
	}
	if !slices.EqualFunc(have, want, equal) {
		return fmt.Errorf("get of %v answers %d items, want %d as they were written", ids, len(have), len(want))
	}
	return nil
}

// scan has to show each of the worker's items once, as it was written last.
func (w *modelWorker) scan(ctx context.Context) error {
	n := 0
	seen := make(map[string]bool)
	for it, err := range w.ix.Items(ctx, engine.AllFields) {
		if err != nil {
			return fmt.Errorf("scan: %w", err)
		}
		if seen[it.ID] {
			return fmt.Errorf("scan shows %q twice", it.ID)
		}
		seen[it.ID] = true
		if it.ID[:len(w.name)+1] != w.name+"-" {
			continue
		}
		if want, ok := w.items[it.ID]; !ok || !equal(it, want) {
			return fmt.Errorf("scan shows %q, which was deleted, or another version", it.ID)
		}
		n++
	}
	if n != len(w.items) {
		return fmt.Errorf("scan shows %d of the worker's %d items", n, len(w.items))
	}
	return nil
}

// TestConcurrentWritersSeeTheirOwnWrites lets writers work side by side, each on
// ids of its own, with maintenance, purges and compactions in between; then
// the store crashes, and everything acknowledged has to be there.
func TestConcurrentWritersSeeTheirOwnWrites(t *testing.T) {
	rng := newRand(t)
	for _, within := range []time.Duration{20 * time.Millisecond, time.Hour} {
		t.Run(fmt.Sprintf("PurgeWithin %v", within), func(t *testing.T) { modelConcurrent(t, rng, within) })
	}
}

func modelConcurrent(t *testing.T, rng *rand.Rand, within time.Duration) {
	mem := vfs.NewCrashableMem()
	s := openStore(t, mem, nil, func(o *engine.Options) {
		o.SegmentSize, o.MemoryLimit, o.PurgeWithin = 64<<10, 64<<10, within
	})
	ix := s.create("a")
	steps := 120
	if crashLong() {
		steps = 3000
	}
	workers := make([]*modelWorker, 6)
	var wg, background sync.WaitGroup
	stop := make(chan struct{})
	for i := range workers {
		w := &modelWorker{name: fmt.Sprint("w", i), ix: ix, rng: rand.New(rand.NewPCG(rng.Uint64(), 1)), items: make(map[string]engine.Item)}
		workers[i] = w
		wg.Go(func() {
			for range steps {
				if err := w.step(context.Background()); err != nil {
					t.Errorf("%s: %v", w.name, err)
					return
				}
			}
		})
	}
	background.Go(func() { modelBackground(t, ix, stop) })
	crashTimed(t, 10*time.Minute, "the workload", wg.Wait)
	close(stop)
	background.Wait()
	want := make(map[string]engine.Item)
	for _, w := range workers {
		maps.Copy(want, w.items)
	}
	wantItems(t, ix, want)
	crashed := openStore(t, mem.CrashClone(vfs.CrashCloneCfg{}), s.keys)
	wantItems(t, crashed.load("a"), want)
	s.reopen()
	wantItems(t, s.load("a"), want)
}

// modelBackground purges, compacts, checks and counts until told to stop.
func modelBackground(t *testing.T, ix *engine.Index, stop chan struct{}) {
	ctx := context.Background()
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		case <-time.After(5 * time.Millisecond):
		}
		var err error
		switch i % 4 {
		case 0:
			_, err = ix.Purge(ctx)
		case 1:
			_, err = ix.Count(ctx)
		case 2:
			err = ix.Compact(ctx)
		case 3:
			_, err = ix.Check(ctx)
		}
		if err != nil {
			t.Errorf("in the background, %d: %v", i%4, err)
			return
		}
	}
}
