package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"oubliette/engine"
)

func (a *app) initCommand() *cobra.Command {
	var generate string
	var dimension int
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Make a store and an index in it",
		Long: `Make an index, and the store's folder when there is none (its parent has to
exist). With --generate-key FILE a new index key is drawn and written to FILE,
readable by its owner only; a file that is there is not overwritten. Keep it:
the store does not hold the key, and nothing else opens the index.`,
		Args: cobra.NoArgs,
		RunE: a.action(func(ctx context.Context, _ []string) error { return a.init(ctx, generate, dimension) }),
	}
	cmd.Flags().StringVar(&generate, "generate-key", "", "draw a new key and write it to this file")
	cmd.Flags().IntVar(&dimension, "dimension", 0, "dimension of the vectors (0: that of the first one)")
	return cmd
}

func (a *app) init(ctx context.Context, generate string, dimension int) (err error) {
	dir, err := a.storeDir()
	if err != nil {
		return err
	}
	if generate != "" && a.keyFile != "" {
		return fmt.Errorf("%w: --generate-key and --key-file", errUsage)
	}
	var key engine.Key
	if generate == "" { // before a store is made for nothing
		if key, err = a.key(); err != nil {
			return err
		}
	}
	db, err := engine.Open(dir, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()); key.Wipe() }()
	if names, err := db.ListIndexes(); err != nil {
		return err
	} else if slices.Contains(names, a.index) {
		return fmt.Errorf("index %q in %s: %w", a.index, dir, engine.ErrIndexExists)
	}
	if generate != "" {
		key = engine.NewKey()
		if err := writeKeyFile(generate, key); err != nil {
			return err
		}
	}
	ix, err := db.CreateIndex(ctx, a.index, key, engine.IndexConfig{Dimension: dimension})
	if err != nil {
		return keptKey(err, generate)
	}
	return a.printInit(dir, generate, ix, dimension)
}

// keptKey tells that a key file has been written although the index was not
// made, or nobody knows whether it was.
func keptKey(err error, generate string) error {
	if generate == "" {
		return err
	}
	return fmt.Errorf("%w (key file %s has been written and is kept)", err, generate)
}

func (a *app) printInit(dir, generate string, ix *engine.Index, dimension int) error {
	if a.json {
		return writeJSON(a.stdout, struct {
			Store     string `json:"store"`
			Index     string `json:"index"`
			IndexID   string `json:"index_id"`
			Dimension int    `json:"dimension"`
			KeyFile   string `json:"key_file,omitempty"`
		}{dir, ix.Name(), ix.ID().String(), dimension, generate})
	}
	err := line(a.stdout, "store", "%s", dir)
	err = errors.Join(err, line(a.stdout, "index", "%s (id %s)", ix.Name(), ix.ID()))
	if generate != "" {
		err = errors.Join(err, line(a.stdout, "key", "%s (keep it: nothing else opens the index)", generate))
	}
	return err
}
