package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"oubliette/engine"
)

func (a *app) backupCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "backup FILE|-",
		Short: "Write a copy of the whole store to one file",
		Long: `Write a copy of the store, with all its indexes, to a new file, or to standard
output. It needs no key, and changes nothing in the store. The copy is sealed as
the store is: the same keys open it.

A backup is a copy outside of the store: nothing that is deleted later goes from
it. Destroy backups when what they hold has to be gone.`,
		Args: backupArgument,
		PreRunE: func(cmd *cobra.Command, _ []string) error {
			return unheeded(cmd, "it needs no key, and copies all indexes", "index", "key-file", "user")
		},
		RunE: a.action(func(ctx context.Context, args []string) error { return a.backup(ctx, args[0]) }),
	}
}

func (a *app) backup(ctx context.Context, name string) error {
	dir, err := a.existingStore()
	if err != nil {
		return err
	}
	if name == "-" && isTerminal(a.stdout) {
		return fmt.Errorf("%w: a backup is not for a terminal: give a file, or a pipe", errUsage)
	}
	return a.withStore(ctx, dir, reading, func(db *engine.DB) error {
		a.reading = false // whoever takes the backup misses what does not come
		if name == "-" {
			return a.backupTo(ctx, db, a.stdout)
		}
		return a.backupFile(ctx, db, name)
	})
}

// backupTo writes a backup where nothing else may be said.
func (a *app) backupTo(ctx context.Context, db *engine.DB, w io.Writer) error {
	bar := a.spinner("backup")
	defer bar.done()
	return db.Backup(ctx, w)
}

// backupFile writes a backup to a new file, durably. One that has come to nothing
// is taken away again.
func (a *app) backupFile(ctx context.Context, db *engine.DB, name string) error {
	began := time.Now()
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err = a.backupTo(ctx, db, f); err == nil {
		err = f.Sync()
	}
	var written int64
	if info, serr := f.Stat(); serr == nil {
		written = info.Size()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = syncPath(filepath.Dir(name))
	}
	if err != nil {
		return errors.Join(err, os.Remove(name))
	}
	d := time.Since(began)
	if a.json {
		return writeJSON(a.stdout, struct {
			File    string  `json:"file"`
			Bytes   int64   `json:"bytes"`
			Seconds float64 `json:"seconds"`
		}{name, written, d.Seconds()})
	}
	return a.printLine("backed up", "%s to %s in %s", size(written), name, took(d))
}
