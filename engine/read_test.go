package engine_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"oubliette/engine"
)

func TestGetKeepsTheOrderOfIDs(t *testing.T) {
	ctx := context.Background()
	after(t, func(t *testing.T, settle func(*store, *engine.Index) *engine.Index) {
		r := newRand(t)
		s := newStore(t)
		ix := s.create("a")
		items := makeItems("k", 3000) // more than Get looks up at one moment
		must(t, ix.Upsert(ctx, items[:1500]))
		ix = settle(s, ix)
		must(t, ix.Upsert(ctx, items[1500:]))
		deleted := []string{"k7", "k1600", "k2999"}
		got(ix.Delete(ctx, deleted))(t)
		ids := append(idsOf(items), "unknown", "k5", "k5", "k7", "")
		ids = ids[:len(ids)-1]
		r.Shuffle(len(ids), func(i, k int) { ids[i], ids[k] = ids[k], ids[i] })
		var want []string
		for _, id := range ids {
			if id != "unknown" && !slices.Contains(deleted, id) {
				want = append(want, id)
			}
		}
		answer := got(ix.Get(ctx, ids, engine.AllFields))(t)
		if !slices.Equal(idsOf(answer), want) {
			t.Error("ids come back in another order, or not all")
		}
		model := byID(items...)
		for _, it := range answer {
			if !equal(it, model[it.ID]) {
				t.Fatalf("%q is %v", it.ID, it)
			}
		}
	})
}

func TestGetOfNothing(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	ix := s.create("a")
	for _, ids := range [][]string{nil, {}, {"unknown"}, {"a", "b", "a"}} {
		if items := got(ix.Get(ctx, ids, engine.AllFields))(t); len(items) != 0 {
			t.Errorf("%q of an empty index: %v", ids, items)
		}
	}
	wantItems(t, ix, nil)
}

func TestReadsAnswerTheWantedFieldsAlone(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	ix := s.create("a")
	full := makeItem("full", 1)
	items := []engine.Item{full, {ID: "bare"}, {ID: "empty", Contents: []byte{}}}
	must(t, ix.Upsert(ctx, items))
	pick := func(it engine.Item, f engine.Fields) engine.Item {
		if f&engine.FieldVector == 0 {
			it.Vector = nil
		}
		if f&engine.FieldContents == 0 {
			it.Contents = nil
		}
		if f&engine.FieldMetadata == 0 {
			it.Metadata = nil
		}
		return it
	}
	check := func(ix *engine.Index) {
		t.Helper()
		for f := engine.Fields(0); f <= engine.AllFields; f++ {
			have := got(ix.Get(ctx, idsOf(items), f))(t)
			for i := range items {
				if want := pick(items[i], f); i >= len(have) || !equal(have[i], want) {
					t.Errorf("fields %b: Get answers %v, want %v at %d", f, have, want, i)
				}
			}
			n := 0
			for it, err := range ix.Items(ctx, f) {
				must(t, err)
				n++
				if want := pick(byID(items...)[it.ID], f); !equal(it, want) {
					t.Errorf("fields %b: Items yields %v, want %v", f, it, want)
				}
			}
			if n != len(items) {
				t.Errorf("fields %b: %d items", f, n)
			}
		}
		_, err := ix.Get(ctx, []string{"full"}, 0xff)
		wantError(t, err, engine.ErrInvalid, "0xff")
		for _, err := range ix.Items(ctx, 0x10) {
			wantError(t, err, engine.ErrInvalid, "0x10")
		}
	}
	check(ix)
	s.reopen()
	check(s.load("a"))
}

// Count is exact while tombstones and newer versions wait to be applied, over
// every mixture of what stands in memtables and in indexes.
func TestCountIsExactWithPendingChanges(t *testing.T) {
	ctx := context.Background()
	r := newRand(t)
	s := newStore(t, small)
	ix := s.create("a")
	live := make(map[string]bool)
	for step := range 300 {
		var ids []string
		for range 1 + r.IntN(6) {
			ids = append(ids, fmt.Sprint("k", r.IntN(80)))
		}
		if r.IntN(2) == 0 {
			items := make([]engine.Item, len(ids))
			for i, id := range ids {
				items[i], live[id] = sizedItem(id, step, 700), true
			}
			must(t, ix.Upsert(ctx, items))
		} else {
			got(ix.Delete(ctx, ids))(t)
			for _, id := range ids {
				delete(live, id)
			}
		}
		switch r.IntN(12) {
		case 0:
			must(t, ix.Roll(ctx))
		case 1:
			must(t, ix.SealNow(ctx))
		case 2:
			got(ix.Purge(ctx))(t)
		}
		if n := got(ix.Count(ctx))(t); n != len(live) {
			t.Fatalf("step %d: Count is %d, want %d", step, n, len(live))
		}
	}
}

func TestHandlesShareAnIndex(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	a := s.create("a")
	b := s.load("a")
	must(t, a.Upsert(ctx, makeItems("k", 3)))
	got(b.Delete(ctx, []string{"k1"}))(t)
	want := byID(makeItems("k", 3)...)
	delete(want, "k1")
	wantItems(t, a, want, "k1")
	must(t, a.Close())
	wantItems(t, b, want, "k1")
	if a.Name() != "a" || a.ID() != b.ID() {
		t.Errorf("handles of %q (%s) and %s", a.Name(), a.ID(), b.ID())
	}
}

// Indexes of one store know nothing of one another, ids and keys included.
func TestIndexesAreApart(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	key := engine.NewKey()
	for _, name := range []string{"a", "b"} {
		got(s.CreateIndex(ctx, name, key, engine.IndexConfig{}))(t)
		s.keys[name] = key
	}
	a, b := s.load("a"), s.load("b")
	must(t, a.Upsert(ctx, []engine.Item{makeItem("x", 1), makeItem("y", 1)}))
	must(t, b.Upsert(ctx, []engine.Item{makeItem("x", 2), vec("z", 8)}))
	got(a.Delete(ctx, []string{"x", "z"}))(t)
	for range 2 {
		wantItems(t, a, byID(makeItem("y", 1)), "x", "z")
		wantItems(t, b, byID(makeItem("x", 2), vec("z", 8)), "y")
		got(a.Purge(ctx))(t)
		s.reopen()
		a, b = s.load("a"), s.load("b")
	}
}
