package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/bench/peers"
	"oubliette/bench/store"
)

// Item is what every store holds.
type Item = store.Item

// measured are the stores that take part unless others are named.
var measured = []string{"oubliette", "pebble", "pebble3"}

// countable are the stores whose writes and syncs can be counted.
func countable() []string {
	var out []string
	for _, k := range peers.All() {
		if k.OnFS {
			out = append(out, k.Name)
		}
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
	store.Store
	store.Kind
	dir string
	fs  *countFS
}

// entrants are the stores of one workload.
type entrants []*entrant

// enter opens the named stores, each in a fresh folder below dir.
func enter(dir string, names ...string) (entrants, error) {
	if len(names) == 0 {
		names = measured
	}
	var es entrants
	for _, name := range names {
		e, err := open(dir, name)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("open %s: %w", name, err), es.close())
		}
		es = append(es, e)
	}
	return es, nil
}

func open(dir, name string) (*entrant, error) {
	kind, ok := peers.Named(name)
	if !ok {
		return nil, fmt.Errorf("there is no such store, there are %s", strings.Join(peers.Names(), ", "))
	}
	e := &entrant{Kind: kind, dir: filepath.Join(dir, name), fs: newCountFS(vfs.Default)}
	if err := os.Mkdir(e.dir, 0o700); err != nil {
		return nil, err
	}
	s := store.Setup{Dir: e.dir, FS: e.fs}
	rand.Read(s.Key[:]) // never fails
	var err error
	e.Store, err = kind.Open(context.Background(), s)
	return e, err
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
		if err := store.Settle(ctx, e.Store); err != nil {
			return fmt.Errorf("%s: settle: %w", e.Name, err)
		}
	}
	return nil
}

// close closes the stores and removes their folders.
func (es entrants) close() error {
	var errs []error
	for _, e := range es {
		if err := e.Close(); err != nil {
			errs = append(errs, fmt.Errorf("%s: close: %w", e.Name, err))
		}
		errs = append(errs, os.RemoveAll(e.dir))
	}
	return errors.Join(errs...)
}
