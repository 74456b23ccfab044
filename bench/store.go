package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/engine"
)

// Item is what every store holds.
type Item = engine.Item

// Store is a store under test. Its calls are safe for concurrent use, but for
// Close, and those that change something are durable when they return.
type Store interface {
	Upsert(ctx context.Context, items []Item) error
	Delete(ctx context.Context, ids []string) error
	// Get answers the items that are there, whole, in the order of ids.
	Get(ctx context.Context, ids []string) ([]Item, error)
	// Settle waits for background work that earlier calls have left.
	Settle(ctx context.Context) error
	// Erase takes what has been deleted off the disk, as far as the store can.
	// It answers how many bytes it has erased, 0 when the store does not say.
	Erase(ctx context.Context) (bytes uint64, err error)
	// Compact gives dead space back.
	Compact(ctx context.Context) error
	Close() error
}

// peer is a kind of store that takes part.
type peer struct {
	name string
	open func(dir string, fs vfs.FS) (Store, error)
	// itemFiles is how the names of the files end that take an item's bytes
	// when it is upserted.
	itemFiles string
}

var peers = []peer{
	{"oubliette", openOubliette, ".seg"},
	{"pebble", func(dir string, fs vfs.FS) (Store, error) { return openPebble(dir, fs, oneKey{}) }, ".log"},
	{"pebble3", func(dir string, fs vfs.FS) (Store, error) { return openPebble(dir, fs, threeKeys{}) }, ".log"},
}

func peerNames() []string {
	var out []string
	for _, p := range peers {
		out = append(out, p.name)
	}
	return out
}

// ours is the peer that targets are about, theirs the one that it is held
// against.
const (
	ours   = "oubliette"
	theirs = "pebble"
)

// entrant is an open store with the file system that counts for it.
type entrant struct {
	Store
	peer
	dir string
	fs  *countFS
}

// entrants are the stores of one workload.
type entrants []*entrant

// enter opens the named peers, each in a fresh folder below dir.
func enter(dir string, names ...string) (entrants, error) {
	var es entrants
	for _, p := range peers {
		if len(names) > 0 && !slices.Contains(names, p.name) {
			continue
		}
		e := &entrant{peer: p, dir: filepath.Join(dir, p.name), fs: newCountFS(vfs.Default)}
		var err error
		if err = os.Mkdir(e.dir, 0o700); err == nil {
			e.Store, err = p.open(e.dir, e.fs)
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("open %s: %w", p.name, err), es.close())
		}
		es = append(es, e)
	}
	return es, nil
}

// turn is the order of one round: every other one runs backwards, so that
// nobody always comes after the same neighbour.
func (es entrants) turn(round int) entrants {
	if round%2 == 0 {
		return es
	}
	out := make(entrants, 0, len(es))
	for i := len(es) - 1; i >= 0; i-- {
		out = append(out, es[i])
	}
	return out
}

// settle waits until no store has background work left.
func (es entrants) settle(ctx context.Context) error {
	for _, e := range es {
		if err := e.Settle(ctx); err != nil {
			return fmt.Errorf("%s: settle: %w", e.name, err)
		}
	}
	return nil
}

// close closes the stores and removes their folders.
func (es entrants) close() error {
	var errs []error
	for _, e := range es {
		if err := e.Close(); err != nil {
			errs = append(errs, fmt.Errorf("%s: close: %w", e.name, err))
		}
		errs = append(errs, os.RemoveAll(e.dir))
	}
	return errors.Join(errs...)
}
