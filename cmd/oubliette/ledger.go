package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"oubliette/engine"
)

// open opens the store in dir, with its ledger where one was named. What the
// ledger shows to have been put back is a warning, told when nothing is drawn any
// more.
func (a *app) open(dir string, opts engine.Options) (*engine.DB, error) {
	path, err := a.ledgerPath(dir)
	if err != nil {
		return nil, err
	}
	opts.FS = a.fs
	if path != "" {
		opts.Ledger = engine.LedgerFile(a.fs, path)
	}
	var back []engine.RollbackInfo
	opts.EventListener = &engine.EventListener{RolledBack: func(r engine.RollbackInfo) { back = append(back, r) }}
	db, err := engine.Open(dir, &opts)
	for _, r := range back {
		a.warn("index %q was put back to an earlier state: %s", r.Index, lacked(r))
	}
	if errors.Is(err, engine.ErrLedgerRequired) {
		err = fmt.Errorf("%w: %w: give --ledger FILE or set $%s", errUsage, err, envLedger)
	}
	return db, err
}

// lacked says what an index lacked that its ledger has.
func lacked(r engine.RollbackInfo) string {
	said := count(r.Groups, "group") + " of deletes were missing and are taken from the ledger"
	if r.Groups == 1 {
		said = "1 group of deletes was missing and is taken from the ledger"
	}
	if r.Epochs == 0 {
		return said
	}
	return said + fmt.Sprintf("; it lacks %s of users or keys, and cannot be opened", count(r.Epochs, "change"))
}

// ledgerPath is the ledger's file, from the flag or the environment; "": there is
// none. What is put back together with the store would tell nothing, so it has to
// stand outside of the folder.
func (a *app) ledgerPath(dir string) (string, error) {
	path := a.ledger
	if path == "" {
		path = a.getenv(envLedger)
	}
	if path == "" {
		return "", nil
	}
	file, err := resolved(path)
	if err != nil {
		return "", fmt.Errorf("ledger: %w", err)
	}
	folder, err := resolved(dir)
	if err != nil {
		return "", err
	}
	if rest, err := filepath.Rel(folder, file); err == nil && rest != ".." && !strings.HasPrefix(rest, ".."+string(filepath.Separator)) {
		return "", fmt.Errorf("%w: ledger %s is inside of the store %s: whoever puts the store back would put it back, too", errUsage, path, dir)
	}
	return path, nil
}

// resolved is a path without symbolic links, as far as it is there.
func resolved(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	real, err := filepath.EvalSymlinks(path)
	if !errors.Is(err, os.ErrNotExist) || path == filepath.Dir(path) {
		return real, err
	}
	parent, err := resolved(filepath.Dir(path))
	return filepath.Join(parent, filepath.Base(path)), err
}
