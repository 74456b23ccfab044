package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"oubliette/engine"
)

func (a *app) lsCommand() *cobra.Command {
	var long bool
	cmd := &cobra.Command{
		Use:   "ls",
		Short: "List the ids of an index",
		Long: `Print the id of every item, one a line, in no order that means anything. An id
that is not plain text stands as a string in double quotes. Both forms are good
as arguments of get and delete, and as lines for "get -" and "delete -". --long adds
the vector's dimension, the bytes of the contents and of the metadata, and when the
item expires (- where there is none).`,
		Args: noArguments,
		RunE: a.action(func(ctx context.Context, _ []string) error { return a.ls(ctx, long) }),
	}
	cmd.Flags().BoolVarP(&long, "long", "l", false, "dimension, sizes and expiry, too")
	return cmd
}

func (a *app) ls(ctx context.Context, long bool) error {
	fields := engine.Fields(0)
	if long {
		fields = engine.AllFields
	}
	return a.withIndex(ctx, reading, func(_ *engine.DB, ix *engine.Index) error {
		bar := a.outputProgress("ls", -1)
		defer bar.done()
		out := bufio.NewWriter(a.stdout)
		for it, err := range ix.Items(ctx, fields) {
			if err != nil {
				return errors.Join(err, out.Flush())
			}
			if err := a.printListed(out, it, long); err != nil {
				return err
			}
			bar.add(1)
		}
		return out.Flush()
	})
}

// listed is an item in a long listing; a field that is absent is null.
type listed struct {
	itemLine
	Dimension     *int `json:"dimension"`
	ContentsBytes *int `json:"contents_bytes"`
	MetadataBytes *int `json:"metadata_bytes"`
}

func (a *app) printListed(out *bufio.Writer, it engine.Item, long bool) error {
	l := listed{itemLine: lineOf(engine.Item{ID: it.ID, ExpiresAt: it.ExpiresAt})}
	if it.Vector != nil {
		l.Dimension = new(len(it.Vector))
	}
	if it.Contents != nil {
		l.ContentsBytes = new(len(it.Contents))
	}
	if it.Metadata != nil {
		l.MetadataBytes = new(len(it.Metadata))
	}
	switch {
	case a.json && long:
		return writeJSON(out, l)
	case a.json:
		return writeJSON(out, l.itemLine)
	case long:
		expires := "-"
		if !it.ExpiresAt.IsZero() {
			expires = it.ExpiresAt.Format("2006-01-02T15:04:05.000Z07:00")
		}
		_, err := fmt.Fprintf(out, "%8s %10s %10s %24s  %s\n", orDash(l.Dimension), orDash(l.ContentsBytes), orDash(l.MetadataBytes), expires, formatID(it.ID))
		return err
	}
	_, err := fmt.Fprintln(out, formatID(it.ID))
	return err
}

func orDash(n *int) string {
	if n == nil {
		return "-"
	}
	return fmt.Sprint(*n)
}
