package main

import (
	"context"
	"errors"

	"oubliette/engine"
)

// outcome is what a change of users or of root's key has come to.
type outcome int

const (
	unchanged outcome = iota // surely
	changed
	unknown
)

// attempt makes a change and tells what it has come to. there asks the index
// whether things are as they are to be: the call answers an error also when the
// change has been made and only what the old keys open is left. Where they were so
// before, an error counts as none made.
func attempt(there func() (bool, error), change func() error) (outcome, error) {
	before, err := there()
	if err != nil {
		return unchanged, err
	}
	err = change()
	switch {
	case err == nil:
		return changed, nil
	case errors.Is(err, engine.ErrFailed):
		return unknown, err
	}
	switch is, terr := there(); {
	case terr != nil:
		return unknown, err
	case is && !before:
		return changed, errors.Join(errOldKeys, err)
	}
	return unchanged, err
}

// opens tells by the error of a call whether its key is one of the index's.
func opens(err error) (bool, error) {
	if errors.Is(err, engine.ErrWrongKey) {
		return false, nil
	}
	return err == nil, err
}

// unknownError is that of a call of which nobody knows whether it has done its
// work; advice says how to find out.
type unknownError struct {
	err    error
	advice string
}

func (e *unknownError) Error() string { return e.err.Error() + "\n" + e.advice }

func (e *unknownError) Unwrap() error { return e.err }

// patient is a context for asking what has become of a call that may have been
// interrupted.
func patient(ctx context.Context) context.Context { return context.WithoutCancel(ctx) }
