package main

import (
	"context"

	"github.com/spf13/cobra"

	"oubliette/engine"
	"oubliette/proof"
)

func (a *app) rootKeyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "root-key",
		Short: "Print the public key that checks an index's documents",
		Long: `Print root's public key of the index, as PEM: with it "oubliette verify --root-key"
checks receipts and certificates anywhere, without the store. It is no secret, and
the key at hand vouches for it: pass it on by a way that the sender of the documents
does not control, since no document vouches for the key that checks it. Any key of
the index will do, root's or a user's. It changes nothing.

It stays the same until "rotate-key". Documents from before that go on being checked
with the public key of their time: keep it.`,
		Args: noArguments,
		RunE: a.action(func(ctx context.Context, _ []string) error { return a.rootKey(ctx) }),
	}
}

func (a *app) rootKey(ctx context.Context) error {
	return a.withIndex(ctx, reading, func(_ *engine.DB, ix *engine.Index) error {
		key, err := ix.RootKey(ctx)
		if err != nil {
			return err
		}
		if a.json {
			return writeJSON(a.stdout, struct {
				Index   string `json:"index"`
				IndexID string `json:"index_id"`
				RootKey string `json:"root_key"` // PEM
				KeyID   string `json:"key_id"`   // as documents name it
			}{ix.Name(), ix.ID().String(), string(key.PEM()), proof.KeyID(key).String()})
		}
		_, err = a.stdout.Write(key.PEM())
		return err
	})
}
