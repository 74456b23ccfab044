package main

import (
	"context"
	"encoding/hex"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"oubliette/engine"
)

func (a *app) deleteCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "delete ID...",
		Short: "Delete items and erase them from the disk",
		Long: `Delete the items of all ids in one call: all of them or, on any error, none.
When the receipt is printed the delete is durable and no read shows the items
any more; before the command ends their bytes have been overwritten (exit code
7 says that they were not: they stay hidden, and "oubliette purge" tries again).
Ids without an item are fine, and count in the receipt: it counts distinct ids.
"delete -" and --file FILE read one id a line, as ls prints them; a bad line is
named, and then nothing is deleted.`,
		RunE: a.action(func(ctx context.Context, args []string) error {
			ids, err := a.ids(args, file)
			if err != nil {
				return err
			}
			return a.delete(ctx, ids)
		}),
	}
	cmd.Flags().StringVar(&file, "file", "", "read ids from this file, one a line (-: standard input)")
	return cmd
}

// delete prints the receipt before the store is closed: whatever becomes of the
// erasure, the delete is durable and its receipt is there.
func (a *app) delete(ctx context.Context, ids []string) error {
	return a.withIndex(ctx, engine.Options{}, func(_ *engine.DB, ix *engine.Index) error {
		r, err := ix.Delete(ctx, ids)
		if err != nil {
			return err
		}
		return a.printReceipt(r)
	})
}

// receiptJSON is a receipt for machines; binary values in hexadecimal.
type receiptJSON struct {
	IDs     int       `json:"ids"`
	Index   string    `json:"index_id"`
	Session string    `json:"session"`
	Seq     uint64    `json:"seq"`
	Head    string    `json:"head"`
	Time    time.Time `json:"time"`
	User    string    `json:"user"`
	Salt    string    `json:"salt"`
	Digest  string    `json:"digest"`
}

func (a *app) printReceipt(r engine.Receipt) error {
	if a.json {
		return writeJSON(a.stdout, receiptJSON{
			r.Count, r.Index.String(), r.Session.String(), r.Seq, r.Head.String(),
			r.Time.UTC(), r.User.String(), hex.EncodeToString(r.Salt[:]), r.Digest.String(),
		})
	}
	return errors.Join(
		line(a.stdout, "deleted", "%s", count(r.Count, "distinct id")),
		line(a.stdout, "index", "%s", r.Index),
		line(a.stdout, "sequence", "%d of session %s", r.Seq, r.Session),
		line(a.stdout, "log head", "%s", r.Head),
		line(a.stdout, "time", "%s, by %s", r.Time.UTC().Format(time.RFC3339Nano), r.User),
		line(a.stdout, "digest", "%s", r.Digest),
		line(a.stdout, "salt", "%x", r.Salt),
	)
}
