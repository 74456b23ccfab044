package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"oubliette/internal/fault"
	"oubliette/ledger"
)

const ledgerHelp = `A ledger is a file outside of the store's folder that has every delete before the
store has it, and every change of users and keys. "init --ledger FILE" begins one, and
so does the first command that writes to a store with --ledger FILE, or with
$OUBLIETTE_LEDGER set; from then on the store is not opened for writing without it.

A store that was put back to an earlier state takes from its ledger the deletes that
it lacks, before anything can be read. A ledger is trusted to be kept: who puts store
and ledger back to the same moment is not noticed. Keep it on another disk.

These commands take the file as their argument, change nothing, and need no key.`

func (a *app) ledgerCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ledger",
		Short: "Look through a ledger, and check it",
		Long:  ledgerHelp,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("unknown command %q for ledger: it has show and check", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if a.json {
				return errors.New("no command: ledger has show and check")
			}
			return cmd.Help()
		},
	}
	cmd.AddCommand(a.ledgerShowCommand(), a.ledgerCheckCommand())
	return cmd
}

// openLedger opens a ledger for reading.
func (a *app) openLedger(path string) (*ledger.File, error) {
	file, err := ledger.ReadFile(a.fs, path)
	if err != nil {
		return nil, ledgerError(path, err)
	}
	return file, nil
}

// ledgerProblems are the words for what is wrong with a ledger.
var ledgerProblems = []struct {
	is   error
	word string
}{
	{ledger.ErrCut, "cut"}, {ledger.ErrAltered, "altered"}, {ledger.ErrFork, "fork"}, {ledger.ErrNotOurs, "not_ours"}, {fault.ErrNewer, "newer"},
}

// ledgerProblem is the word for what is wrong with a ledger, "" when the error says
// something else.
func ledgerProblem(err error) string {
	for _, p := range ledgerProblems {
		if errors.Is(err, p.is) {
			return p.word
		}
	}
	return ""
}

// ledgerError is an error about a ledger, with the word for what is wrong.
func ledgerError(path string, err error) error {
	if word := ledgerProblem(err); word != "" {
		return fmt.Errorf("%s: %w: %s: %w", path, errRefused, word, err)
	}
	return noSuchFile(err)
}
