package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"oubliette/engine"
)

func (a *app) purgeCommand() *cobra.Command {
	var rewrite bool
	var certificate string
	cmd := &cobra.Command{
		Use:   "purge",
		Short: "Erase all that has been deleted, and say so",
		Long: `Return when every byte of what was deleted before has been overwritten in the
store's files and the overwrites are synced. It says nothing of copies outside
of the store: snapshots, backups, freed blocks of the disk.

--rewrite goes further: every segment that holds dead rows is rewritten, too. Its
living rows go to a new file under a fresh key, and the old file's header, with the
old key, is overwritten before the file is removed. So go the keyed tokens and the
sizes of what was deleted. It needs a key that may read and write.

--certificate FILE writes what has been done as a signed document, which
"oubliette verify" checks elsewhere, without the store and without a key. Its figures
count what this command has done. A file that is there is not overwritten. On a file
system that keeps what is overwritten (btrfs, ZFS, data in a journal) nothing is
certified: that is said, and with --certificate the exit code is 1.`,
		Args: noArguments,
		RunE: a.action(func(ctx context.Context, _ []string) error { return a.purge(ctx, rewrite, certificate) }),
	}
	cmd.Flags().BoolVar(&rewrite, "rewrite", false, "rewrite the segments that hold what was deleted, too")
	certificateFlag(cmd, &certificate)
	return cmd
}

// certificateFlag is that of the commands which certify.
func certificateFlag(cmd *cobra.Command, path *string) {
	cmd.Flags().StringVar(path, "certificate", "", "write the signed certificate to this file, which must not be there")
}

func (a *app) purge(ctx context.Context, rewrite bool, certificate string) error {
	t, err := a.target(ctx)
	if err != nil {
		return err
	}
	defer t.key.Wipe()
	file, err := reserve(certificate, "certificate")
	if err != nil {
		return err
	}
	defer file.done()
	var opts []engine.OpOption
	if rewrite {
		opts = append(opts, engine.WithRewrite())
	}
	return a.withTarget(ctx, t, engine.Options{}, func(_ *engine.DB, ix *engine.Index) error {
		bar := a.spinner("purge")
		c, err := ix.Purge(ctx, opts...)
		bar.done()
		switch {
		case err == nil:
			return a.giveCertificate(c, file)
		case ctx.Err() != nil || exitCode(err) != exitFailure:
			return err
		}
		return fmt.Errorf("%w: %w", errResidue, err)
	})
}
