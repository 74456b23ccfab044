package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"oubliette/engine"
)

// storeDir is the store's folder, from the flag or the environment, in the one
// spelling that everything else works with.
func (a *app) storeDir() (string, error) {
	dir := a.store
	if dir == "" {
		dir = a.getenv(envStore)
	}
	if dir == "" {
		return "", fmt.Errorf("%w: no store: give --store DIR or set $%s", errUsage, envStore)
	}
	return filepath.Clean(dir), nil
}

// existingStore is storeDir of a store that is there. Looking for it before it
// is opened keeps a mistyped name from making a new one.
func (a *app) existingStore() (string, error) {
	dir, err := a.storeDir()
	if err != nil {
		return "", err
	}
	for _, name := range []string{"FORMAT", "pebble"} {
		if _, err := os.Stat(filepath.Join(dir, name)); !errors.Is(err, os.ErrNotExist) {
			return dir, err
		}
	}
	return "", fmt.Errorf("store %s: %w (oubliette init makes one)", dir, errNotFound)
}

// withStore opens an existing store, hands it over and closes it. Closing
// erases what has been deleted; where it cannot, that is the error.
func (a *app) withStore(ctx context.Context, dir string, opts engine.Options, do func(db *engine.DB) error) (err error) {
	a.reading = opts.ReadOnly
	bar := a.spinner("opening")
	db, err := a.open(dir, opts)
	bar.done()
	if err != nil {
		return err
	}
	defer func() { err = afterClose(err, a.close(ctx, db)) }()
	return do(db)
}

// close closes the store. Of one that is open for reading nothing is lost when,
// after an interrupt, the process ends without it: so no call that goes on
// without looking at its context is waited for.
func (a *app) close(ctx context.Context, db *engine.DB) error {
	if !a.reading {
		bar := a.spinner("closing")
		defer bar.done()
		return db.Close()
	}
	_, err := within(ctx, func() (struct{}, error) { return struct{}{}, db.Close() })
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// target is what a command works on: an index of a store, and a key of it.
type target struct {
	dir string
	key engine.Key
}

// target looks at all that can be wrong before the store is opened.
func (a *app) target(ctx context.Context) (target, error) {
	dir, err := a.existingStore()
	if err != nil {
		return target{}, err
	}
	key, err := a.key(ctx)
	return target{dir, key}, err
}

// rootTarget is target for a command that only root may give.
func (a *app) rootTarget(ctx context.Context) (target, error) {
	if a.user != (engine.UserID{}) {
		return target{}, fmt.Errorf("--user %s: %w: this command takes root's key", a.user, engine.ErrPermission)
	}
	return a.target(ctx)
}

// withTarget opens the store and the index, hands them over and closes the
// store.
func (a *app) withTarget(ctx context.Context, t target, opts engine.Options, do func(db *engine.DB, ix *engine.Index) error) error {
	return a.withStore(ctx, t.dir, opts, func(db *engine.DB) error {
		bar := a.spinner("opening")
		ix, err := db.LoadIndex(ctx, a.index, engine.WithIndexKey(t.key), engine.WithUserID(a.user))
		bar.done()
		if err != nil {
			return err
		}
		return do(db, ix)
	})
}

// withIndex is target and withTarget for a command that reads no input.
func (a *app) withIndex(ctx context.Context, opts engine.Options, do func(db *engine.DB, ix *engine.Index) error) error {
	t, err := a.target(ctx)
	if err != nil {
		return err
	}
	defer t.key.Wipe()
	return a.withTarget(ctx, t, opts, do)
}

// reading are the options of a command that changes nothing.
var reading = engine.Options{ReadOnly: true}
