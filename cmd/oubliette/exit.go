package main

import (
	"context"
	"errors"

	"oubliette/engine"
	"oubliette/ledger"
	"oubliette/proof"
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
	exitRefused  = 8
)

const exitHelp = `Exit codes (and kinds, with --json):
  0  done
  1  failure: a disk error, an index, a file or a store to restore to that is there
     already, a file system on which nothing is certified, a reader of the output
     who has left; or interrupted
  2  usage, or input that is not accepted (a bad line, a limit); or a ledger that
     the store keeps, and was not given
  3  not_found: the store, the index, some of the ids, or what a store does not
     know any more of a receipt
  4  key: there is none, a wrong one or an unknown user (which is not told
     apart), or one that does not permit this
  5  corrupt: bytes on disk are not what was written, or the store does not hold a
     delete of which there is a receipt
  6  locked: the store or its ledger is open already, in another process
  7  pending: deleted data is still on disk, or residue of it was found; or the
     change of keys has been made, but what the old ones open is still on disk
  8  refused: a document that is not what was signed, or not by whom it should be,
     or not of these ids; a ledger that is cut, altered, of another history or of
     another store; a store that was put back to before a change of its keys
When a command has failed, the code is that of its own error, also where the
store could not erase something at the end.`

var (
	errUsage    = errors.New("usage")
	errInput    = errors.New("bad input")
	errOutput   = errors.New("output")
	errNotFound = errors.New("not found")
	errKey      = errors.New("key")
	errRefused  = errors.New("refused")
	errResidue  = errors.New("deleted data on disk")
	errOldKeys  = errors.New("what the old keys open is still on disk; the next command that writes tries to overwrite it")
)

// exitCodes is looked through from above; of several causes the first counts.
var exitCodes = []struct {
	code int
	kind string
	is   []error
}{
	{exitRefused, "refused", []error{
		proof.ErrAltered, proof.ErrSigner, proof.ErrForeign, proof.ErrOtherIDs,
		ledger.ErrCut, ledger.ErrAltered, ledger.ErrFork, ledger.ErrNotOurs, engine.ErrRolledBack, errRefused,
	}},
	{exitCorrupt, "corrupt", []error{engine.ErrCorrupt}},
	{exitLocked, "locked", []error{engine.ErrLocked, ledger.ErrLocked}},
	{exitKey, "key", []error{errKey, engine.ErrWrongKey, engine.ErrKeyRequired, engine.ErrPermission}},
	{exitPending, "pending", []error{errResidue, errOldKeys, engine.ErrNotErased}},
	{exitNotFound, "not_found", []error{errNotFound, engine.ErrIndexNotFound, engine.ErrNotKnown}},
	{exitUsage, "usage", []error{errUsage, errInput, engine.ErrInvalid, engine.ErrTooLarge, engine.ErrDimension}},
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

// exitKind is the word for an exit code.
func exitKind(err error, code int) string {
	for _, c := range exitCodes {
		if c.code == code {
			return c.kind
		}
	}
	if errors.Is(err, context.Canceled) {
		return "interrupted"
	}
	return "failure"
}

// closedError is a command's own error together with what closing the store
// said behind it. Only its own counts for the exit code: that a store which
// cannot be written cannot erase either is its consequence.
type closedError struct{ own, closing error }

func (e *closedError) Error() string { return e.own.Error() + "\n" + e.closing.Error() }

func (e *closedError) Unwrap() error { return e.own }

// afterClose joins a command's error and that of closing its store.
func afterClose(own, closing error) error {
	if own == nil || closing == nil || errors.Is(closing, engine.ErrCorrupt) {
		return errors.Join(own, closing)
	}
	return &closedError{own, closing}
}
