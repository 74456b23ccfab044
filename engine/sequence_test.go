package engine_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/engine"
)

// small makes segments of the least size that there is.
func small(o *engine.Options) { o.SegmentSize = 64 << 10 }

// after are the ways in which an index goes on: each has to show the same
// items.
func after(t *testing.T, run func(t *testing.T, settle func(s *store, ix *engine.Index) *engine.Index)) {
	ctx := context.Background()
	ways := []struct {
		name   string
		settle func(s *store, ix *engine.Index) *engine.Index
	}{
		{"nothing", func(s *store, ix *engine.Index) *engine.Index { return ix }},
		{"purge", func(s *store, ix *engine.Index) *engine.Index { got(ix.Purge(ctx))(s); return ix }},
		{"seal", func(s *store, ix *engine.Index) *engine.Index {
			must(s, ix.Roll(ctx))
			must(s, ix.SealNow(ctx))
			return ix
		}},
		{"roll", func(s *store, ix *engine.Index) *engine.Index { must(s, ix.Roll(ctx)); return ix }},
		{"compaction", func(s *store, ix *engine.Index) *engine.Index { must(s, ix.Compact(ctx)); return ix }},
		{"reopen", func(s *store, ix *engine.Index) *engine.Index { s.reopen(); return s.load(ix.Name()) }},
		{"crash", func(s *store, ix *engine.Index) *engine.Index {
			other := openStore(s, s.fs.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{}), s.keys, func(o *engine.Options) {
				o.SegmentSize, o.PurgeWithin = s.opts.SegmentSize, s.opts.PurgeWithin
			})
			s.checkAll()
			s.close() // the test goes on with the image
			s.DB, s.fs, s.opts, s.closed = other.DB, other.fs, other.opts, false
			other.closed = true
			return s.load(ix.Name())
		}},
	}
	for _, w := range ways {
		t.Run("then "+w.name, func(t *testing.T) { run(t, w.settle) })
	}
}

// Sequence numbers order what happened: a delete between two upserts kills the
// first row and not the second, whenever it is applied.
func TestUpsertDeleteUpsertKeepsTheLast(t *testing.T) {
	ctx := context.Background()
	after(t, func(t *testing.T, settle func(*store, *engine.Index) *engine.Index) {
		s := newStore(t, small)
		ix := s.create("a")
		var gone residue
		must(t, ix.Upsert(ctx, []engine.Item{makeItem("x", 1), makeItem("y", 1), makeItem("z", 1)}))
		gone.note(t, s, ix, []string{"x", "y"})
		got(ix.Delete(ctx, []string{"x", "y"}))(t)
		must(t, ix.Upsert(ctx, []engine.Item{makeItem("x", 2)}))
		want := byID(makeItem("x", 2), makeItem("z", 1))
		wantItems(t, ix, want, "y")
		ix = settle(s, ix)
		wantItems(t, ix, want, "y")
		ix = settle(s, ix)
		wantItems(t, ix, want, "y")
		got(ix.Purge(ctx))(t)
		gone.wantGone(t, s.fs)
		must(t, ix.Compact(ctx))
		wantItems(t, ix, want, "y")
	})
}

// The same with something in between: the versions stand in different segments,
// some with an index, some without.
func TestUpsertDeleteUpsertAcrossSegments(t *testing.T) {
	ctx := context.Background()
	after(t, func(t *testing.T, settle func(*store, *engine.Index) *engine.Index) {
		s := newStore(t, small)
		ix := s.create("a")
		var gone residue
		must(t, ix.Upsert(ctx, []engine.Item{makeItem("x", 1), makeItem("y", 1), makeItem("z", 1)}))
		gone.note(t, s, ix, []string{"x", "y"})
		ix = settle(s, ix)
		got(ix.Delete(ctx, []string{"x", "y"}))(t)
		ix = settle(s, ix)
		must(t, ix.Upsert(ctx, []engine.Item{makeItem("x", 2)}))
		gone.note(t, s, ix, []string{"x"})
		ix = settle(s, ix)
		must(t, ix.Upsert(ctx, []engine.Item{makeItem("x", 3), makeItem("y", 3)}))
		gone.note(t, s, ix, []string{"y"})
		ix = settle(s, ix)
		got(ix.Delete(ctx, []string{"y"}))(t)
		want := byID(makeItem("x", 3), makeItem("z", 1))
		wantItems(t, ix, want, "y")
		ix = settle(s, ix)
		wantItems(t, ix, want, "y")
		got(ix.Purge(ctx))(t)
		wantItems(t, ix, want, "y")
		gone.wantGone(t, s.fs)
	})
}

// Calls that cross the end of a segment are one call.
func TestCallsCrossSegments(t *testing.T) {
	ctx := context.Background()
	s := newStore(t, small)
	ix := s.create("a")
	want := make(map[string]engine.Item)
	var gone residue
	for round := range 3 {
		var items []engine.Item
		for i := range 40 {
			items = append(items, sizedItem(fmt.Sprint("k", i), round, 6000))
		}
		if round > 0 {
			gone.note(t, s, ix, idsOf(items)) // the versions before
		}
		must(t, ix.Upsert(ctx, items[:25]))
		must(t, ix.Upsert(ctx, items[25:]))
		for _, it := range items {
			want[it.ID] = it
		}
		wantItems(t, ix, want)
	}
	m := s.Metrics().Indexes["a"] // some may have been merged by now
	if n := m.Segments + m.OpenSegments + int(m.Unlinked); n < 3 {
		t.Fatalf("%d segments in all: the test wants many", n)
	}
	got(ix.Purge(ctx))(t)
	gone.wantGone(t, s.fs)
	wantItems(t, ix, want)
	s.reopen()
	wantItems(t, s.load("a"), want)
}

func TestDeletesOfUnknownRepeatedAndNoIDs(t *testing.T) {
	ctx := context.Background()
	after(t, func(t *testing.T, settle func(*store, *engine.Index) *engine.Index) {
		s := newStore(t)
		ix := s.create("a")
		items := makeItems("k", 4)
		if r := got(ix.Delete(ctx, []string{"k0", "never"}))(t); r.Count != 2 { // before there is anything
			t.Errorf("receipt %+v", r)
		}
		must(t, ix.Upsert(ctx, items))
		ix = settle(s, ix)
		r := got(ix.Delete(ctx, nil))(t)
		if r != (engine.Receipt{}) {
			t.Errorf("an empty delete has the receipt %+v", r)
		}
		if r = got(ix.Delete(ctx, []string{}))(t); r != (engine.Receipt{}) {
			t.Errorf("an empty delete has the receipt %+v", r)
		}
		if r = got(ix.Delete(ctx, []string{"k1", "k1", "never", "k1"}))(t); r.Count != 2 {
			t.Errorf("receipt %+v, want 2 distinct ids", r)
		}
		again := got(ix.Delete(ctx, []string{"k1"}))(t)
		if again.Seq <= r.Seq || again.Head == r.Head || again.Salt == r.Salt {
			t.Errorf("receipts %+v and %+v", r, again)
		}
		want := byID(items[0], items[2], items[3])
		wantItems(t, ix, want, "k1", "never")
		ix = settle(s, ix)
		wantItems(t, ix, want, "k1", "never")
		must(t, ix.Upsert(ctx, []engine.Item{makeItem("k1", 9), makeItem("never", 1)}))
		want["k1"], want["never"] = makeItem("k1", 9), makeItem("never", 1)
		ix = settle(s, ix)
		wantItems(t, ix, want)
	})
}

// What an empty delete is refused for is what any delete is refused for.
func TestEmptyDeleteWritesNothing(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	ix := s.create("a")
	must(t, ix.Upsert(ctx, makeItems("k", 2)))
	before := settled(t, s.fs)
	got(ix.Delete(ctx, nil))(t)
	sameFiles(t, before, readAll(t, s.fs))
}
