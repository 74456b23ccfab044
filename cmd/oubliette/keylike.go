package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// A key is 64 hexadecimal digits. One of which a few were lost in pasting, or
// that has some more, gives nearly as much away.
var keyDigits = regexp.MustCompile(`[0-9A-Fa-f]{60,}`)

var errKeyLike = errors.New("that looks like a key: give a file that holds it")

// keyLike finds what looks like a key in a command line.
func keyLike(args []string) (found []string) {
	for _, arg := range args {
		found = append(found, keyDigits.FindAllString(arg, -1)...)
	}
	return found
}

// looksLikeKey tells whether an argument is nothing but a key.
func looksLikeKey(arg string) bool {
	s := strings.TrimSpace(arg)
	return s != "" && keyDigits.FindString(s) == s
}

// withhold takes what looks like a key in the command line out of a text that
// is about to be shown.
func (a *app) withhold(text string) string {
	for _, digits := range a.keyLike {
		text = strings.ReplaceAll(text, digits, "("+errKeyLike.Error()+")")
	}
	return text
}

// refuseKeys refuses a key as the value of a flag: it would become the name of a
// file, of an index or of a user.
func refuseKeys(cmd *cobra.Command) error {
	for _, name := range []string{
		"store", "index", "key-file", "generate-key", "file", "mnist", "user", "user-id",
		"user-key-file", "generate-user-key", "new-key-file", "generate-new-key",
		"ledger", "receipt", "certificate", "root-key", "ids",
	} {
		if f := cmd.Flags().Lookup(name); f != nil && looksLikeKey(f.Value.String()) {
			return fmt.Errorf("--%s: %w", name, errKeyLike)
		}
	}
	return nil
}

// fileArgument takes at most one argument, a file's name.
func fileArgument(cmd *cobra.Command, args []string) error {
	if slices.ContainsFunc(args, looksLikeKey) {
		return errKeyLike
	}
	return cobra.MaximumNArgs(1)(cmd, args)
}

// backupArgument takes one argument, a backup's file.
func backupArgument(cmd *cobra.Command, args []string) error {
	if slices.ContainsFunc(args, looksLikeKey) {
		return errKeyLike
	}
	if len(args) != 1 || args[0] == "" {
		return fmt.Errorf("%s takes one argument, the backup's file or -, and there are %d", cmd.CommandPath(), len(args))
	}
	return nil
}

// noArguments takes none.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%s takes no argument, and there is %q", cmd.CommandPath(), args[0])
	}
	return nil
}

// oneArgument takes one, a file's name; what says of what.
func oneArgument(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) != 1:
			return fmt.Errorf("%s takes one argument, %s, and there are %d", cmd.CommandPath(), what, len(args))
		case looksLikeKey(args[0]):
			return errKeyLike
		}
		return nil
	}
}
