package latchfs

import (
	"errors"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// unsupported tells whether err says that the file system cannot do this at
// all, which is not a failure to do it.
func unsupported(err error) bool {
	return err != nil && (errors.Is(err, vfs.ErrUnsupported) || errors.Is(err, errors.ErrUnsupported))
}

// adviceRefused tells whether err refuses advice without saying anything about
// the device: no space, no quota, a signal, or arguments the file system does
// not take.
func adviceRefused(err error) bool {
	for _, e := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EINTR, syscall.EINVAL, syscall.EFBIG} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
