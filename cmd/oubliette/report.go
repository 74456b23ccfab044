package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// failure is an error for machines. Fields that do not apply are left out.
type failure struct {
	Error     string      `json:"error"`
	Kind      string      `json:"kind"` // one word for the exit code, or "interrupted"
	ExitCode  int         `json:"exit_code"`
	Line      int         `json:"line,omitempty"`      // of the input
	Committed *int        `json:"committed,omitempty"` // items that were put in before
	Missing   []missingID `json:"missing,omitempty"`
	Unknown   bool        `json:"unknown,omitempty"` // whether the change has been made
}

// lineError says which line of the input an error is about.
type lineError struct {
	line int
	err  error
}

func (e *lineError) Error() string { return fmt.Sprintf("line %d: %v", e.line, e.err) }

func (e *lineError) Unwrap() error { return e.err }

// partError is that of a command which has committed items before it.
type partError struct {
	committed int
	err       error
}

func (e *partError) Error() string {
	return fmt.Sprintf("%v (committed before it: %s)", e.err, count(e.committed, "item"))
}

func (e *partError) Unwrap() error { return e.err }

// report writes an error where a person or a machine expects it. Of a command
// that only reads nobody misses what comes behind a reader who has left: that
// is the exit code alone.
func (a *app) report(err error, code int) {
	if err == nil || a.reading && code == exitFailure && isBrokenPipe(err) {
		return
	}
	text := a.withhold(brief(err.Error()))
	if errors.Is(err, context.Canceled) {
		text = "interrupted: " + text
	}
	if a.json {
		a.tell(failureOf(err, text, code))
		return
	}
	var missing *missingError
	if errors.As(err, &missing) {
		for _, m := range missing.ids {
			fmt.Fprintf(a.stderr, "not found: %s\n", m)
		}
	}
	a.sayError("oubliette: ", text)
}

// sayError writes text for people, every line of it behind a prefix.
func (a *app) sayError(prefix, text string) {
	fmt.Fprintf(a.stderr, "%s%s\n", prefix, strings.ReplaceAll(text, "\n", "\n"+prefix))
}

// brief leaves out what a message says twice: a command and the closing of its
// store fail for one cause, and each layer that an error has come through may
// have named it.
func brief(text string) string {
	var said []string
	for l := range strings.SplitSeq(text, "\n") {
		l = strings.Join(slices.Compact(strings.Split(l, ": ")), ": ")
		if !slices.ContainsFunc(said, func(before string) bool { return strings.Contains(before, l) }) {
			said = append(said, l)
		}
	}
	return strings.Join(said, "\n")
}

// failureOf gathers what the error's causes say of it.
func failureOf(err error, text string, code int) failure {
	f := failure{Error: text, Kind: exitKind(err, code), ExitCode: code}
	var line *lineError
	if errors.As(err, &line) {
		f.Line = line.line
	}
	var part *partError
	if errors.As(err, &part) {
		f.Committed = &part.committed
	}
	var missing *missingError
	if errors.As(err, &missing) {
		f.Missing = missing.ids
	}
	var unknown *unknownError
	f.Unknown = errors.As(err, &unknown)
	return f
}

// warn says what does not keep the command from going on.
func (a *app) warn(format string, args ...any) {
	text := a.withhold(brief(fmt.Sprintf(format, args...)))
	if a.json {
		a.tell(struct {
			Warning string `json:"warning"`
		}{text})
		return
	}
	a.sayError("oubliette: warning: ", text)
}

// hint says what the command waits for.
func (a *app) hint(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if a.json {
		a.tell(struct {
			Hint string `json:"hint"`
		}{text})
		return
	}
	a.sayError("oubliette: ", text)
}

// tell writes a line for machines on standard error. There is nowhere left to
// say that it did not go.
func (a *app) tell(v any) { _ = writeJSON(a.stderr, v) }
