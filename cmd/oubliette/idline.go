package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"oubliette/engine"
)

// maxIDLine holds any id in quotes: a byte takes four as "\xff".
const maxIDLine = 4*engine.MaxID + 2

// formatID writes an id as one line. One that is plain text comes as it is; any
// other — with control characters, quotes, backslashes, spaces at its ends or
// bytes that are not UTF-8 — as a Go string literal in double quotes. So a list
// of ids holds each id on one line, whatever it is, and parseID brings it back.
func formatID(id string) string {
	q := strconv.Quote(id)
	if q == `"`+id+`"` && strings.TrimSpace(id) == id {
		return id
	}
	return q
}

// parseID reads a line of a list of ids. What formatID would have quoted for
// its control characters or spaces is refused without quotes: a stray tab or
// carriage return would name another item.
func parseID(s string) (string, error) {
	if strings.HasPrefix(s, `"`) {
		return unquoteID(s)
	}
	switch {
	case !utf8.ValidString(s):
		return "", errors.New("not UTF-8: such an id stands in double quotes")
	case strings.TrimSpace(s) != s:
		return "", errors.New("a space at an end: such an id stands in double quotes")
	case strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return "", errors.New("a control character: such an id stands in double quotes")
	}
	return s, checkID(s)
}

func unquoteID(s string) (string, error) {
	id, err := strconv.Unquote(s)
	if err != nil {
		return "", errors.New("not a string in double quotes")
	}
	return id, checkID(id)
}

// checkID holds an id against the store's limits.
func checkID(id string) error {
	switch {
	case id == "":
		return errors.New("no id")
	case len(id) > engine.MaxID:
		return fmt.Errorf("id of %d bytes, at most %d", len(id), engine.MaxID)
	}
	return nil
}

// parseIDArgument reads an id among the arguments of a command: it is the id as
// it is, whatever bytes it has; but one that begins and ends with a double quote
// is what formatID has written, so that what ls prints can be pasted.
func parseIDArgument(s string) (string, error) {
	if len(s) > 1 && strings.HasPrefix(s, `"`) && strings.HasSuffix(s, `"`) {
		return unquoteID(s)
	}
	return s, checkID(s)
}
