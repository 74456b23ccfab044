// Package fault holds the errors that every layer of the store answers with,
// so that an embedder tests for them with errors.Is whatever layer found them.
package fault

import (
	"errors"
	"fmt"
)

var (
	// ErrCorrupt: bytes on disk are not what was written. Every
	// CorruptionError is one.
	ErrCorrupt = errors.New("corrupt")
	// ErrFailed: the log could not be written. The outcome of the call is
	// unknown until the store has been opened again, and nothing more is
	// written until then.
	ErrFailed = errors.New("log failed, reopen the store")
	// ErrForeign: the bytes do not begin as a file of this store does.
	ErrForeign = errors.New("not a file of this store")
	// ErrNewer: the bytes carry a format version that this build cannot read.
	ErrNewer = errors.New("written by a newer version")
	// ErrDamaged: the format is known, but a checksum, a hash, a seal or a
	// signature does not fit.
	ErrDamaged = errors.New("damaged")
)

// CorruptionError says where on disk something is not what was written. Path
// is a file, or the key of a record in the log's database; Offset is in bytes.
type CorruptionError struct {
	Path   string
	Offset int64
	Err    error
}

// Error names the place and the cause.
func (e *CorruptionError) Error() string {
	return fmt.Sprintf("corrupt: %s at offset %d: %v", e.Path, e.Offset, e.Err)
}

// Unwrap makes errors.Is find ErrCorrupt as well as the cause.
func (e *CorruptionError) Unwrap() []error { return []error{ErrCorrupt, e.Err} }

// Corrupt makes a CorruptionError; the format's %w may name ErrForeign,
// ErrNewer or ErrDamaged.
func Corrupt(path string, offset int64, format string, args ...any) error {
	return &CorruptionError{Path: path, Offset: offset, Err: fmt.Errorf(format, args...)}
}
