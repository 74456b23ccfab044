package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/bench/store"
	"oubliette/internal/residue"
)

func sameItem(a, b Item) bool {
	return a.ID == b.ID && slices.Equal(a.Vector, b.Vector) && bytes.Equal(a.Contents, b.Contents) && bytes.Equal(a.Metadata, b.Metadata)
}

// enterTest opens every store.
func enterTest(t *testing.T) entrants {
	t.Helper()
	es, err := enter(t.Context(), t.TempDir(), 0, everyStore()...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := es.close(); err != nil {
			t.Error(err)
		}
	})
	return es
}

func TestEveryStoreKeepsItemsAndDeletesThem(t *testing.T) {
	ctx := context.Background()
	for _, e := range enterTest(t) {
		t.Run(e.Name, func(t *testing.T) {
			items := itemsOf(newMaker(large, 1), 0, 50)
			ids := make([]string, len(items))
			for i := range items {
				ids[i] = items[i].ID
			}
			if err := e.Upsert(ctx, items); err != nil {
				t.Fatal(err)
			}
			got, err := e.Get(ctx, ids)
			if err != nil || !slices.EqualFunc(got, items, sameItem) {
				t.Fatalf("got %d items, %v: not the %d that were put", len(got), err, len(items))
			}
			if err := e.Delete(ctx, ids[:20]); err != nil {
				t.Fatal(err)
			}
			if err := e.Delete(ctx, ids[20:21]); err != nil {
				t.Fatal(err)
			}
			if _, err := e.Erase(ctx); err != nil {
				t.Fatal(err)
			}
			if err := e.Compact(ctx); err != nil {
				t.Fatal(err)
			}
			if got, err = e.Get(ctx, ids); err != nil || !slices.EqualFunc(got, items[21:], sameItem) {
				t.Errorf("after deleting 21 of %d: got %d items, %v", len(items), len(got), err)
			}
			if got, err = scan(ctx, e); err != nil || !slices.EqualFunc(got, items[21:], sameItem) {
				t.Errorf("after deleting 21 of %d: all items are %d, %v", len(items), len(got), err)
			}
		})
	}
}

// scan answers all items, by id.
func scan(ctx context.Context, s store.Store) (all []Item, err error) {
	for it, err := range s.Items(ctx) {
		if err != nil {
			return nil, err
		}
		all = append(all, it)
	}
	slices.SortFunc(all, func(a, b Item) int { return strings.Compare(a.ID, b.ID) })
	return all, nil
}

// What is open when it is asked ends at once, and leaves nothing locked.
func TestScanOfEveryStoreCanBeLeft(t *testing.T) {
	ctx := context.Background()
	for _, e := range enterTest(t) {
		t.Run(e.Name, func(t *testing.T) {
			if err := e.Upsert(ctx, itemsOf(newMaker(small, 1), 0, 10)); err != nil {
				t.Fatal(err)
			}
			n := 0
			for _, err := range e.Items(ctx) {
				if err != nil {
					t.Fatal(err)
				}
				if n++; n == 3 {
					break
				}
			}
			if n != 3 {
				t.Errorf("%d items before the scan was left, want 3", n)
			}
			if err := e.Compact(ctx); err != nil {
				t.Error(err)
			}
		})
	}
}

// Sealed bytes are what a search for residue looks for: as long as the items
// live it has to find them.
func TestSealedBytesOfEveryStoreStandInItsFiles(t *testing.T) {
	ctx := context.Background()
	for _, e := range enterTest(t) {
		t.Run(e.Name, func(t *testing.T) {
			items := itemsOf(newMaker(small, 1), 0, 20)
			if err := e.Upsert(ctx, items); err != nil {
				t.Fatal(err)
			}
			noted, err := noteSealed(ctx, e, []string{items[3].ID, "nobody's", items[7].ID})
			if err != nil {
				t.Fatal(err)
			}
			if found, err := noted.search(ctx, e); err != nil || found != noted.pieces || found < 10 {
				t.Errorf("%d of %d pieces found, %v", found, noted.pieces, err)
			}
		})
	}
}

func TestEveryStoreSyncsEveryCall(t *testing.T) {
	ctx := context.Background()
	for _, e := range enterTest(t) {
		t.Run(e.Name, func(t *testing.T) {
			if !e.OnFS {
				t.Skip("it works on a file system of its own, where nothing counts syncs")
			}
			items := itemsOf(newMaker(small, 1), 0, 10)
			for what, call := range map[string]func() error{
				"upsert":        func() error { return e.Upsert(ctx, items) },
				"delete of one": func() error { return e.Delete(ctx, []string{"x"}) },
				"delete of two": func() error { return e.Delete(ctx, []string{"x", "y"}) },
			} {
				began := e.fs.tally()
				if err := call(); err != nil {
					t.Fatal(err)
				}
				if n := e.fs.since(began).syncs; n < 1 {
					t.Errorf("%s: %d syncs", what, n)
				}
			}
		})
	}
}

// Peers that did not seal would be measured doing less.
func TestNoStoreWritesItemsInTheClear(t *testing.T) {
	ctx := context.Background()
	for _, e := range enterTest(t) {
		t.Run(e.Name, func(t *testing.T) {
			items := itemsOf(newMaker(large, 1), 0, 10)
			if err := e.Upsert(ctx, items); err != nil {
				t.Fatal(err)
			}
			var plain [][]byte
			for i := range items {
				vector, err := binary.Append(nil, binary.LittleEndian, items[i].Vector)
				if err != nil {
					t.Fatal(err)
				}
				for _, field := range [][]byte{items[i].Contents, vector, items[i].Metadata} {
					plain = append(plain, residue.Pieces(field, pieceSize)...)
				}
			}
			s, err := residue.NewSearcher(plain)
			if err != nil {
				t.Fatal(err)
			}
			if hits, _, err := s.Search(ctx, vfs.Default, e.dir, nil); err != nil || len(hits) > 0 {
				t.Errorf("%d pieces of %d in the clear, %v", len(hits), s.Needles(), err)
			}
		})
	}
}

func TestMakerMakesTheSameItemsInAnyOrder(t *testing.T) {
	a := itemsOf(newMaker(large, 7), 3, 5)
	m := newMaker(large, 7)
	b := itemsOf(m, 100, 5)
	refill(m, b, 3)
	if !slices.EqualFunc(a, b, sameItem) {
		t.Error("two makers of one seed differ")
	}
	if sameItem(a[0], a[1]) || slices.Equal(a[0].Vector, a[1].Vector) || bytes.Equal(a[0].Contents, a[1].Contents) {
		t.Error("two items are the same")
	}
	if it := a[0]; it.ID != m.id(3) || 4*len(it.Vector)+len(it.Contents)+len(it.Metadata) != large.bytes() || !json.Valid(it.Metadata) {
		t.Errorf("item %s has %d, %d and %d bytes, together not %d; metadata %s", it.ID, 4*len(it.Vector), len(it.Contents), len(it.Metadata), large.bytes(), it.Metadata)
	}
}
