package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"oubliette/engine"
)

func (a *app) compactCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "compact",
		Short: "Rewrite segments with dead space under fresh keys",
		Long: `Erase what has been deleted, then rewrite every segment with dead space, and
small ones together: space goes back to the file system.`,
		Args: noArguments,
		RunE: a.action(func(ctx context.Context, _ []string) error { return a.compact(ctx) }),
	}
}

func (a *app) compact(ctx context.Context) error {
	return a.withIndex(ctx, engine.Options{}, func(_ *engine.DB, ix *engine.Index) error {
		before, err := a.usage()
		if err != nil {
			return err
		}
		began := time.Now()
		bar := a.spinner("compact")
		err = ix.Compact(ctx)
		bar.done()
		if err != nil {
			return err
		}
		d := time.Since(began)
		after, err := a.usage()
		if err != nil {
			return err
		}
		if a.json {
			return writeJSON(a.stdout, struct {
				Before  usage   `json:"before"`
				After   usage   `json:"after"`
				Seconds float64 `json:"seconds"`
			}{before, after, d.Seconds()})
		}
		return a.printLine("compacted", "segments from %s to %s in %s", size(before.Segments.Bytes), size(after.Segments.Bytes), took(d))
	})
}
