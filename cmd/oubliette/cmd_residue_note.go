package main

import (
	"bufio"
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"oubliette/engine"
)

func (a *app) residueNoteCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "note ID...",
		Short: "Print the sealed bytes of items, to be searched for later",
		Long: `Print the sealed bytes of items exactly as they stand in the store's files, in the
form that "oubliette residue --help" shows, for "residue scan" after the delete. It
takes a key that may read, and changes nothing.

Ids without an item are named on standard error; then the exit code is 3, and the
notes are of the others. Older versions of an item are not among them. Note and
delete without delay: "compact" and other rewrites seal an item that lives anew, and
notes from before say nothing of the bytes from then on.

` + idsHelp,
		RunE: a.action(func(ctx context.Context, args []string) error {
			src, err := a.idSource(args, file)
			if err != nil {
				return err
			}
			return a.residueNote(ctx, src)
		}),
	}
	cmd.Flags().StringVar(&file, "file", "", "read ids from this file, one a line (-: standard input)")
	return cmd
}

func (a *app) residueNote(ctx context.Context, src idSource) error {
	t, err := a.target(ctx)
	if err != nil {
		return err
	}
	defer t.key.Wipe()
	ids, err := src.read(ctx, a)
	if err != nil {
		return err
	}
	return a.withTarget(ctx, t, reading, func(_ *engine.DB, ix *engine.Index) error {
		bar := a.outputProgress("note", int64(len(ids)))
		defer bar.done()
		out := bufio.NewWriter(a.stdout)
		missing, err := writeNotes(ctx, ix, ids, out, bar)
		if err = errors.Join(err, out.Flush()); err != nil || len(missing) == 0 {
			return err
		}
		told := &missingError{wanted: len(ids)}
		for _, at := range missing {
			told.ids = append(told.ids, src.missingID(ids[at], at))
		}
		return told
	})
}

// writeNotes writes the notes of ids, holding one item at a time, and answers the
// positions of ids without an item.
func writeNotes(ctx context.Context, ix *engine.Index, ids []string, out io.Writer, bar *progress) (missing []int, err error) {
	if err := writeJSON(out, notesHead{notesMagic, notesVersion, ix.ID().String()}); err != nil {
		return nil, err
	}
	sum := newTally()
	for at, id := range ids {
		fields, err := ix.SealedBytes(ctx, []string{id})
		if err != nil {
			return nil, err
		}
		if len(fields) == 0 {
			missing = append(missing, at)
		}
		for i, b := range fields {
			p := notePart{at + 1, i + 1, b}
			sum.add(&p)
			if err := writeJSON(out, p); err != nil {
				return nil, err
			}
		}
		bar.add(1)
	}
	return missing, writeJSON(out, sum.end())
}
