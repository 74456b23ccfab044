package engine

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"oubliette/crypto"
)

// Index is a handle of an index, bound to a key or keyless. Handles are light:
// all of one index share what the store has read of it. A handle is safe for
// concurrent use.
type Index struct {
	db     *DB
	cat    *catalogued
	bound  *keyring // nil: keyless
	closed atomic.Bool
}

// handle answers a handle, with its key checked and the index read when there
// is a key.
func (db *DB) handle(ctx context.Context, c *catalogued, key Key) (*Index, error) {
	ix := &Index{db: db, cat: c}
	if key.IsZero() {
		return ix, nil
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	ring, err := db.access.unwrap(c, key, UserID{})
	if err != nil {
		return nil, err
	}
	s, err := db.state(c, ring)
	if err != nil {
		return nil, err
	}
	if err := s.enter(ring); err != nil {
		return nil, err
	}
	s.leave()
	ix.bound = ring
	return ix, nil
}

// Name is the name of the index.
func (ix *Index) Name() string { return ix.cat.name }

// ID is the index's random id, which stays its own for good.
func (ix *Index) ID() crypto.IndexID { return ix.cat.id }

// Close closes the handle; calls under way end as they would. The index's
// state stays with the store until that is closed.
func (ix *Index) Close() error {
	if ix.closed.Swap(true) {
		return fmt.Errorf("index %q: handle: %w", ix.cat.name, ErrClosed)
	}
	return nil
}

// call is a call that has been let in: its state and what its key opens.
type call struct {
	*state
	ring *keyring
}

// begin lets a call in: handle open, key at hand and right, permission there,
// index read. The caller ends it with leave.
func (ix *Index) begin(ctx context.Context, opts []OpOption, need crypto.Permission) (call, error) {
	if ix.closed.Load() {
		return call{}, fmt.Errorf("index %q: handle: %w", ix.cat.name, ErrClosed)
	}
	if err := ctx.Err(); err != nil {
		return call{}, err
	}
	if _, err := ix.db.find(ix.cat.name); errors.Is(err, ErrClosed) {
		return call{}, err
	}
	ring, err := ix.keyring(opts)
	if err != nil {
		return call{}, err
	}
	if err := ring.allow(need); err != nil {
		return call{}, err
	}
	s, err := ix.db.state(ix.cat, ring)
	if err != nil {
		return call{}, err
	}
	if err := s.enter(ring); err != nil {
		return call{}, err
	}
	return call{state: s, ring: ring}, nil
}

// keyring is what the call's key opens: its own if it brings one, else the
// handle's.
func (ix *Index) keyring(opts []OpOption) (*keyring, error) {
	o := gather(opts)
	if o.key.IsZero() {
		if ix.bound == nil || o.given {
			return nil, fmt.Errorf("index %q: %w", ix.cat.name, ErrKeyRequired)
		}
		return ix.bound, nil
	}
	if ix.cat.err != nil {
		return nil, ix.cat.err
	}
	return ix.db.access.unwrap(ix.cat, o.key, UserID{})
}

// beginWrite is begin for a call that changes something.
func (ix *Index) beginWrite(ctx context.Context, opts []OpOption, need crypto.Permission) (call, error) {
	if err := ix.db.writable(); err != nil {
		return call{}, err
	}
	return ix.begin(ctx, opts, need)
}
