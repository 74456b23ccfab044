package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"oubliette/engine"
)

// idsHelp is what the help of a command that takes ids says of them.
const idsHelp = `An argument is an id as it stands; one that begins and ends with a double quote
is read as ls prints an id that is not plain text. "-" alone, and --file FILE,
read one id a line, as ls prints them. "-" among other arguments is refused: an
item of that id is '"-"' to a shell.`

// idSource is where a command takes its ids from.
type idSource struct {
	ids  []string // from the arguments
	file string   // "": the ids are there already
}

// idSource understands a command's arguments.
func (a *app) idSource(args []string, file string) (idSource, error) {
	switch {
	case file != "" && len(args) > 0:
		return idSource{}, fmt.Errorf("%w: ids as arguments and --file", errUsage)
	case file != "":
		return idSource{file: file}, nil
	case len(args) == 0:
		return idSource{}, fmt.Errorf("%w: no ids", errUsage)
	case len(args) == 1 && args[0] == "-":
		return idSource{file: "-"}, nil
	case slices.Contains(args, "-"):
		return idSource{}, fmt.Errorf(`%w: "-" reads ids from standard input and stands alone (an item of that id is '"-"' to a shell)`, errUsage)
	}
	ids := make([]string, len(args))
	for i, arg := range args {
		var err error
		if ids[i], err = parseIDArgument(arg); err != nil {
			return idSource{}, fmt.Errorf("%w: argument %d: %w", errUsage, i+1, err)
		}
	}
	return idSource{ids: ids}, nil
}

// read answers the ids.
func (s idSource) read(ctx context.Context, a *app) ([]string, error) {
	if s.file == "" {
		return s.ids, nil
	}
	in, err := a.input(ctx, s.file, "ids")
	if err != nil {
		return nil, err
	}
	defer in.close()
	return readIDs(in)
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
			return nil, &lineError{lines.number, fmt.Errorf("%w: more than %s ids", errInput, number(engine.MaxIDs))}
		}
		id, err := parseID(string(b))
		if err != nil {
			return nil, &lineError{lines.number, fmt.Errorf("%w: %w", errInput, err)}
		}
		ids = append(ids, id)
	}
}
