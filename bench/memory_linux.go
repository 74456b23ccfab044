package main

import (
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
)

// residentMemory is how many bytes of memory this process has that stand in no
// file, when all garbage is given back: Go's and what is allocated beside it. Pages
// of files that are mapped are not among them.
func residentMemory() (int64, error) {
	debug.FreeOSMemory()
	const status = "/proc/self/status"
	b, err := os.ReadFile(status)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			if err != nil {
				return 0, fmt.Errorf("%s: %w", status, err)
			}
			return kib << 10, nil
		}
	}
	return 0, fmt.Errorf("%s says nothing of RssAnon", status)
}
