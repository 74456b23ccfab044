package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"oubliette/crypto"
)

// Index is a handle of an index, bound to a key or keyless. Handles are light:
// all of one index share what the store has read of it. A handle is safe for
// concurrent use.
type Index struct {
	db     *DB
	name   string
	id     crypto.IndexID
	keyed  bool
	user   UserID
	bound  atomic.Pointer[bound] // what key has opened last
	closed atomic.Bool

	keyMu sync.RWMutex // held while key is in use, for writing to wipe it
	key   Key          // zero: keyless
}

// bound is what a handle's key opens in an epoch.
type bound struct {
	cat  *catalogued
	ring *keyring
}

// handle answers a handle, with its key checked and the index read when there
// is a key.
func (db *DB) handle(ctx context.Context, c *catalogued, key Key, user UserID) (*Index, error) {
	ix := &Index{db: db, name: c.name, id: c.id}
	if key.IsZero() {
		return ix, nil
	}
	ix.key, ix.keyed, ix.user = key.Clone(), true, user
	call, err := ix.begin(ctx, nil, 0)
	if err != nil {
		ix.key.Wipe()
		return nil, err
	}
	call.leave()
	return ix, nil
}

// Name is the name of the index.
func (ix *Index) Name() string { return ix.name }

// ID is the index's random id, which stays its own for good.
func (ix *Index) ID() crypto.IndexID { return ix.id }

// Close closes the handle; calls under way end as they would. The index's
// state stays with the store until that is closed.
func (ix *Index) Close() error {
	if ix.closed.Swap(true) {
		return fmt.Errorf("index %q: handle: %w", ix.name, ErrClosed)
	}
	ix.keyMu.Lock()
	defer ix.keyMu.Unlock()
	ix.key.Wipe()
	ix.bound.Store(nil)
	return nil
}

// call is a call that has been let in: its state and what its key opens.
type call struct {
	*state
	ring *keyring
}

// begin lets a call in: handle open, key at hand and right, permission there,
// index read. The caller ends it with leave. A call that comes while root changes
// the epoch waits, and goes on in the new one.
func (ix *Index) begin(ctx context.Context, opts []OpOption, need crypto.Permission) (call, error) {
	for {
		if ix.closed.Load() {
			return call{}, fmt.Errorf("index %q: handle: %w", ix.name, ErrClosed)
		}
		if err := ctx.Err(); err != nil {
			return call{}, err
		}
		c, err := ix.enter(opts, need)
		if !errors.Is(err, errEpochOver) {
			return c, err
		}
	}
}

// errEpochOver: the state is one of an epoch that is over. It never leaves the
// engine.
var errEpochOver = errors.New("the epoch is over")

// enter is one attempt of begin.
func (ix *Index) enter(opts []OpOption, need crypto.Permission) (call, error) {
	cat, err := ix.current()
	if err != nil {
		return call{}, err
	}
	ring, err := ix.keyring(cat, opts)
	if err != nil {
		return call{}, ix.overtaken(cat, err)
	}
	if err := ring.allow(need); err != nil {
		return call{}, fmt.Errorf("index %q: %w", ix.name, err)
	}
	s, err := ix.db.state(cat, ring)
	if err != nil {
		return call{}, err
	}
	if err := s.enter(ring); err != nil {
		return call{}, err
	}
	return call{state: s, ring: ring}, nil
}

// overtaken is err, or errEpochOver when root has changed the index while keys
// were being opened: what is sealed to users may be of the next epoch by then, or
// gone.
func (ix *Index) overtaken(c *catalogued, err error) error {
	if !errors.Is(err, ErrCorrupt) {
		return err
	}
	ix.db.adminMu.Lock() // a change under way comes to its end
	defer ix.db.adminMu.Unlock()
	if now, _ := ix.current(); now == c {
		return err
	}
	return errEpochOver
}

// current is what is known of the index now. Another one that has been made under
// its name is not it.
func (ix *Index) current() (*catalogued, error) {
	c, err := ix.db.find(ix.name)
	if err == nil && c.id != ix.id {
		return nil, fmt.Errorf("index %q: %w", ix.name, ErrIndexNotFound)
	}
	return c, err
}

// keyring is what the call's key opens: its own if it brings one, else the
// handle's.
func (ix *Index) keyring(c *catalogued, opts []OpOption) (*keyring, error) {
	o := gather(opts)
	if o.key.IsZero() {
		if !ix.keyed || o.given || o.named {
			return nil, fmt.Errorf("index %q: %w", ix.name, ErrKeyRequired)
		}
		if b := ix.bound.Load(); b != nil && b.cat == c {
			return b.ring, nil
		}
		return ix.unwrap(c)
	}
	return ix.db.access.unwrap(c, o.key, o.user)
}

// unwrap opens the handle's keys in an epoch that it has not been used in yet.
func (ix *Index) unwrap(c *catalogued) (*keyring, error) {
	ix.keyMu.RLock()
	defer ix.keyMu.RUnlock()
	if ix.key.IsZero() {
		return nil, fmt.Errorf("index %q: handle: %w", ix.name, ErrClosed)
	}
	ring, err := ix.db.access.unwrap(c, ix.key, ix.user)
	if err == nil {
		ix.bound.Store(&bound{c, ring})
	}
	return ring, err
}

// beginWrite is begin for a call that changes something.
func (ix *Index) beginWrite(ctx context.Context, opts []OpOption, need crypto.Permission) (call, error) {
	if err := ix.db.writable(); err != nil {
		return call{}, err
	}
	c, err := ix.begin(ctx, opts, need)
	if err != nil {
		return call{}, err
	}
	if err := c.caughtUp(ctx); err != nil {
		c.leave()
		return call{}, err
	}
	return c, nil
}
