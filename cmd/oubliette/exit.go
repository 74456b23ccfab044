package main

import (
	"errors"

	"oubliette/engine"
)

// The exit codes. The long help lists them.
const (
	exitOK       = 0
	exitFailure  = 1
	exitUsage    = 2
	exitNotFound = 3
	exitKey      = 4
	exitCorrupt  = 5
	exitLocked   = 6
	exitPending  = 7
)

const exitHelp = `Exit codes:
  0  done
  1  failure: a disk error, an index that exists already, an interrupt
  2  usage, or input that is not accepted (a bad line, a limit)
  3  not found: the store, the index, or some of the ids
  4  no key, a wrong key, or a key that does not permit this
  5  corrupt: bytes on disk are not what was written
  6  the store is open in another process
  7  deleted data is still on disk, or residue of it was found`

var (
	errUsage    = errors.New("usage")
	errInput    = errors.New("bad input")
	errNotFound = errors.New("not found")
	errKey      = errors.New("key")
	errResidue  = errors.New("deleted data on disk")
)

// exitCodes is looked through from above; of several causes the first counts.
var exitCodes = []struct {
	code int
	is   []error
}{
	{exitCorrupt, []error{engine.ErrCorrupt}},
	{exitLocked, []error{engine.ErrLocked}},
	{exitKey, []error{errKey, engine.ErrWrongKey, engine.ErrKeyRequired, engine.ErrPermission}},
	{exitPending, []error{errResidue}},
	{exitNotFound, []error{errNotFound, engine.ErrIndexNotFound}},
	{exitUsage, []error{errUsage, errInput, engine.ErrInvalid, engine.ErrTooLarge, engine.ErrDimension}},
}

// exitCode is the exit code of an error.
func exitCode(err error) int {
	if err == nil {
		return exitOK
	}
	var pending *engine.PendingError
	for _, c := range exitCodes {
		for _, is := range c.is {
			if errors.Is(err, is) {
				return c.code
			}
		}
		if c.code == exitPending && errors.As(err, &pending) {
			return exitPending
		}
	}
	return exitFailure
}
