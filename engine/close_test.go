package engine_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"
	"weak"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/engine"
)

// Close interrupts what maintenance does of its own accord: however much there
// is to rewrite, it comes back, and nothing is lost.
func TestCloseAmidRewrites(t *testing.T) {
	ctx := context.Background()
	for round := range 12 {
		s := newStore(t, small, within(time.Millisecond))
		ix := s.create("a")
		want := make(map[string]engine.Item)
		for seg := range 10 {
			items := make([]engine.Item, 12)
			for i := range items {
				items[i] = sizedItem(fmt.Sprint(seg, ".", i), round, 6000)
			}
			must(t, ix.Upsert(ctx, items))
			must(t, ix.Roll(ctx))
			got(ix.Delete(ctx, idsOf(items[:10])))(t)
			want[items[10].ID], want[items[11].ID] = items[10], items[11]
		}
		time.Sleep(time.Duration(round) * time.Millisecond)
		began := time.Now()
		s.close()
		if took := time.Since(began); took > slack {
			t.Errorf("Close took %v", took)
		}
		s.open()
		wantItems(t, s.load("a"), want, "0.0", "9.9")
	}
}

func TestCloseErasesWhatIsPending(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	ix := s.create("a")
	items := makeItems("k", 100)
	must(t, ix.Upsert(ctx, items))
	var gone residue
	gone.note(t, s, ix, []string{"k1", "k50"})
	got(ix.Delete(ctx, []string{"k1"}))(t)
	must(t, ix.Upsert(ctx, []engine.Item{makeItem("k50", 2)}))
	s.close()
	gone.wantGone(t, s.fs)
	s.open()
	want := byID(items...)
	delete(want, "k1")
	want["k50"] = makeItem("k50", 2)
	wantItems(t, s.load("a"), want, "k1")
}

// A stateless service brings the key with each call. What it deletes is erased
// afterwards all the same, in the background and by Close.
func TestDeletesOfAKeylessHandleAreErased(t *testing.T) {
	ctx := context.Background()
	s := newStore(t, within(200*time.Millisecond))
	must(t, s.create("a").Upsert(ctx, makeItems("k", 100)))
	s.reopen()
	ix := got(s.LoadIndex(ctx, "a"))(t)
	key := engine.WithIndexKey(s.keys["a"])
	var gone residue
	gone.note(t, s, ix, []string{"k1"}, key)
	got(ix.Delete(ctx, []string{"k1"}, key))(t)
	eventually(t, 200*time.Millisecond+slack, "erasing a keyless handle's delete", func() bool { return gone.erased(t, s.fs) })
	gone.note(t, s, ix, []string{"k2"}, key)
	got(ix.Delete(ctx, []string{"k2"}, key))(t)
	s.close()
	gone.wantGone(t, s.fs)
	s.open()
	want := byID(makeItems("k", 100)...)
	delete(want, "k1")
	delete(want, "k2")
	wantItems(t, s.load("a"), want, "k1", "k2")
}

// Deletes that a crash left unapplied, and a store that is opened and closed
// without any key: Metrics and Close say that they wait. The items stay hidden
// on disk until a writer comes.
func TestCloseWithoutAnyKeyLeavesDeletesToTheNextWriter(t *testing.T) {
	ctx := context.Background()
	first := newStore(t)
	ix := first.create("a")
	must(t, ix.Upsert(ctx, makeItems("k", 10)))
	must(t, ix.Roll(ctx))
	must(t, ix.SealNow(ctx))
	var gone residue
	gone.note(t, first, ix, []string{"k1"})
	got(ix.Delete(ctx, []string{"k1"}))(t)
	s := openStore(t, first.fs.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{}), first.keys)
	got(s.LoadIndex(ctx, "a"))(t) // keyless
	if m := s.Metrics().Indexes["a"]; !m.Locked || !m.Waiting {
		t.Errorf("metrics of an index that waits: %+v", m)
	}
	err := s.DB.Close()
	var p *engine.PendingError
	if !errors.As(err, &p) || p.Err != nil || !slices.Equal(p.Indexes, []string{"a"}) {
		t.Errorf("Close answers %v", err)
	}
	s.open()
	if gone.erased(t, s.fs) {
		t.Fatal("erased without a key that says what: this test is to be thought over")
	}
	want := byID(makeItems("k", 10)...)
	delete(want, "k1")
	wantItems(t, s.load("a"), want, "k1")
	s.close()
	gone.wantGone(t, s.fs)
	s.open()
	wantItems(t, s.load("a"), want, "k1")
}

// Close waits for calls under way and refuses what comes later; whichever it
// was, the call says so.
func TestCloseAmidCalls(t *testing.T) {
	ctx := context.Background()
	for range 10 {
		s := newStore(t, small)
		ix := s.create("a")
		key := engine.WithIndexKey(s.keys["a"])
		var done [4]int
		var wg sync.WaitGroup
		for w := range done {
			wg.Go(func() {
				for i := 0; ; i++ {
					err := ix.Upsert(ctx, []engine.Item{makeItem(fmt.Sprint(w, ".", i), 1)}, key)
					if errors.Is(err, engine.ErrClosed) {
						return
					}
					if err != nil {
						t.Errorf("upsert: %v", err)
						return
					}
					done[w]++
				}
			})
		}
		for _, op := range operations() {
			wg.Go(func() {
				for {
					if err := op.run(ix); errors.Is(err, engine.ErrClosed) {
						return
					} else if err != nil {
						t.Errorf("%s: %v", op.name, err)
						return
					}
				}
			})
		}
		time.Sleep(5 * time.Millisecond)
		s.close()
		wg.Wait()
		s.open()
		got(s.load("a").Delete(ctx, []string{"k0"}))(t) // what operations upsert and delete
		want := make(map[string]engine.Item)
		absent := []string{"k0"}
		for w := range done {
			for i := range done[w] {
				id := fmt.Sprint(w, ".", i)
				want[id] = makeItem(id, 1)
			}
			absent = append(absent, fmt.Sprint(w, ".", done[w]))
		}
		wantItems(t, s.load("a"), want, absent...)
	}
}

// Nothing of a store stays in memory once it is closed, however long deletes may wait
// for their erasure: no timer keeps it.
func TestAClosedStoreLeavesMemory(t *testing.T) {
	ctx := context.Background()
	use := func() weak.Pointer[vfs.MemFS] {
		mem := vfs.NewCrashableMem()
		db := got(engine.Open(storeDir, &engine.Options{FS: mem, PurgeWithin: time.Hour}))(t)
		for _, name := range []string{"a", "b"} {
			key := engine.NewKey()
			ix := got(db.CreateIndex(ctx, name, key, engine.IndexConfig{}))(t)
			must(t, ix.Upsert(ctx, makeItems("k", 10)))
			got(ix.Delete(ctx, []string{"k1"}))(t)
			must(t, ix.CreateUserKeys(ctx, userID(1), engine.NewKey(), engine.PermRead, key)) // ends one state
			got(ix.Delete(ctx, []string{"k2"}))(t)
			if name == "b" {
				must(t, db.DeleteIndex(ctx, name, key))
			}
		}
		must(t, db.Close())
		return weak.Make(mem)
	}
	disk := use()
	eventually(t, 10*time.Second, "the store's disk has left memory", func() bool {
		runtime.GC()
		return disk.Value() == nil
	})
}
