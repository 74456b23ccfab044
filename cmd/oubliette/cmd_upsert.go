package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"oubliette/engine"
)

const (
	defaultBatch = 1000
	maxBatch     = 100_000
	// maxBatchBytes closes a batch that large items fill, so that memory stays
	// bounded.
	maxBatchBytes = 32 << 20
)

func (a *app) upsertCommand() *cobra.Command {
	var batch int
	cmd := &cobra.Command{
		Use:   "upsert [FILE]",
		Short: "Put items in, each in place of the item of its id",
		Long: `Read items, one JSON object a line, from FILE or standard input:

  {"id": "a", "vector": [0.1, 0.2], "contents": "text", "metadata": {"any": "JSON"}}

Only the id is required. Bytes that are no text go into "contents_base64" (and
"id_base64"; "vector_base64" holds little-endian float32). An unknown field is
an error. "metadata": null is a value; any other null is an absent field. Blank
lines are skipped. All vectors have the dimension of the index.

"expires_at": "2030-01-31T12:00:00Z" (RFC 3339) is from when on there is no such
item any more: it is hidden then, and erased as if it had been deleted.

Items are committed in batches of --batch lines (fewer when they are large),
each all or nothing and durable. A bad line ends the command: nothing of its
batch is applied, the batches before it stay, and the error says how many items
that is.`,
		Args: fileArgument,
		RunE: a.action(func(ctx context.Context, args []string) error { return a.upsert(ctx, args, batch) }),
	}
	cmd.Flags().IntVar(&batch, "batch", defaultBatch, "items committed at once")
	return cmd
}

// upsert opens the store when the first line has come: while nobody gives
// anything, others may have it.
func (a *app) upsert(ctx context.Context, args []string, batch int) error {
	if batch < 1 || batch > maxBatch {
		return fmt.Errorf("%w: --batch %d, allowed are 1 to %s", errUsage, batch, number(maxBatch))
	}
	name := "-"
	if len(args) == 1 {
		name = args[0]
	}
	t, err := a.target(ctx)
	if err != nil {
		return err
	}
	defer t.key.Wipe()
	in, err := a.input(ctx, name, "items")
	if err != nil {
		return err
	}
	defer in.close()
	lines := newLineReader(in, maxItemLine)
	if err := lines.await(); err != nil {
		return err
	}
	return a.withTarget(ctx, t, engine.Options{}, func(_ *engine.DB, ix *engine.Index) error {
		u := &upserter{ctx: ctx, ix: ix, batch: batch, bar: a.progress("upsert", in.length, true)}
		began := time.Now()
		err := u.run(lines)
		u.bar.done()
		if err == nil {
			err = a.printUpsert(u, time.Since(began))
		}
		if err != nil {
			return &partError{u.committed, err}
		}
		return nil
	})
}

func (a *app) printUpsert(u *upserter, d time.Duration) error {
	if a.json {
		return writeJSON(a.stdout, struct {
			Items   int     `json:"items"`
			Batches int     `json:"batches"`
			Seconds float64 `json:"seconds"`
		}{u.committed, u.batches, d.Seconds()})
	}
	return a.printLine("upserted", "%s in %s, %s (%s items/s)", count(u.committed, "item"), count(u.batches, "batch"), took(d), number(int(rate(u.committed, d))))
}
