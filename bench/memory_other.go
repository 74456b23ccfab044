//go:build !linux

package main

import (
	"runtime"
	"runtime/debug"
)

// residentMemory is how many bytes Go has from the system, when all garbage is
// given back. What a store allocates beside Go is not among them.
func residentMemory() (int64, error) {
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.Sys - m.HeapReleased), nil
}
