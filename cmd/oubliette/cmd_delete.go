package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"oubliette/engine"
)

func (a *app) deleteCommand() *cobra.Command {
	var file, receipt string
	cmd := &cobra.Command{
		Use:   "delete ID...",
		Short: "Delete items and erase them from the disk",
		Long: `Delete the items of all ids in one call: all of them or, on any error, none.
When the receipt is printed the delete is durable and no read shows the items
any more; before the command ends their bytes have been overwritten (exit code
7 says that they were not: they stay hidden, and "oubliette purge" tries again).
Ids without an item are fine, and count in the receipt: it counts distinct ids.
Behind it stands how many rows have been erased; with --json that is a second
line.

--receipt FILE writes the receipt as a signed document, durably and before anything
is erased: a DSSE envelope that says who deleted how many ids, when, and in which
place of the log, and from which "oubliette status" tells what has become of them.
"oubliette verify" checks it elsewhere, without the store and without a key. It says
nothing of the ids to who has no key. A file that is there is not overwritten, and
one that cannot be made is told before anything is deleted. When it cannot be
written afterwards the delete is done all the same, and the error says so.

` + idsHelp + `
In a list a bad line is named, and then nothing is deleted.`,
		RunE: a.action(func(ctx context.Context, args []string) error {
			src, err := a.idSource(args, file)
			if err != nil {
				return err
			}
			return a.delete(ctx, src, receipt)
		}),
	}
	cmd.Flags().StringVar(&receipt, "receipt", "", "write the signed receipt to this file, which must not be there")
	cmd.Flags().StringVar(&file, "file", "", "read ids from this file, one a line (-: standard input)")
	return cmd
}

// delete opens the store when all ids are there: while they come, others may
// have it.
func (a *app) delete(ctx context.Context, src idSource, receipt string) error {
	t, err := a.target(ctx)
	if err != nil {
		return err
	}
	defer t.key.Wipe()
	ids, err := src.read(ctx, a)
	if err != nil {
		return err
	}
	file, err := reserve(receipt, "receipt")
	if err != nil {
		return err
	}
	defer file.done()
	return a.withTarget(ctx, t, engine.Options{}, func(_ *engine.DB, ix *engine.Index) error {
		if len(ids) == 0 {
			return a.printNothingDeleted()
		}
		return a.deleteIDs(ctx, ix, ids, file)
	})
}

// deleteIDs writes and prints the receipt before anything is erased: whatever
// becomes of the erasure, the delete is durable and its receipt is there. What waited to be
// erased before is erased first, so that the rows of this delete can be counted.
func (a *app) deleteIDs(ctx context.Context, ix *engine.Index, ids []string, file *newFile) error {
	bar := a.spinner("delete")
	defer bar.done()
	before, counted := ix.Purge(ctx)
	r, err := ix.Delete(ctx, ids)
	bar.done()
	if err != nil {
		return err
	}
	if err := a.giveReceipt(ctx, ix, r, file); err != nil {
		return err
	}
	bar = a.spinner("erase")
	defer bar.done()
	after, err := ix.Purge(ctx)
	bar.done()
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("deleted, and erased when the store is closed: %w", ctx.Err())
	case err != nil:
		a.warn("erasing: %v (it is tried once more)", err)
		return nil // closing the store tries it, and says what has become of it
	}
	e := erasure{Bytes: after.Bytes - before.Bytes}
	if counted == nil {
		e.Rows = new(after.Rows - before.Rows)
	}
	if err := a.printErasure(e, r.Count); err != nil {
		return fmt.Errorf("deleted and erased, but that is not printed: %w", err)
	}
	return nil
}

// giveReceipt writes the receipt, where that was asked for, and prints it also
// when it could not be written.
func (a *app) giveReceipt(ctx context.Context, ix *engine.Index, r engine.Receipt, file *newFile) error {
	werr := writeReceipt(ctx, ix, r, file)
	if err := a.printReceipt(r); err != nil {
		return errors.Join(werr, fmt.Errorf("deleted, but the receipt is not printed: %w", err))
	}
	return werr
}

func writeReceipt(ctx context.Context, ix *engine.Index, r engine.Receipt, file *newFile) error {
	if file == nil {
		return nil
	}
	doc, err := ix.SignReceipt(patient(ctx), r)
	if err == nil {
		err = file.write(doc)
	}
	if err != nil {
		return fmt.Errorf("deleted all the same, but the receipt is not written to %s: %w", file.path, err)
	}
	return nil
}
