package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"oubliette/engine"
)

func (a *app) rotateKeyCommand() *cobra.Command {
	k := newKey{readFlag: "new-key-file", drawFlag: "generate-new-key"}
	cmd := &cobra.Command{
		Use:   "rotate-key",
		Short: "Give an index a new index key",
		Long: `Give the index a new index key, with the one that it has: the new one is root's
from then on, and the old one opens nothing in the store's files. Users keep their
keys. No row is moved; it costs two small writes a segment.

The new key is in its file, and that is synced, before anything is changed. With
--generate-new-key FILE it is drawn and written to FILE, readable by its owner
only; a file that is there is not overwritten. When the key has surely not been
changed, the file is taken away again. A command that was killed may leave it:
then --new-key-file FILE takes it.

The file of the old key is not touched. Whoever has it and a copy of the store
from before (a backup, a snapshot) can read that copy: destroy the key when you
need no such copy any more, and keep it as long as you do.

When the outcome is not known (the disk has failed, or the command was killed)
either key may be the right one: keep both files. "oubliette purge --key-file FILE"
succeeds with the one that is, and has exit code 4 with the other. Exit code 7 says
that the new key is the right one, but that something of the old keys could not be
overwritten; the next command that writes tries again.`,
		Args: noArguments,
		RunE: a.action(func(ctx context.Context, _ []string) error { return a.rotateKey(ctx, &k) }),
	}
	k.flags(cmd, "the new index key")
	return cmd
}

// rotateKey gives the index a new key.
//
// Order: the new key into its file, S · its folder, S · the epoch of which it is
// root's key, S. A crash before the last S leaves the old key the right one, one
// after it the new one, and both are in their files: the old one's is not touched.
func (a *app) rotateKey(ctx context.Context, k *newKey) error {
	if err := k.validate(); err != nil {
		return err
	}
	t, err := a.rootTarget(ctx)
	if err != nil {
		return err
	}
	defer t.key.Wipe()
	key, err := k.take(ctx, a)
	if err != nil {
		return err
	}
	defer key.Wipe()
	if k.draw == "" {
		if err := syncKeyFile(k.read); err != nil {
			return err
		}
	}
	o := unchanged
	err = a.withTarget(ctx, t, engine.Options{}, func(_ *engine.DB, ix *engine.Index) (err error) {
		o, err = a.rotate(ctx, ix, k, t.key, key)
		return err
	})
	return k.settle(o, err)
}

// rotate changes the key and prints it.
func (a *app) rotate(ctx context.Context, ix *engine.Index, k *newKey, oldKey, key engine.Key) (outcome, error) {
	bar := a.spinner("rotate")
	o, err := attempt(func() (bool, error) {
		_, err := ix.ListUserKeys(patient(ctx), key)
		return opens(err)
	}, func() error { return ix.RotateKey(ctx, oldKey, key) })
	bar.done()
	switch o {
	case unchanged:
		return o, err
	case unknown:
		return o, &unknownError{err, fmt.Sprintf("either key may be the right one now, that of %s or that of %s: keep both; "+
			`"oubliette purge --key-file %s" succeeds if it is the new one, and has exit code %d if it is the old one`,
			k.file(), a.keySource(), k.file(), exitKey)}
	}
	if perr := a.printRotated(ix, k.file()); perr != nil {
		err = errors.Join(fmt.Errorf("the key of %s is the right one now, but that is not printed: %w", k.file(), perr), err)
	}
	return o, err
}

// keySource is where the caller's key came from.
func (a *app) keySource() string {
	if a.keyFile != "" {
		return a.keyFile
	}
	return "$" + envKey
}

func (a *app) printRotated(ix *engine.Index, file string) error {
	if a.json {
		return writeJSON(a.stdout, struct {
			Index   string `json:"index"`
			IndexID string `json:"index_id"`
			KeyFile string `json:"key_file"`
			OldKey  string `json:"old_key"` // where it came from
		}{ix.Name(), ix.ID().String(), file, a.keySource()})
	}
	var p page
	p.line("index", "%s (id %s)", formatID(ix.Name()), ix.ID())
	p.line("new key", "%s (keep it: nothing else opens the index as root)", file)
	p.line("old key", "%s (opens nothing any more but copies of the store from before:", a.keySource())
	p.line("", "destroy it unless you need such a copy)")
	return a.print(&p)
}
