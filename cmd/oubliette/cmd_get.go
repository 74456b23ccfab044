package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"oubliette/engine"
)

// getStep is how many items are held at a time.
const getStep = 64

func (a *app) getCommand() *cobra.Command {
	var file, fields string
	cmd := &cobra.Command{
		Use:   "get ID...",
		Short: "Print items as JSON lines",
		Long: `Print the items of ids, in that order, one JSON object a line, as upsert reads
them. Ids without an item are named on standard error; then the exit code is 3.
"get -" and --file FILE read one id a line, as ls prints them.`,
		RunE: a.action(func(ctx context.Context, args []string) error {
			ids, err := a.ids(args, file)
			if err != nil {
				return err
			}
			want, err := parseFields(fields)
			if err != nil {
				return err
			}
			return a.get(ctx, ids, want)
		}),
	}
	cmd.Flags().StringVar(&file, "file", "", "read ids from this file, one a line (-: standard input)")
	cmd.Flags().StringVar(&fields, "fields", "vector,contents,metadata", "what to print beside the id")
	return cmd
}

// parseFields reads a list of field names; an empty one is the id alone.
func parseFields(list string) (f engine.Fields, err error) {
	for name := range strings.SplitSeq(list, ",") {
		switch strings.TrimSpace(name) {
		case "vector":
			f |= engine.FieldVector
		case "contents":
			f |= engine.FieldContents
		case "metadata":
			f |= engine.FieldMetadata
		case "":
		default:
			return 0, fmt.Errorf("%w: --fields knows no %q, only vector, contents and metadata", errUsage, name)
		}
	}
	return f, nil
}

func (a *app) get(ctx context.Context, ids []string, fields engine.Fields) error {
	return a.withIndex(ctx, reading, func(_ *engine.DB, ix *engine.Index) error {
		out := bufio.NewWriter(a.stdout)
		missing := 0
		for rest := ids; len(rest) > 0; {
			step := rest[:min(len(rest), getStep)]
			rest = rest[len(step):]
			items, err := ix.Get(ctx, step, fields)
			if err != nil {
				return errors.Join(err, out.Flush())
			}
			for _, it := range items {
				if err := writeJSON(out, lineOf(it)); err != nil {
					return err
				}
			}
			missing += a.missing(step, items)
		}
		if err := out.Flush(); err != nil {
			return err
		}
		if missing > 0 {
			return fmt.Errorf("%s of %s: %w", number(missing), count(len(ids), "id"), errNotFound)
		}
		return nil
	})
}

// missing names the ids that have no item and counts them. Items come in the
// order of ids.
func (a *app) missing(ids []string, items []engine.Item) (n int) {
	for _, id := range ids {
		if len(items) > 0 && items[0].ID == id {
			items = items[1:]
			continue
		}
		n++
		if !a.json {
			fmt.Fprintf(a.stderr, "not found: %s\n", formatID(id))
		}
	}
	return n
}
