package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"oubliette/engine"
)

// rootName is how root is named where a user's id may stand.
const rootName = "root"

// userDigits is how many hexadecimal digits a user's id has.
const userDigits = 2 * len(engine.UserID{})

// parsePrincipal reads whose key a command brings: a user's id, or root. No
// error of it quotes what was read.
func parsePrincipal(s string) (engine.UserID, error) {
	if s == rootName {
		return engine.UserID{}, nil
	}
	id, err := parseUserID(s)
	if err != nil {
		err = fmt.Errorf("%w (or the word %s)", err, rootName)
	}
	return id, err
}

// parseUserID reads the id of a user other than root. No error of it quotes what
// was read.
func parseUserID(s string) (id engine.UserID, err error) {
	isDigit := func(r rune) bool { return strings.ContainsRune("0123456789abcdefABCDEF", r) }
	at := strings.IndexFunc(s, func(r rune) bool { return !isDigit(r) })
	switch {
	case looksLikeKey(s):
		return id, errKeyLike
	case s == rootName:
		return id, errors.New("a user's id is needed, and root is none")
	case at >= 0:
		r, _ := utf8.DecodeRuneInString(s[at:])
		return id, fmt.Errorf("%q at place %d is no hexadecimal digit: a user's id has %d of them", r, utf8.RuneCountInString(s[:at])+1, userDigits)
	case len(s) != userDigits:
		return id, fmt.Errorf("%s: a user's id has %d", count(len(s), "hexadecimal digit"), userDigits)
	}
	b, err := hex.DecodeString(s)
	if err != nil {
		return id, err
	}
	if id = engine.UserID(b); id == (engine.UserID{}) {
		return id, errors.New("a user id of zeros, which is root's")
	}
	return id, nil
}

// userArgument takes one argument, a user's id.
func userArgument(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("%s takes one argument, the user's id, and there are %d", cmd.CommandPath(), len(args))
	}
	if _, err := parseUserID(args[0]); err != nil {
		return fmt.Errorf("argument 1: %w", err)
	}
	return nil
}
