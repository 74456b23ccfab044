package engine_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/engine"
)

func TestDeleteIndexRemovesEveryFile(t *testing.T) {
	ctx := context.Background()
	s := newStore(t, small)
	doomed, kept := s.create("doomed"), s.create("kept")
	for _, part := range [][]engine.Item{makeItems("k", 400), makeItems("l", 400), makeItems("m", 10)} {
		must(t, doomed.Upsert(ctx, part))
		must(t, kept.Upsert(ctx, part))
	}
	got(doomed.Delete(ctx, []string{"k1"}))(t) // pending
	keyless := got(s.LoadIndex(ctx, "doomed"))(t)
	var gone residue
	gone.note(t, s, doomed, append(idsOf(makeItems("m", 10)), "k0", "l399"))
	id, key := doomed.ID(), s.keys["doomed"]

	must(t, s.DeleteIndex(ctx, "doomed", key))
	gone.wantGone(t, s.fs)
	for path := range readAll(t, s.fs) {
		if strings.Contains(path, id.String()) {
			t.Errorf("%s is left", path)
		}
	}
	for _, op := range operations() {
		wantError(t, op.run(doomed), engine.ErrIndexNotFound, `"doomed"`)
		wantError(t, op.run(keyless, engine.WithIndexKey(key)), engine.ErrIndexNotFound, `"doomed"`)
	}
	_, err := s.LoadIndex(ctx, "doomed", engine.WithIndexKey(key))
	wantError(t, err, engine.ErrIndexNotFound, `"doomed"`)
	wantError(t, s.DeleteIndex(ctx, "doomed", key), engine.ErrIndexNotFound, `"doomed"`)
	want := byID(append(append(makeItems("k", 400), makeItems("l", 400)...), makeItems("m", 10)...)...)
	wantItems(t, kept, want)
	s.reopen()
	wantItems(t, s.load("kept"), want)
	gone.wantGone(t, s.fs)
}

// An index that nobody has unlocked is deleted as well.
func TestDeleteIndexThatIsNotLoaded(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	ix := s.create("doomed")
	must(t, ix.Upsert(ctx, makeItems("k", 100)))
	var gone residue
	gone.note(t, s, ix, idsOf(makeItems("k", 100)))
	s.reopen()
	must(t, s.DeleteIndex(ctx, "doomed", s.keys["doomed"]))
	gone.wantGone(t, s.fs)
	if names := got(s.ListIndexes())(t); len(names) != 0 {
		t.Errorf("indexes are %q", names)
	}
}

func TestAnIndexMadeAgainSharesNothing(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	key := engine.NewKey()
	old := got(s.CreateIndex(ctx, "a", key, engine.IndexConfig{}))(t)
	must(t, old.Upsert(ctx, []engine.Item{vec("x", 3), vec("y", 3)}))
	r := got(old.Delete(ctx, []string{"y"}))(t)
	must(t, s.DeleteIndex(ctx, "a", key))
	s.keys["a"] = key // the same key, even
	ix := got(s.CreateIndex(ctx, "a", key, engine.IndexConfig{}))(t)
	if ix.ID() == old.ID() {
		t.Error("the new index has the id of the old one")
	}
	wantItems(t, ix, nil, "x", "y")
	must(t, ix.Upsert(ctx, []engine.Item{vec("x", 2)})) // another dimension
	if again := got(ix.Delete(ctx, []string{"y"}))(t); again.Session == r.Session || again.Head == r.Head || again.Index == r.Index {
		t.Errorf("receipts %+v and %+v", r, again)
	}
	_, err := old.Count(ctx)
	wantError(t, err, engine.ErrIndexNotFound, `"a"`) // the old handle does not open the new one
	for range 2 {
		wantItems(t, ix, byID(vec("x", 2)), "y")
		s.reopen()
		ix = s.load("a")
	}
}

func TestDeleteIndexEndsScans(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	ix, _ := spread(t, s, 100)
	n := 0
	var last error
	for _, err := range ix.IDs(ctx) {
		if n++; n == 40 {
			must(t, s.DeleteIndex(ctx, "a", s.keys["a"]))
		}
		last = err
	}
	wantError(t, last, engine.ErrIndexNotFound, `"a"`)
	if n != 41 {
		t.Errorf("%d turns, want 40 items and an error", n)
	}
}

// Loading, writing and deleting at once: each call ends with what is true for
// it, and nothing is left behind.
func TestDeleteIndexAmidCalls(t *testing.T) {
	ctx := context.Background()
	for range 15 {
		s := newStore(t, small)
		ix := s.create("a")
		must(t, ix.Upsert(ctx, makeItems("k", 20)))
		s.reopen()
		key := s.keys["a"]
		var wg sync.WaitGroup
		start := make(chan struct{})
		for w := range 4 {
			wg.Go(func() {
				<-start
				ix, err := s.LoadIndex(ctx, "a", engine.WithIndexKey(key))
				for i := 0; err == nil; i++ {
					if err = ix.Upsert(ctx, makeItems("w", 1+w)); err == nil {
						_, err = ix.Count(ctx)
					}
				}
				wantError(t, err, engine.ErrIndexNotFound, `"a"`)
			})
		}
		wg.Go(func() {
			<-start
			if err := s.DeleteIndex(ctx, "a", key); err != nil {
				t.Errorf("DeleteIndex: %v", err)
			}
		})
		close(start)
		wg.Wait()
		for path := range readAll(t, s.fs) {
			if strings.HasSuffix(path, ".seg") {
				t.Errorf("%s is left", path)
			}
		}
		s.reopen()
		if names := got(s.ListIndexes())(t); len(names) != 0 {
			t.Errorf("indexes are %q", names)
		}
	}
}

// When DeleteIndex has returned, no crash brings the index back.
func TestDeleteIndexIsDurable(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	ix := s.create("a")
	must(t, ix.Upsert(ctx, makeItems("k", 20)))
	must(t, s.DeleteIndex(ctx, "a", s.keys["a"]))
	crash := openStore(t, s.fs.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{}), nil)
	if names := got(crash.ListIndexes())(t); len(names) != 0 {
		t.Errorf("indexes are %q", names)
	}
	crash.create("a")
}
