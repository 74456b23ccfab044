package meta

import (
	"math"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// reserveStep is how much of a log file is reserved at a time: the sync behind it
// takes that much longer, some milliseconds in every few thousand commits.
const reserveStep = 2 << 20

// logFile is a log that Pebble writes, with zeros written ahead of it. Pebble's
// own reservation, of 70 MiB, leaves size and map of the file to be changed by
// every write, so that every sync commits them, too, until the file is one that
// is used again. Here a sync has data to write and nothing else from the start,
// and a small store's log takes little space.
//
// Pebble's reader takes zeros for the end of the log, as they stand there on
// file systems that reserve so themselves. A reservation that fails is not tried
// again: the log grows as it would, and what is wrong with the disk shows there.
type logFile struct {
	vfs.File
	failed   func() error // the latch: nothing is written behind its back
	end      int64        // of what has been written
	reserved int64
}

// reserving wraps a log file that has been made; other files stay as they are.
func reserving(name string, f vfs.File, failed func() error, err error) (vfs.File, error) {
	if err != nil || f.Fd() == vfs.InvalidFd || !canReserve || !strings.HasSuffix(name, ".log") {
		return f, err
	}
	return &logFile{File: f, failed: failed}, nil
}

// Preallocate leaves the reserving to Write.
func (l *logFile) Preallocate(int64, int64) error { return nil }

// Write reserves ahead and writes.
func (l *logFile) Write(b []byte) (int, error) {
	for l.end+int64(len(b)) > l.reserved && l.failed() == nil {
		if err := reserve(l.Fd(), l.reserved, reserveStep); err != nil {
			l.reserved = math.MaxInt64
			break
		}
		l.reserved += reserveStep
	}
	n, err := l.File.Write(b)
	l.end += int64(n)
	return n, err
}
