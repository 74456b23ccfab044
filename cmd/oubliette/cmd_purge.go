package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"oubliette/engine"
)

func (a *app) purgeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "purge",
		Short: "Erase all that has been deleted, and say so",
		Long: `Return when every byte of what was deleted before has been overwritten in the
store's files and the overwrites are synced. It says nothing of copies outside
of the store: snapshots, backups, freed blocks of the disk.`,
		Args: noArguments,
		RunE: a.action(func(ctx context.Context, _ []string) error { return a.purge(ctx) }),
	}
}

func (a *app) purge(ctx context.Context) error {
	return a.withIndex(ctx, engine.Options{}, func(_ *engine.DB, ix *engine.Index) error {
		bar := a.spinner("purge")
		c, err := ix.Purge(ctx)
		bar.done()
		switch {
		case err == nil:
			return a.printCertificate(c)
		case ctx.Err() != nil || exitCode(err) != exitFailure:
			return err
		}
		return fmt.Errorf("%w: %w", errResidue, err)
	})
}

func (a *app) printCertificate(c engine.Certificate) error {
	if a.json {
		return writeJSON(a.stdout, struct {
			Index    string    `json:"index_id"`
			Through  uint64    `json:"through_seq"`
			Time     time.Time `json:"time"`
			Rows     uint64    `json:"rows"`
			Bytes    uint64    `json:"bytes"`
			Segments uint64    `json:"segments"`
			Unlinked uint64    `json:"files_unlinked"`
		}{c.Index.String(), c.Through, c.Time.UTC(), c.Rows, c.Bytes, c.Segments, c.Unlinked})
	}
	var p page
	p.line("erased", "every delete up to sequence number %d", c.Through)
	p.line("just now", "%s, %s overwritten, %s removed", count(c.Rows, "row"), count(c.Bytes, "byte"), count(c.Unlinked, "file"))
	p.line("segments", "%d", c.Segments)
	p.line("time", "%s", c.Time.UTC().Format(time.RFC3339Nano))
	return a.print(&p)
}
