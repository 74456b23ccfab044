package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"oubliette/engine"
)

// owner writes keys that nobody else writes, so that it knows at every moment
// what reads have to show of them.
type owner struct {
	t     testing.TB
	ix    *engine.Index
	name  int
	r     *rand.Rand
	want  map[string]engine.Item
	calls int
}

func (o *owner) id(k int) string { return fmt.Sprint("owner", o.name, ".", k) }

// step does one call and checks what it can see of it at once.
func (o *owner) step() error {
	ctx := context.Background()
	o.calls++
	var ids []string
	for range 1 + o.r.IntN(4) {
		ids = append(ids, o.id(o.r.IntN(60)))
	}
	switch o.r.IntN(4) {
	case 0, 1:
		items := make([]engine.Item, len(ids))
		for i, id := range ids {
			items[i] = sizedItem(id, o.calls*10+i, 50+o.r.IntN(1500))
		}
		if err := o.ix.Upsert(ctx, items); err != nil {
			return err
		}
		for _, it := range items {
			o.want[it.ID] = it
		}
	case 2:
		if _, err := o.ix.Delete(ctx, ids); err != nil {
			return err
		}
		for _, id := range ids {
			delete(o.want, id)
		}
	}
	return o.look(ids)
}

// look reads own keys: nobody else changes them.
func (o *owner) look(ids []string) error {
	items, err := o.ix.Get(context.Background(), ids, engine.AllFields)
	if err != nil {
		return err
	}
	var want []engine.Item
	for _, id := range ids {
		if it, ok := o.want[id]; ok {
			want = append(want, it)
		}
	}
	if len(items) != len(want) {
		o.t.Errorf("%d items of %q, want %d", len(items), ids, len(want))
		return nil
	}
	for i := range items {
		if !equal(items[i], want[i]) {
			o.t.Errorf("%q is %.60q, want %.60q", items[i].ID, items[i].Contents, want[i].Contents)
		}
	}
	return nil
}

// scan looks for own keys in a whole scan, in which others' come and go.
func (o *owner) scan() error {
	seen := make(map[string]bool)
	for it, err := range o.ix.Items(context.Background(), engine.AllFields) {
		if err != nil {
			return err
		}
		if seen[it.ID] {
			o.t.Errorf("%q came twice", it.ID)
		}
		seen[it.ID] = true
		if w, ok := o.want[it.ID]; ok && !equal(it, w) {
			o.t.Errorf("scan: %q is %.60q, want %.60q", it.ID, it.Contents, w.Contents)
		}
	}
	for id := range o.want {
		if !seen[id] {
			o.t.Errorf("scan misses %q", id)
		}
	}
	for k := range 60 {
		if _, ok := o.want[o.id(k)]; !ok && seen[o.id(k)] {
			o.t.Errorf("scan shows the deleted %q", o.id(k))
		}
	}
	return nil
}

// Writers, deleters, readers, scans, purges and compactions at once, on an
// index of small segments: every owner always sees its own keys as it left
// them.
func TestEverythingAtOnce(t *testing.T) {
	r := newRand(t)
	s := newStore(t, small, within(50*time.Millisecond))
	ix := s.create("a")
	owners := make([]*owner, 4)
	stop := make(chan struct{})
	running := func() bool {
		select {
		case <-stop:
			return false
		default:
			return true
		}
	}
	var wg sync.WaitGroup
	for i := range owners {
		o := &owner{t: t, ix: ix, name: i, r: rand.New(rand.NewPCG(r.Uint64(), 1)), want: make(map[string]engine.Item)}
		owners[i] = o
		wg.Go(func() {
			for running() {
				step := o.step
				if o.r.IntN(25) == 0 {
					step = o.scan
				}
				if err := step(); err != nil {
					t.Errorf("owner %d: %v", o.name, err)
					return
				}
			}
		})
	}
	background := func(pause time.Duration, run func() error) {
		wg.Go(func() {
			for running() {
				if err := run(); err != nil {
					t.Errorf("background: %v", err)
					return
				}
				time.Sleep(pause)
			}
		})
	}
	ctx := context.Background()
	background(20*time.Millisecond, func() error { _, err := ix.Purge(ctx); return err })
	background(70*time.Millisecond, func() error { return ix.Compact(ctx) })
	background(10*time.Millisecond, func() error { _, err := ix.Count(ctx); s.Metrics(); return err })
	background(100*time.Millisecond, func() error { _, err := ix.Check(ctx); return err })
	background(30*time.Millisecond, func() error { return leaveEarly(ix) })
	time.Sleep(2 * time.Second)
	close(stop)
	wg.Wait()

	want, calls := make(map[string]engine.Item), 0
	var absent []string
	for _, o := range owners {
		calls += o.calls
		for k := range 60 {
			if it, ok := o.want[o.id(k)]; ok {
				want[o.id(k)] = it
			} else {
				absent = append(absent, o.id(k))
			}
		}
	}
	t.Logf("%d calls, %+v", calls, s.Metrics().Indexes["a"])
	wantItems(t, ix, want, absent...)
	s.reopen()
	wantItems(t, s.load("a"), want, absent...)
}

// leaveEarly begins a scan and leaves it.
func leaveEarly(ix *engine.Index) error {
	n := 0
	for _, err := range ix.IDs(context.Background()) {
		if err != nil {
			return err
		}
		if n++; n == 5 {
			break
		}
	}
	return nil
}

// Readers must see a call whole: of items that are always written together,
// one Get shows one version.
func TestCallsAreSeenWhole(t *testing.T) {
	ctx := context.Background()
	s := newStore(t, small)
	ix := s.create("a")
	ids := idsOf(makeItems("k", 600))
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for version := 1; ; version++ {
			select {
			case <-stop:
				return
			default:
			}
			items := make([]engine.Item, len(ids))
			for i := range items {
				items[i] = engine.Item{ID: ids[i], Contents: fmt.Append(nil, version)}
			}
			if err := ix.Upsert(ctx, items); err != nil {
				t.Errorf("upsert: %v", err)
				return
			}
			if version%5 == 0 {
				if _, err := ix.Delete(ctx, ids); err != nil {
					t.Errorf("delete: %v", err)
				}
			}
			if version%11 == 0 {
				if _, err := ix.Purge(ctx); err != nil {
					t.Errorf("purge: %v", err)
				}
			}
		}
	})
	for end := time.Now().Add(500 * time.Millisecond); time.Now().Before(end); {
		if what := mixture(got(ix.Get(ctx, ids, engine.FieldContents))(t), len(ids)); what != "" {
			t.Errorf("a Get shows a part of a call: %s", what)
		}
		if n := got(ix.Count(ctx))(t); n != 0 && n != len(ids) {
			t.Errorf("Count shows a part of a call: %d items", n)
		}
	}
	close(stop)
	wg.Wait()
}

// A delete of many ids becomes visible at one moment, also to a Get of all of
// them that runs meanwhile.
func TestADeleteIsSeenWhole(t *testing.T) {
	ctx := context.Background()
	s := newStore(t, func(o *engine.Options) { o.NoSync = true })
	ix := s.create("a")
	items := make([]engine.Item, 1000)
	for i := range items {
		items[i].ID = fmt.Sprint("k", i)
	}
	ids := idsOf(items)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if err := ix.Upsert(ctx, items); err != nil {
				t.Errorf("upsert: %v", err)
			}
			if _, err := ix.Delete(ctx, ids); err != nil {
				t.Errorf("delete: %v", err)
			}
		}
	})
	for end := time.Now().Add(time.Second); time.Now().Before(end); {
		if what := mixture(got(ix.Get(ctx, ids, 0))(t), len(ids)); what != "" {
			t.Errorf("a Get shows a part of a delete: %s", what)
		}
		if n := got(ix.Count(ctx))(t); n != 0 && n != len(ids) {
			t.Errorf("Count shows a part of a delete: %d items", n)
		}
	}
	close(stop)
	wg.Wait()
}

// mixture says what is wrong when items are neither none nor all n of one
// version.
func mixture(items []engine.Item, n int) string {
	if len(items) != 0 && len(items) != n {
		return fmt.Sprintf("%d of %d items", len(items), n)
	}
	for _, it := range items {
		if !bytes.Equal(it.Contents, items[0].Contents) {
			return fmt.Sprintf("versions %s and %s", items[0].Contents, it.Contents)
		}
	}
	return ""
}

// Many callers load the index at once; the first to come reads it for all.
func TestLoadsShareOneReading(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	items := makeItems("k", 50)
	must(t, s.create("a").Upsert(ctx, items))
	s.reopen()
	var wg sync.WaitGroup
	wg.Go(func() { s.Metrics() })
	for w := range 8 {
		wg.Go(func() {
			ix, err := s.LoadIndex(ctx, "a", engine.WithIndexKey(s.keys["a"]))
			if err == nil {
				_, err = ix.Get(ctx, []string{items[w].ID}, engine.AllFields)
			}
			if err == nil {
				_, err = ix.Delete(ctx, []string{items[w].ID})
			}
			if err = errors.Join(err, ix.Close()); err != nil {
				t.Errorf("caller %d: %v", w, err)
			}
		})
	}
	wg.Wait()
	wantItems(t, s.load("a"), byID(items[8:]...), idsOf(items[:8])...)
}
