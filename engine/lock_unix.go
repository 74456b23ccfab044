//go:build unix

package engine

import (
	"errors"
	"syscall"
)

// isReadOnlyDisk tells whether a file could not be opened for writing because
// its file system is mounted for reading.
func isReadOnlyDisk(err error) bool { return errors.Is(err, syscall.EROFS) }
