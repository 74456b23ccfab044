package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"oubliette/engine"
)

func (a *app) initCommand() *cobra.Command {
	n := newIndex{}
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Make a store and an index in it",
		Long: `Make an index, and the store's folder when there is none (its parent has to
exist). With --generate-key FILE a new index key is drawn and written to FILE,
readable by its owner only; a file that is there is not overwritten. Keep it:
the store does not hold the key, and nothing else opens the index: it is root's,
who lets others in ("oubliette users"). What is wrong with the arguments is told
before anything is made. With --ledger FILE the store keeps a ledger from then on.`,
		Args: noArguments,
		RunE: a.action(func(ctx context.Context, _ []string) error { return a.init(ctx, n) }),
	}
	cmd.Flags().StringVar(&n.keyFile, "generate-key", "", "draw a new key and write it to this file")
	cmd.Flags().IntVar(&n.dimension, "dimension", 0, "dimension of the vectors (0: that of the first one)")
	return cmd
}

// newIndex is what init is to make.
type newIndex struct {
	dir       string
	name      string
	dimension int
	keyFile   string // for a new key; "": there is a key
}

// init makes nothing before it has looked at everything that it was given; the
// key file comes first, because there is no other way to know that it can be
// written.
func (a *app) init(ctx context.Context, n newIndex) (err error) {
	n.name = a.index
	if n.dir, err = a.storeDir(); err != nil {
		return err
	}
	if err := a.validate(&n); err != nil {
		return err
	}
	key, err := a.initKey(ctx, &n)
	if err != nil {
		return err
	}
	defer key.Wipe()
	used, err := a.makeIndex(ctx, &n, key)
	switch {
	case err == nil || n.keyFile == "":
		return err
	case used:
		return fmt.Errorf("%w (key file %s has been written and is kept)", err, n.keyFile)
	}
	return errors.Join(err, os.Remove(n.keyFile))
}

// validate holds what is to be made against the store's limits.
func (a *app) validate(n *newIndex) error {
	switch {
	case n.keyFile != "" && a.keyFile != "":
		return fmt.Errorf("%w: --generate-key and --key-file", errUsage)
	case a.user != (engine.UserID{}):
		return fmt.Errorf("%w: --user %s: the key of a new index is root's", errUsage, a.user)
	case n.keyFile == "-":
		return fmt.Errorf("%w: --generate-key -: a key is written to a file and nowhere else", errUsage)
	case n.name == "":
		return fmt.Errorf("%w: --index: an empty name", errUsage)
	case len(n.name) > engine.MaxName:
		return fmt.Errorf("%w: --index: a name of %d bytes, at most %d", errUsage, len(n.name), engine.MaxName)
	case n.dimension < 0 || n.dimension > engine.MaxDimension:
		return fmt.Errorf("%w: --dimension %d, allowed are 0 to %s", errUsage, n.dimension, number(engine.MaxDimension))
	}
	if err := validateFolder(n.dir); err != nil {
		return err
	}
	_, err := a.ledgerPath(n.dir)
	return err
}

// validateFolder looks whether a store is in dir or can be made there.
func validateFolder(dir string) error {
	if _, err := os.Stat(filepath.Dir(dir)); err != nil {
		if errors.Is(err, os.ErrNotExist) {
			err = fmt.Errorf("%w: %w", errNotFound, err)
		}
		return fmt.Errorf("the store's parent folder: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	ours := func(e os.DirEntry) bool { return slices.Contains([]string{"FORMAT", "pebble"}, e.Name()) }
	other := func(e os.DirEntry) bool { return !slices.Contains([]string{"LOCK", "segments"}, e.Name()) }
	if err == nil && !slices.ContainsFunc(entries, ours) && slices.ContainsFunc(entries, other) {
		return fmt.Errorf("%w: %s holds other files than a store's", errUsage, dir)
	}
	return err
}

// initKey answers the key of the new index: the one that is there, or a new one
// that is durable in its file.
func (a *app) initKey(ctx context.Context, n *newIndex) (engine.Key, error) {
	if n.keyFile == "" {
		return a.key(ctx)
	}
	key := engine.NewKey()
	if err := writeKeyFile(n.keyFile, key); err != nil {
		key.Wipe()
		return engine.Key{}, err
	}
	return key, nil
}

// makeIndex makes the index in its store. used tells whether it is there, or may
// be: then its key must not go.
func (a *app) makeIndex(ctx context.Context, n *newIndex, key engine.Key) (used bool, err error) {
	db, err := a.open(n.dir, engine.Options{})
	if err != nil {
		return false, err
	}
	defer func() { err = afterClose(err, a.close(ctx, db)) }()
	if there, err := hasIndex(db, n.name); err != nil || there {
		if there {
			err = fmt.Errorf("index %q in %s: %w", n.name, n.dir, engine.ErrIndexExists)
		}
		return false, err
	}
	ix, err := db.CreateIndex(ctx, n.name, key, engine.IndexConfig{Dimension: n.dimension})
	if err != nil {
		there, lerr := hasIndex(db, n.name)
		return there || lerr != nil || errors.Is(err, engine.ErrFailed), err
	}
	return true, a.printInit(n, ix)
}

func hasIndex(db *engine.DB, name string) (bool, error) {
	names, err := db.ListIndexes()
	return slices.Contains(names, name), err
}

func (a *app) printInit(n *newIndex, ix *engine.Index) error {
	if a.json {
		return writeJSON(a.stdout, struct {
			Store     string `json:"store"`
			Index     string `json:"index"`
			IndexID   string `json:"index_id"`
			Dimension int    `json:"dimension"`
			KeyFile   string `json:"key_file,omitempty"`
		}{n.dir, ix.Name(), ix.ID().String(), n.dimension, n.keyFile})
	}
	var p page
	p.line("store", "%s", n.dir)
	p.line("index", "%s (id %s)", formatID(ix.Name()), ix.ID())
	if n.keyFile != "" {
		p.line("key", "%s (keep it: nothing else opens the index)", n.keyFile)
	}
	return a.print(&p)
}
