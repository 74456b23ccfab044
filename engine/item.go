package engine

import (
	"encoding/json"
	"fmt"
	"time"

	"oubliette/segment"
)

// Item is what an index holds. Only the id is required. An absent field is nil;
// contents may be present and empty. A vector is kept bit for bit, NaNs and
// their payloads too. Metadata is any JSON value.
type Item struct {
	ID       string
	Vector   []float32
	Contents []byte
	Metadata json.RawMessage
	// ExpiresAt is from when on there is no such item any more; zero: it stays. Its
	// place is the item's, not the id's: an item upserted again without it stays.
	//
	// From that moment no read shows the item, and Options.PurgeWithin later its
	// bytes are off the disk, as if it had been deleted then: while the store is
	// open with a writer's keys at hand, or else when it is next. The moment is that
	// of Options.Now, the wall clock. A clock that is set back shows an item again
	// that it had hidden, unless its death has been logged, which is done at once
	// where a writer's keys are at hand: then it is gone for good. A clock that jumps
	// ahead takes away what has expired by then. A time in the past is taken as any
	// other: such an item never shows.
	//
	// It is kept in whole milliseconds, rounded down so that nothing shows after its
	// time, and comes back in UTC. It may be from 1970 to 9999; else ErrInvalid.
	ExpiresAt time.Time
}

// expires is the item's expiry as a row has it.
func (it *Item) expires() uint64 {
	if it.ExpiresAt.IsZero() {
		return 0
	}
	return uint64(it.ExpiresAt.UnixMilli())
}

// badExpiry tells whether the item expires at a time that no row can have.
func (it *Item) badExpiry() bool {
	t := it.ExpiresAt
	return !t.IsZero() && (t.Before(time.UnixMilli(1)) || !t.Before(time.UnixMilli(MaxExpiry+1)))
}

// Fields is a set of an item's fields, for reads that want less than all. The
// id always comes.
type Fields uint8

// The fields of an item.
const (
	FieldVector   = Fields(segment.WantVector)
	FieldContents = Fields(segment.WantContents)
	FieldMetadata = Fields(segment.WantMetadata)
	AllFields     = FieldVector | FieldContents | FieldMetadata
)

// IndexConfig is fixed when an index is made.
type IndexConfig struct {
	// Dimension of the vectors; 0: that of the first vector upserted.
	Dimension int
}

func (c IndexConfig) validate() error {
	if c.Dimension < 0 {
		return fmt.Errorf("dimension %d: %w", c.Dimension, ErrInvalid)
	}
	if c.Dimension > MaxDimension {
		return fmt.Errorf("dimension %d, at most %d: %w", c.Dimension, MaxDimension, ErrTooLarge)
	}
	return nil
}

// validate refuses what the store does not take, before anything is done. n
// says which item of the call it is.
func (it *Item) validate(n int) error {
	if err := validateID(it.ID); err != nil {
		return fmt.Errorf("item %d: %w", n, err)
	}
	switch {
	case it.Vector != nil && len(it.Vector) == 0:
		return fmt.Errorf("item %d: a vector of 0 dimensions (nil is no vector): %w", n, ErrDimension)
	case len(it.Vector) > MaxDimension:
		return fmt.Errorf("item %d: vector of %d dimensions, at most %d: %w", n, len(it.Vector), MaxDimension, ErrTooLarge)
	case len(it.Contents) > MaxContents:
		return fmt.Errorf("item %d: contents of %d bytes, at most %d: %w", n, len(it.Contents), MaxContents, ErrTooLarge)
	case len(it.Metadata) > MaxMetadata:
		return fmt.Errorf("item %d: metadata of %d bytes, at most %d: %w", n, len(it.Metadata), MaxMetadata, ErrTooLarge)
	case it.Metadata != nil && !json.Valid(it.Metadata):
		return fmt.Errorf("item %d: metadata is not JSON: %w", n, ErrInvalid)
	case it.badExpiry():
		return fmt.Errorf("item %d: expires at %v, which is not between the years 1970 and 9999: %w", n, it.ExpiresAt, ErrInvalid)
	}
	return nil
}

func validateID(id string) error {
	switch {
	case id == "":
		return fmt.Errorf("empty id: %w", ErrInvalid)
	case len(id) > MaxID:
		return fmt.Errorf("id of %d bytes, at most %d: %w", len(id), MaxID, ErrTooLarge)
	}
	return nil
}

// validateIDs looks at every id of a call.
func validateIDs(ids []string) error {
	if len(ids) > MaxIDs {
		return fmt.Errorf("%d ids in a call, at most %d: %w", len(ids), MaxIDs, ErrTooLarge)
	}
	for i, id := range ids {
		if err := validateID(id); err != nil {
			return fmt.Errorf("id %d: %w", i, err)
		}
	}
	return nil
}

// validate refuses bits that stand for no field.
func (f Fields) validate() error {
	if f&^AllFields != 0 {
		return fmt.Errorf("fields %#x, there are %#x: %w", uint8(f), uint8(AllFields), ErrInvalid)
	}
	return nil
}
