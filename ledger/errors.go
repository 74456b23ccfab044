package ledger

import (
	"errors"
	"fmt"
	"strings"

	"oubliette/crypto"
	"oubliette/internal/fault"
)

// What is wrong between a store and a ledger. Every error of this package that
// speaks of a ledger's content is an [*Error] of one of these, or is
// fault.ErrNewer.
var (
	// ErrNotOurs: it is another store's ledger, or no ledger at all, or the store
	// has never kept one.
	ErrNotOurs = errors.New("not this store's ledger")
	// ErrCut: entries are missing. One names another before it that is not
	// there; or the store has a delete, an epoch or an index that the ledger
	// lacks; or the store is older than what the ledger knows.
	ErrCut = errors.New("ledger is cut")
	// ErrAltered: an entry does not fit its checksum, its hash, its place in the
	// chain, or a signature.
	ErrAltered = errors.New("ledger is altered")
	// ErrFork: there are two continuations of one history, each in order by
	// itself: the ledger and the store, or two entries of the ledger, have
	// different groups or epochs at one number.
	ErrFork = errors.New("ledger and store went different ways")
)

// Error is what is wrong, and where.
type Error struct {
	Kind   error          // ErrNotOurs, ErrCut, ErrAltered, ErrFork, or fault.ErrNewer
	Index  crypto.IndexID // zeros where it cannot be told
	Group  uint64         // of the index's log, 0: not a group
	Offset int64          // of the entry's frame in the ledger, -1: no single entry
	Err    error
}

// Error names kind, place and cause.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Kind.Error())
	if e.Offset >= 0 {
		fmt.Fprintf(&b, ": at offset %d", e.Offset)
	}
	if e.Index != (crypto.IndexID{}) {
		fmt.Fprintf(&b, ": index %s", e.Index)
	}
	if e.Group != 0 {
		fmt.Fprintf(&b, ", group %d", e.Group)
	}
	fmt.Fprintf(&b, ": %v", e.Err)
	return b.String()
}

// Unwrap makes errors.Is find the kind as well as the cause.
func (e *Error) Unwrap() []error { return []error{e.Kind, e.Err} }

// wrong makes an Error that does not know its place yet.
func wrong(kind error, format string, args ...any) *Error {
	return &Error{Kind: kind, Offset: -1, Err: fmt.Errorf(format, args...)}
}

// undecoded is the error of bytes that do not decode: they are of a newer version
// or were altered.
func undecoded(err error) *Error {
	if errors.Is(err, fault.ErrNewer) {
		return &Error{Kind: fault.ErrNewer, Offset: -1, Err: err}
	}
	return &Error{Kind: ErrAltered, Offset: -1, Err: err}
}
