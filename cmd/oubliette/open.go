package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"oubliette/engine"
)

// storeDir is the store's folder, from the flag or the environment.
func (a *app) storeDir() (string, error) {
	if a.store != "" {
		return a.store, nil
	}
	if dir := a.getenv(envStore); dir != "" {
		return dir, nil
	}
	return "", fmt.Errorf("%w: no store: give --store DIR or set $%s", errUsage, envStore)
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
func (a *app) withStore(opts engine.Options, do func(db *engine.DB) error) (err error) {
	dir, err := a.existingStore()
	if err != nil {
		return err
	}
	db, err := engine.Open(dir, &opts)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return do(db)
}

// withIndex is withStore for a command that works on the index with its key.
func (a *app) withIndex(ctx context.Context, opts engine.Options, do func(db *engine.DB, ix *engine.Index) error) error {
	if _, err := a.existingStore(); err != nil {
		return err
	}
	key, err := a.key()
	if err != nil {
		return err
	}
	defer key.Wipe()
	return a.withStore(opts, func(db *engine.DB) error {
		ix, err := db.LoadIndex(ctx, a.index, engine.WithIndexKey(key))
		if err != nil {
			return err
		}
		return do(db, ix)
	})
}

// reading are the options of a command that changes nothing.
var reading = engine.Options{ReadOnly: true}
