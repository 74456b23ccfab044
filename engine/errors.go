package engine

import (
	"errors"
	"fmt"

	"oubliette/internal/fault"
)

// The errors of the store. A call's error says more; errors.Is finds these.
var (
	ErrWrongKey       = errors.New("wrong key")                                             // or an unknown user: not told apart
	ErrKeyRequired    = errors.New("key required")                                          // a keyless handle, and no key on the call
	ErrPermission     = errors.New("permission denied")                                     // the key lacks what the call needs
	ErrIndexNotFound  = errors.New("index not found")                                       // or deleted meanwhile
	ErrIndexExists    = errors.New("index exists")                                          //
	ErrDimension      = errors.New("dimension mismatch")                                    // a vector's length does not fit the index
	ErrInvalid        = errors.New("invalid argument")                                      // names the argument
	ErrTooLarge       = errors.New("too large")                                             // names the limit
	ErrClosed         = errors.New("closed")                                                // the store or the handle
	ErrReadOnly       = errors.New("store is open for reading only")                        //
	ErrLocked         = errors.New("store is open already")                                 // in another process, or in this one
	ErrBackup         = errors.New("a backup is under way already")                         // of the same store; there is one at a time
	ErrLedgerRequired = errors.New("the store keeps a ledger, which has to be given")       // Options.Ledger
	ErrRolledBack     = errors.New("the index was put back to before a change of its keys") // as the ledger shows
	ErrNotErased      = errors.New("not erased yet")                                        // Certify
	ErrNotKnown       = errors.New("not known any more")                                    // of what Options.KeepStatus has passed
	ErrForeign        = fault.ErrForeign                                                    // not a file of this store
	ErrNewer          = fault.ErrNewer                                                      // a format that this build cannot read
	ErrDamaged        = fault.ErrDamaged                                                    // a checksum, hash, seal or signature does not fit
	ErrCorrupt        = fault.ErrCorrupt                                                    // every CorruptionError
	ErrFailed         = fault.ErrFailed                                                     // outcome unknown until the store is opened again
)

// CorruptionError says where on disk something is not what was written.
type CorruptionError = fault.CorruptionError

// PendingError is what Close answers when dead bytes are still on disk — deleted
// items, expired ones, older versions, what failed calls have written — because no
// writer's key was at hand or because erasing failed. They are hidden, and the next Open
// (or the next writer) goes on with them.
type PendingError struct {
	Indexes []string // names of the indexes that wait
	Err     error    // why; nil when they wait for a writer's key
}

// Error names the indexes that wait.
func (e *PendingError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("dead bytes of %q stay on disk until a writer's key is at hand", e.Indexes)
	}
	return fmt.Sprintf("dead bytes of %q stay on disk: %v", e.Indexes, e.Err)
}

// Unwrap answers the cause.
func (e *PendingError) Unwrap() error { return e.Err }
