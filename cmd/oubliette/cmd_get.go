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

` + idsHelp,
		RunE: a.action(func(ctx context.Context, args []string) error {
			src, err := a.idSource(args, file)
			if err != nil {
				return err
			}
			want, err := parseFields(fields)
			if err != nil {
				return err
			}
			return a.get(ctx, src, want)
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

func (a *app) get(ctx context.Context, src idSource, fields engine.Fields) error {
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
		missing, err := a.printItems(ctx, ix, ids, fields)
		if err != nil || len(missing) == 0 {
			return err
		}
		told := &missingError{wanted: len(ids)}
		for _, at := range missing {
			told.ids = append(told.ids, src.missingID(ids[at], at))
		}
		return told
	})
}

// printItems prints the items of ids and answers the positions of the ids that
// have none.
func (a *app) printItems(ctx context.Context, ix *engine.Index, ids []string, fields engine.Fields) (missing []int, err error) {
	bar := a.outputProgress("get", int64(len(ids)))
	defer bar.done()
	out := bufio.NewWriter(a.stdout)
	for at := 0; at < len(ids); at += getStep {
		step := ids[at:min(at+getStep, len(ids))]
		items, err := ix.Get(ctx, step, fields)
		if err != nil {
			return nil, errors.Join(err, out.Flush())
		}
		for _, it := range items {
			if err := writeJSON(out, lineOf(it)); err != nil {
				return nil, err
			}
		}
		for _, i := range absent(step, items) {
			missing = append(missing, at+i)
		}
		bar.add(int64(len(step)))
	}
	return missing, out.Flush()
}

// absent answers the positions of the ids that have no item. Items come in the
// order of ids.
func absent(ids []string, items []engine.Item) (at []int) {
	for i, id := range ids {
		if len(items) > 0 && items[0].ID == id {
			items = items[1:]
			continue
		}
		at = append(at, i)
	}
	return at
}
