package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"oubliette/engine"
)

// tight is the least memory that may be set, with a listener of stalls.
func tight(stalled *atomic.Int64) func(*engine.Options) {
	return func(o *engine.Options) {
		o.MemoryLimit = 64 << 10
		o.EventListener = &engine.EventListener{Stalled: func(string) { stalled.Add(1) }}
	}
}

// Memory for memtables and tombstones is bounded: writers wait for maintenance
// and go on, and nothing is lost.
func TestWritersWaitForMemoryAndGoOn(t *testing.T) {
	ctx := context.Background()
	var stalled atomic.Int64
	s := newStore(t, tight(&stalled))
	ix := s.create("a")
	var most atomic.Int64
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 20 {
				items := make([]engine.Item, 300)
				for k := range items {
					items[k].ID = fmt.Sprint(w, ".", i, ".", k)
				}
				if err := ix.Upsert(ctx, items); err != nil {
					t.Errorf("upsert: %v", err)
				}
				if m := s.Metrics().Indexes["a"].Memory; m > most.Load() {
					most.Store(m)
				}
				if _, err := ix.Delete(ctx, idsOf(items[:100])); err != nil {
					t.Errorf("delete: %v", err)
				}
			}
		})
	}
	wg.Wait()
	if n := got(ix.Count(ctx))(t); n != 4*20*200 {
		t.Errorf("%d items, want %d", n, 4*20*200)
	}
	if stalled.Load() == 0 {
		t.Error("no writer ever waited: the test shows nothing")
	}
	// The hard limit, and what calls that were let in together may add.
	if most.Load() > 4*64<<10+4*300*400 {
		t.Errorf("memory went up to %d bytes", most.Load())
	}
	t.Logf("%d stalls, at most %d bytes", stalled.Load(), most.Load())
}

// A call that waits for memory is given up with its context, and has changed
// nothing. Maintenance is held up in the sync of an overwrite.
func TestWaitingForMemoryEndsWithTheContext(t *testing.T) {
	ctx := context.Background()
	gate := &gatedSync{}
	var stalled atomic.Int64
	s := openStore(t, errorfs.Wrap(vfs.NewCrashableMem(), gate), nil, tight(&stalled))
	ix := s.create("a")
	items := makeItems("k", 50)
	must(t, ix.Upsert(ctx, items))
	s.reopen()
	ix = s.load("a")
	release := gate.hold()
	defer release()
	want := byID(items...)
	var err error
	for i := 0; err == nil && i < 50; i++ {
		short, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
		ids := []string{items[i].ID}
		for k := range 500 {
			ids = append(ids, fmt.Sprint("unknown", i, ".", k))
		}
		if _, err = ix.Delete(short, ids); err == nil {
			delete(want, items[i].ID)
		}
		cancel()
	}
	wantError(t, err, context.DeadlineExceeded)
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	wantError(t, ix.Upsert(short, makeItems("new", 1)), context.DeadlineExceeded)
	if stalled.Load() == 0 {
		t.Error("the listener was not told")
	}
	wantItems(t, ix, want, "new0") // reads do not wait
	release()
	must(t, ix.Upsert(ctx, makeItems("new", 1))) // it goes on
	want["new0"] = makeItem("new0", 1)
	wantItems(t, ix, want)
}

// gatedSync holds up syncs of segment files while it is shut.
type gatedSync struct {
	mu   sync.RWMutex
	once sync.Once
}

func (g *gatedSync) String() string { return "gate" }

// hold shuts the gate; the function that it answers opens it.
func (g *gatedSync) hold() func() {
	g.mu.Lock()
	return func() { g.once.Do(g.mu.Unlock) }
}

func (g *gatedSync) MaybeError(op errorfs.Op) error {
	if op.Kind == errorfs.OpFileSyncData && strings.HasSuffix(op.Path, ".seg") {
		g.mu.RLock()
		defer g.mu.RUnlock()
	}
	return nil
}

// When memory is full and maintenance fails, writers are told so instead of
// waiting for ever.
func TestFullMemoryTellsWhyMaintenanceFails(t *testing.T) {
	ctx := context.Background()
	var broken atomic.Bool
	disk := errors.New("disk does not read")
	inject := errorfs.InjectorFunc(func(op errorfs.Op) error {
		if broken.Load() && strings.HasSuffix(op.Path, ".seg") && op.Kind == errorfs.OpFileReadAt {
			return disk
		}
		return nil
	})
	var stalled atomic.Int64
	s := openStore(t, errorfs.Wrap(vfs.NewCrashableMem(), inject), nil, tight(&stalled))
	want := byID(makeItems("k", 200)...)
	must(t, s.create("a").Upsert(ctx, makeItems("k", 200)))
	s.reopen()
	ix := s.load("a")
	broken.Store(true) // the index blocks, in which to look for the deleted
	var err error
	for i := 0; err == nil && i < 100; i++ {
		ids := []string{"k0"}
		for k := range 1000 {
			ids = append(ids, fmt.Sprint("unknown", i, ".", k))
		}
		short, cancel := context.WithTimeout(ctx, 10*time.Second)
		_, err = ix.Delete(short, ids)
		cancel()
	}
	delete(want, "k0")
	wantError(t, err, disk, "memory is full", ".seg")
	if m := s.Metrics().Indexes["a"]; !errors.Is(m.Err, disk) {
		t.Errorf("metrics %+v", m)
	}
	broken.Store(false)
	eventually(t, 10*time.Second, "maintenance gets on again", func() bool {
		_, err := ix.Delete(ctx, []string{"k0"})
		return err == nil
	})
	wantItems(t, ix, want, "k0")
}
