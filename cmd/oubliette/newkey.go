package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"oubliette/engine"
)

// newKey says where a command takes the key from that it brings into an index:
// from a file that is there, or from nowhere, into a file that is not.
type newKey struct {
	readFlag, drawFlag string
	read, draw         string // one of them is a file, the other ""
}

// flags gives the command its two flags.
func (k *newKey) flags(cmd *cobra.Command, whose string) {
	cmd.Flags().StringVar(&k.read, k.readFlag, "", "file with "+whose)
	cmd.Flags().StringVar(&k.draw, k.drawFlag, "", "draw "+whose+" and write it to this file, which must not be there")
}

func (k *newKey) validate() error {
	switch {
	case k.read == "" && k.draw == "":
		return fmt.Errorf("%w: give --%s FILE or --%s FILE", errUsage, k.readFlag, k.drawFlag)
	case k.read != "" && k.draw != "":
		return fmt.Errorf("%w: --%s and --%s", errUsage, k.readFlag, k.drawFlag)
	case k.draw == "-":
		return fmt.Errorf("%w: --%s -: a key is written to a file and nowhere else", errUsage, k.drawFlag)
	}
	return nil
}

// file is where the key is.
func (k *newKey) file() string {
	if k.draw != "" {
		return k.draw
	}
	return k.read
}

// take answers the key. One that was drawn is durable in its file before it is
// used for anything.
func (k *newKey) take(ctx context.Context, a *app) (engine.Key, error) {
	if k.draw == "" {
		return within(ctx, func() (engine.Key, error) { return a.readKeyFile(k.read) }) // it may be a pipe
	}
	key := engine.NewKey()
	if err := writeKeyFile(k.draw, key); err != nil {
		key.Wipe()
		return engine.Key{}, err
	}
	return key, nil
}

// settle takes a key file away again that nobody needs: it was written for a
// change that surely has not been made.
func (k *newKey) settle(o outcome, err error) error {
	if k.draw == "" || err == nil || o != unchanged {
		return err
	}
	return errors.Join(err, os.Remove(k.draw))
}

// syncKeyFile makes a key file durable that somebody else has written, perhaps
// just now. What is no file, a pipe, cannot be.
func syncKeyFile(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("%w file: %w", errKey, err)
	}
	if !info.Mode().IsRegular() {
		return nil
	}
	if err := errors.Join(syncPath(path), syncPath(filepath.Dir(path))); err != nil {
		return fmt.Errorf("key file %s: %w", path, err)
	}
	return nil
}
