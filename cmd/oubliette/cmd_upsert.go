package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
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
lines are skipped.

Items are committed in batches of --batch lines (fewer when they are large),
each all or nothing and durable. A bad line ends the command: nothing of its
batch is applied, the batches before it stay, and the error says how many items
that is.`,
		Args: cobra.MaximumNArgs(1),
		RunE: a.action(func(ctx context.Context, args []string) error { return a.upsert(ctx, args, batch) }),
	}
	cmd.Flags().IntVar(&batch, "batch", defaultBatch, "items committed at once")
	return cmd
}

func (a *app) upsert(ctx context.Context, args []string, batch int) error {
	if batch < 1 || batch > maxBatch {
		return fmt.Errorf("%w: --batch %d, allowed are 1 to %s", errUsage, batch, number(maxBatch))
	}
	name := "-"
	if len(args) == 1 {
		name = args[0]
	}
	r, length, err := a.input(name)
	if err != nil {
		return err
	}
	defer r.Close()
	return a.withIndex(ctx, engine.Options{}, func(_ *engine.DB, ix *engine.Index) error {
		u := &upserter{ctx: ctx, ix: ix, batch: batch, bar: a.progress("upsert", length, true)}
		began := time.Now()
		err := u.run(r)
		u.bar.done()
		if err != nil {
			return fmt.Errorf("%w (committed before it: %s)", err, count(u.committed, "item"))
		}
		return a.printUpsert(u, time.Since(began))
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
	return line(a.stdout, "upserted", "%s in %s, %s (%s items/s)", count(u.committed, "item"), count(u.batches, "batch"), took(d), number(int(rate(u.committed, d))))
}

// upserter is one upsert command: it gathers lines and commits them.
type upserter struct {
	ctx   context.Context
	ix    *engine.Index
	batch int
	bar   progress

	items     []engine.Item
	bytes     int // of items' lines
	first     int // line of items[0]
	committed int
	batches   int
}

func (u *upserter) run(r io.Reader) error {
	for lines := newLineReader(r, maxItemLine); ; {
		b, err := lines.next()
		if errors.Is(err, io.EOF) {
			return u.commit(lines.number)
		}
		if err != nil {
			return err
		}
		u.bar.add(int64(len(b) + 1))
		if len(bytes.TrimSpace(b)) == 0 {
			continue
		}
		it, err := parseItem(b)
		if err != nil {
			return fmt.Errorf("line %d: %w: %w", lines.number, errInput, err)
		}
		if len(u.items) == 0 {
			u.first = lines.number
		}
		if u.items, u.bytes = append(u.items, it), u.bytes+len(b); len(u.items) < u.batch && u.bytes < maxBatchBytes {
			continue
		}
		if err := u.commit(lines.number); err != nil {
			return err
		}
	}
}

// commit puts the gathered items in; last is the line of the last one.
func (u *upserter) commit(last int) error {
	if len(u.items) == 0 {
		return nil
	}
	if err := u.ix.Upsert(u.ctx, u.items); err != nil {
		return fmt.Errorf("batch of lines %d to %d: %w", u.first, last, err)
	}
	u.committed, u.batches = u.committed+len(u.items), u.batches+1
	u.items, u.bytes = u.items[:0], 0
	return nil
}
