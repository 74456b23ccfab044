package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"oubliette/engine"
)

func (a *app) restoreCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "restore FILE|-",
		Short: "Make a store of a backup",
		Long: `Make the store that --store names of a backup, from a file or from standard
input. Its folder must not be there, or be empty. It needs no key; what had been
deleted while the backup was taken is overwritten before the command ends. A
backup that was cut or altered makes no store.

A restored store is as old as its backup: what was deleted since is in it. Where a
ledger is kept (--ledger), the next command takes from it the deletes that came
after the backup.`,
		Args: backupArgument,
		PreRunE: func(cmd *cobra.Command, _ []string) error {
			return unheeded(cmd, "it needs no key, and leaves a ledger to the next command", "index", "key-file", "user", "ledger")
		},
		RunE: a.action(func(ctx context.Context, args []string) error { return a.restore(ctx, args[0]) }),
	}
}

func (a *app) restore(ctx context.Context, name string) error {
	dir, err := a.storeDir()
	if err != nil {
		return err
	}
	if name == "-" && isTerminal(a.stdin) {
		return fmt.Errorf("%w: a backup does not come from a terminal: give a file, or a pipe", errUsage)
	}
	in, err := a.input(ctx, name, "a backup")
	if err != nil {
		return err
	}
	defer in.close()
	began := time.Now()
	bar := a.spinner("restore")
	err = engine.RestoreWith(ctx, in, dir, &engine.Options{FS: a.fs})
	bar.done()
	if err != nil {
		return err
	}
	d := time.Since(began)
	u, err := usageOf(a.fs, dir)
	if err != nil {
		return err
	}
	if a.json {
		return writeJSON(a.stdout, struct {
			Store   string  `json:"store"`
			Files   usage   `json:"files"`
			Seconds float64 `json:"seconds"`
		}{dir, u, d.Seconds()})
	}
	return a.printLine("restored", "%s, %s in %s", dir, size(u.total().Bytes), took(d))
}
