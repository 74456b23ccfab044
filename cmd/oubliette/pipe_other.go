//go:build !unix

package main

// There is no signal for it.
func ignoreBrokenPipes() {}

func isBrokenPipe(error) bool { return false }
