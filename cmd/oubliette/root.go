package main

import (
	"context"

	"github.com/spf13/cobra"
)

// app is one run of the command: where it reads and writes, and the flags that
// all commands share.
type app struct {
	environment
	store   string
	index   string
	keyFile string
	json    bool
	started bool // a command runs: errors from now on are not of the usage
}

const (
	envStore = "OUBLIETTE_STORE"
	envKey   = "OUBLIETTE_KEY"
)

const rootHelp = `Oubliette is an embedded, encrypted store of vector items that is made for
deleting: once a delete returns, no read shows the item again, on any crash;
within a set time no byte of it is left in any file of the store.

Try "oubliette demo" first: it puts 10,000 items into a fresh store, deletes
1,000 of them and searches every byte of every file for what is left.

A store is a folder: --store DIR, or $OUBLIETTE_STORE. The index key is 64
hexadecimal digits in a file (--key-file FILE) or in $OUBLIETTE_KEY; it is never
an argument. The store does not keep it: without it nothing opens.

`

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "oubliette",
		Short:         "An encrypted store of vector items that is made for deleting",
		Long:          rootHelp + exitHelp,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	flags := root.PersistentFlags()
	flags.StringVar(&a.store, "store", "", "the store's folder (default $"+envStore+")")
	flags.StringVar(&a.index, "index", "default", "name of the index")
	flags.StringVar(&a.keyFile, "key-file", "", "file with the index key (default: the key in $"+envKey+")")
	flags.BoolVar(&a.json, "json", false, "JSON for machines instead of text")
	root.AddCommand(
		a.initCommand(), a.upsertCommand(), a.getCommand(), a.deleteCommand(), a.lsCommand(),
		a.purgeCommand(), a.compactCommand(), a.checkCommand(), a.statCommand(), a.demoCommand(),
	)
	return root
}

// action makes a command's function of one that takes the context and
// arguments.
func (a *app) action(do func(ctx context.Context, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		a.started = true
		return do(cmd.Context(), args)
	}
}
