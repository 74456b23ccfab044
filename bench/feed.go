package main

import (
	"context"
	"fmt"

	"oubliette/bench/store"
)

// feed hands out ids of items that are in a store, each once, and puts the
// items in again when all are gone.
type feed struct {
	store store.Store
	from  stock
	ids   []string // of its first items, in random order
	next  int
}

func newFeed(ctx context.Context, s store.Store, from stock, ids []string) (*feed, error) {
	f := &feed{store: s, from: from, ids: ids}
	return f, f.fill(ctx)
}

func (f *feed) fill(ctx context.Context) error {
	f.next = 0
	if err := load(ctx, f.store, f.from, len(f.ids)); err != nil {
		return err
	}
	return store.Settle(ctx, f.store)
}

// peek is the id that is next; empty: all are gone.
func (f *feed) peek() string {
	if f.next == len(f.ids) {
		return ""
	}
	return f.ids[f.next]
}

// take answers n ids, all of them in the store.
func (f *feed) take(ctx context.Context, n int) ([]string, error) {
	if n > len(f.ids) {
		return nil, fmt.Errorf("%d ids wanted of %d", n, len(f.ids))
	}
	if f.next+n > len(f.ids) {
		if err := f.fill(ctx); err != nil {
			return nil, err
		}
	}
	f.next += n
	return f.ids[f.next-n : f.next], nil
}
