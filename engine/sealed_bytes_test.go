package engine_test

import (
	"context"
	"testing"

	"oubliette/engine"
	search "oubliette/internal/residue"
)

// searchFor answers in how many places each of the needles stands in the store.
func (s *store) searchFor(needles [][]byte) map[int]int {
	s.Helper()
	searcher := got(search.NewSearcher(needles))(s)
	hits, _, err := searcher.Search(context.Background(), s.fs, storeDir, nil)
	must(s, err)
	places := make(map[int]int)
	for _, h := range hits {
		places[h.Needle]++
	}
	return places
}

func TestSealedBytesStandOnceOnDiskUntilTheyAreErased(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	ix := s.create("a")
	items := makeItems("id-", 50)
	items = append(items, engine.Item{ID: "bare"})
	must(t, ix.Upsert(ctx, items[:30]))
	must(t, ix.Roll(ctx))
	must(t, ix.SealNow(ctx)) // 30 in a segment with an index, the rest in an open one
	must(t, ix.Upsert(ctx, items[30:]))

	all := got(ix.SealedBytes(ctx, append(idsOf(items), "nobody")))(t)
	if len(all) != 50*3+1 {
		t.Fatalf("%d fields, want %d", len(all), 50*3+1)
	}
	for i, n := range s.searchFor(all) {
		if n != 1 {
			t.Errorf("field %d stands in %d places", i, n)
		}
	}
	if n := len(s.searchFor(all)); n != len(all) {
		t.Errorf("%d of %d fields found", n, len(all))
	}
	got(ix.Delete(ctx, idsOf(items[25:35])))(t)
	if n := len(got(ix.SealedBytes(ctx, idsOf(items)))(t)); n != 40*3+1 {
		t.Errorf("%d fields of what was left", n)
	}
	if n := len(s.searchFor(all)); n != len(all) {
		t.Errorf("before the purge %d of %d fields found: the search would not tell", n, len(all))
	}
	got(ix.Purge(ctx))(t)
	places := s.searchFor(all)
	for i := range all {
		want := 1
		if item := i / 3; item >= 25 && item < 35 {
			want = 0
		}
		if places[i] != want {
			t.Errorf("field %d stands in %d places, want %d", i, places[i], want)
		}
	}
}

func TestSealedBytesNeedsAReader(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	s.create("a")
	keyless := got(s.LoadIndex(ctx, "a"))(t)
	_, err := keyless.SealedBytes(ctx, []string{"x"})
	wantError(t, err, engine.ErrKeyRequired)
	_, err = s.load("a").SealedBytes(ctx, []string{""})
	wantError(t, err, engine.ErrInvalid)
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	_, err = s.load("a").SealedBytes(cancelled, []string{"x"})
	wantError(t, err, context.Canceled)
}
