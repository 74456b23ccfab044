package store

import (
	"context"
	"iter"

	"oubliette/engine"
)

// Item is what every store holds.
type Item = engine.Item

// Store is a store under test. Its calls are safe for concurrent use, but for
// Close, and those that change something are durable when they return nil.
type Store interface {
	// Upsert puts items in, each in place of the one of its id.
	Upsert(ctx context.Context, items []Item) error
	// Delete takes items out. An id that is not there is no error.
	Delete(ctx context.Context, ids []string) error
	// Get answers the items that are there, whole, in the order of ids.
	Get(ctx context.Context, ids []string) ([]Item, error)
	// Items answers all that is there, whole, in any order.
	Items(ctx context.Context) iter.Seq2[Item, error]
	// Erase takes what has been deleted or replaced off the disk, as far as the
	// store can. It answers how many bytes it has erased, 0 when the store does
	// not say.
	Erase(ctx context.Context) (bytes uint64, err error)
	// Compact gives dead space back.
	Compact(ctx context.Context) error
	Close() error
}
