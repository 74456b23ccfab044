package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/bench/peers"
	"oubliette/bench/store"
)

// Item is what every store holds.
type Item = store.Item

// everyStore names all of them: ours, the one that it is held against first, and
// the others by name.
func everyStore() []string {
	out := []string{ours, theirs}
	for _, name := range peers.Names() {
		if name != ours && name != theirs {
			out = append(out, name)
		}
	}
	return out
}

// ours is the store that targets are about, theirs the one that every other is
// held against.
const (
	ours   = "oubliette"
	theirs = "pebble"
)

// entrant is a store that takes part, with the file system that counts for it.
type entrant struct {
	store.Store // nil: it is closed
	store.Kind
	setup store.Setup
	dir   string
	fs    *countFS
}

// entrants are the stores of one workload.
type entrants []*entrant

// enter opens the named stores, each in a fresh folder of its name below dir.
// within is how long what is deleted may stay; 0: as the store comes.
func enter(ctx context.Context, dir string, within time.Duration, names ...string) (entrants, error) {
	var es entrants
	for _, name := range names {
		e, err := newEntrant(filepath.Join(dir, name), name, within)
		if err == nil {
			err = e.open(ctx)
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("open %s: %w", name, err), es.close())
		}
		es = append(es, e)
	}
	return es, nil
}

// newEntrant makes the folder dir for a store and does not open it yet.
func newEntrant(dir, name string, within time.Duration) (*entrant, error) {
	kind, ok := peers.Named(name)
	if !ok {
		return nil, fmt.Errorf("there is no such store, there are %s", strings.Join(everyStore(), ", "))
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	e := &entrant{Kind: kind, dir: dir, fs: newCountFS(vfs.Default)}
	e.setup = store.Setup{Dir: dir, FS: e.fs, PurgeWithin: within}
	rand.Read(e.setup.Key[:]) // never fails
	return e, nil
}

func (e *entrant) open(ctx context.Context) (err error) {
	e.Store, err = e.Kind.Open(ctx, e.setup)
	return err
}

// close closes the store and leaves its folder.
func (e *entrant) close() error {
	if e.Store == nil {
		return nil
	}
	s := e.Store
	e.Store = nil
	return s.Close()
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
		if err := e.close(); err != nil {
			errs = append(errs, fmt.Errorf("%s: close: %w", e.Name, err))
		}
		errs = append(errs, os.RemoveAll(e.dir))
	}
	return errors.Join(errs...)
}

// closeAfter closes the stores behind a run that has ended with err.
func (es entrants) closeAfter(err error) error { return errors.Join(err, es.close()) }

// named are entrants with nothing but names, for a report on stores that were open
// one after the other.
func named(names []string) (es entrants, err error) {
	for _, name := range names {
		kind, ok := peers.Named(name)
		if !ok {
			return nil, fmt.Errorf("there is no store %q", name)
		}
		es = append(es, &entrant{Kind: kind})
	}
	return es, nil
}
