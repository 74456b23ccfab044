package main

import (
	"errors"
	"fmt"
	"io"
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
		id, err := strconv.Unquote(s)
		if err != nil {
			return "", errors.New("not a string in double quotes")
		}
		if id == "" {
			return "", errors.New("no id")
		}
		return id, nil
	}
	switch {
	case s == "":
		return "", errors.New("no id")
	case !utf8.ValidString(s):
		return "", errors.New("not UTF-8: such an id stands in double quotes")
	case strings.TrimSpace(s) != s:
		return "", errors.New("a space at an end: such an id stands in double quotes")
	case strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return "", errors.New("a control character: such an id stands in double quotes")
	}
	return s, nil
}

// ids answers the ids of a command: its arguments, or one a line from a file
// or, for "-", from standard input.
func (a *app) ids(args []string, file string) ([]string, error) {
	switch {
	case file != "" && len(args) > 0:
		return nil, fmt.Errorf("%w: ids as arguments and --file", errUsage)
	case file == "" && len(args) == 1 && args[0] == "-":
		file = "-"
	case file == "" && len(args) == 0:
		return nil, fmt.Errorf("%w: no ids", errUsage)
	case file == "":
		return args, nil
	}
	r, _, err := a.input(file)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return readIDs(r)
}

// readIDs reads one id a line, at most as many as one call takes.
func readIDs(r io.Reader) ([]string, error) {
	var ids []string
	for lines := newLineReader(r, maxIDLine); ; {
		b, err := lines.next()
		if errors.Is(err, io.EOF) {
			return ids, nil
		}
		if err != nil {
			return nil, err
		}
		if len(ids) == engine.MaxIDs {
			return nil, fmt.Errorf("line %d: %w: more than %s ids", lines.number, errInput, number(engine.MaxIDs))
		}
		id, err := parseID(string(b))
		if err != nil {
			return nil, fmt.Errorf("line %d: %w: %w", lines.number, errInput, err)
		}
		ids = append(ids, id)
	}
}
