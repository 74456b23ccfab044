//go:build unix

package main

import (
	"errors"
	"os/signal"
	"syscall"
)

// ignoreBrokenPipes makes a write to a reader who has left an error like any
// other. By default it ends the process: with the store open, and what has been
// deleted not erased.
func ignoreBrokenPipes() { signal.Ignore(syscall.SIGPIPE) }

// isBrokenPipe tells whether output went to a reader who has left.
func isBrokenPipe(err error) bool {
	return errors.Is(err, errOutput) && errors.Is(err, syscall.EPIPE)
}
