package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"oubliette/engine"
)

// app is one run of the command: where it reads and writes, and the flags that
// all commands share.
type app struct {
	environment
	store      string
	index      string
	indexGiven bool // and not left at its default
	keyFile    string
	ledger     string
	user       engine.UserID // whose key that is
	userGiven  bool          // and not left at root
	json       bool

	keyLike []string // what looks like a key in the command line
	started bool     // a command runs: errors from now on are not of the usage
	reading bool     // the command changes nothing
}

const (
	envStore  = "OUBLIETTE_STORE"
	envKey    = "OUBLIETTE_KEY"
	envLedger = "OUBLIETTE_LEDGER"
)

const rootHelp = `Oubliette is an embedded, encrypted store of vector items that is made for
deleting: once a delete returns, no read shows the item again, on any crash;
within a set time no byte of it is left in any file of the store.

Try "oubliette demo" first: it puts 10,000 items into a fresh store, deletes
1,000 of them and searches every byte of every file for what is left.

A store is a folder: --store DIR, or $OUBLIETTE_STORE. A key is 64 hexadecimal
digits in a file (--key-file FILE) or in $OUBLIETTE_KEY; it is never an argument.
One that looks like a key is never shown, and taken for nothing but an id. The
store does not keep the key: without it nothing opens.

The index key is root's, who lets users in with keys of their own ("oubliette
users"). --user ID says that the key is that user's; without it, it is root's.

A store may keep a ledger: --ledger FILE, or $OUBLIETTE_LEDGER, a file outside of
the store's folder and best on another disk. It has every delete before the store
has it. A store that is put back to an earlier state takes the deletes that it
lacks from there before anything can be read; that is a warning. Once given, it
has to be given to each command that writes. A command that only reads runs
without it, and then shows what an older state shows.

With --json every line of the results on standard output is JSON, and so is
every line on standard error: {"error", "kind", "exit_code"} and, where they
apply, "line" of the input, "committed" items, "missing" ids, and "unknown" when
nobody knows whether the change has been made; {"warning"}; {"hint"}.

`

func (a *app) root() *cobra.Command {
	var version bool
	var user string
	root := &cobra.Command{
		Use:           "oubliette",
		Short:         "An encrypted store of vector items that is made for deleting",
		Long:          rootHelp + exitHelp,
		SilenceUsage:  true,
		SilenceErrors: true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			a.indexGiven, a.userGiven = cmd.Flags().Changed("index"), cmd.Flags().Changed("user")
			if err := refuseKeys(cmd); err != nil {
				return err
			}
			var err error
			if a.user, err = parsePrincipal(user); err != nil {
				return fmt.Errorf("--user: %w", err)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			a.started = version
			switch {
			case version:
				return a.printVersion()
			case a.json:
				return errors.New("no command")
			}
			return cmd.Help()
		},
	}
	root.Flags().BoolVar(&version, "version", false, "say which build this is")
	flags := root.PersistentFlags()
	flags.StringVar(&a.store, "store", "", "the store's folder (default $"+envStore+")")
	flags.StringVar(&a.index, "index", "default", "name of the index")
	flags.StringVar(&a.keyFile, "key-file", "", "file with the key (default: the key in $"+envKey+")")
	flags.StringVar(&user, "user", rootName, "whose key it is: a user's id of 32 hexadecimal digits, or root")
	flags.StringVar(&a.ledger, "ledger", "", "file with the store's ledger, outside of its folder (default $"+envLedger+")")
	flags.BoolVar(&a.json, "json", false, "JSON for machines instead of text")
	root.AddCommand(
		a.initCommand(), a.upsertCommand(), a.getCommand(), a.deleteCommand(), a.lsCommand(),
		a.purgeCommand(), a.compactCommand(), a.checkCommand(), a.statCommand(), a.usersCommand(), a.rotateKeyCommand(),
		a.backupCommand(), a.restoreCommand(),
		a.statusCommand(), a.rootKeyCommand(), a.verifyCommand(), a.ledgerCommand(), a.residueCommand(),
		a.demoCommand(),
	)
	root.SetHelpCommand(helpCommand())
	return root
}

// helpCommand fails, unlike the one that comes with the package, on a command
// that is not there.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Say what a command does",
		RunE: func(cmd *cobra.Command, args []string) error {
			about, rest, err := cmd.Root().Find(args)
			if err != nil {
				return err
			}
			if len(rest) > 0 {
				return fmt.Errorf("no help on %q", strings.Join(args, " "))
			}
			about.InitDefaultHelpFlag()
			return about.Help()
		},
	}
}

// action makes a command's function of one that takes the context and
// arguments.
func (a *app) action(do func(ctx context.Context, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		a.started = true
		return do(cmd.Context(), args)
	}
}

// wantsJSON looks for --json in a command line that has not been parsed, and may
// not parse.
func wantsJSON(args []string) (want bool) {
	for _, arg := range args {
		if arg == "--" {
			break
		}
		if arg == "--json" {
			want = true
		} else if value, ok := strings.CutPrefix(arg, "--json="); ok {
			want, _ = strconv.ParseBool(value)
		}
	}
	return want
}
