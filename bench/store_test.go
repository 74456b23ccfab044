package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"oubliette/bench/peers"
	"oubliette/bench/store"
)

func sameItem(a, b Item) bool {
	return a.ID == b.ID && slices.Equal(a.Vector, b.Vector) && bytes.Equal(a.Contents, b.Contents) && bytes.Equal(a.Metadata, b.Metadata)
}

// enterTest opens every store.
func enterTest(t *testing.T) entrants {
	t.Helper()
	es, err := enter(t.TempDir(), peers.Names()...)
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
			items := newMaker(large, 1).items(50, 0)
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
			if err := e.Upsert(ctx, newMaker(small, 1).items(10, 0)); err != nil {
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
			items := newMaker(small, 1).items(20, 0)
			if err := e.Upsert(ctx, items); err != nil {
				t.Fatal(err)
			}
			sealed, err := e.Store.(store.Sealer).SealedBytes(ctx, []string{items[3].ID, "nobody's", items[7].ID})
			if err != nil || len(sealed) < 2 {
				t.Fatalf("%d sealed runs of two items, %v", len(sealed), err)
			}
			n := newNeedles()
			for _, b := range sealed {
				n.add(b)
			}
			if found, err := n.search(e.dir); err != nil || found != n.count || found < len(sealed) {
				t.Errorf("%d of %d pieces found, %v", found, n.count, err)
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
			items := newMaker(small, 1).items(10, 0)
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
			items := newMaker(large, 1).items(10, 0)
			if err := e.Upsert(ctx, items); err != nil {
				t.Fatal(err)
			}
			n := newNeedles()
			for i := range items {
				n.add(items[i].Contents)
				vector, err := binary.Append(nil, binary.LittleEndian, items[i].Vector)
				if err != nil {
					t.Fatal(err)
				}
				n.add(vector)
				n.add(items[i].Metadata)
			}
			if found, err := n.search(e.dir); err != nil || found != 0 {
				t.Errorf("%d of %d pieces in the clear, %v", found, n.count, err)
			}
		})
	}
}

func TestMakerMakesTheSameItemsForEveryStore(t *testing.T) {
	a := newMaker(large, 7).items(5, 3)
	b := make([]Item, 5)
	newMaker(large, 7).refill(b, 3)
	if !slices.EqualFunc(a, b, sameItem) {
		t.Error("two makers of one seed differ")
	}
	if a[0].ID != id(3) || sameItem(a[0], a[1]) {
		t.Errorf("items are numbered from %s on", a[0].ID)
	}
	if it := a[0]; 4*len(it.Vector)+len(it.Contents)+len(it.Metadata) != large.bytes() {
		t.Errorf("an item has %d, %d and %d bytes, together not %d", 4*len(it.Vector), len(it.Contents), len(it.Metadata), large.bytes())
	}
}
