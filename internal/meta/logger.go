package meta

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/cockroachdb/pebble/v2"
)

// pebbleLogger is what Pebble reports to. It never ends the process.
type pebbleLogger struct {
	log  *slog.Logger
	fail func(error)
}

// Infof goes out at debug level: it tells of every flush and compaction.
func (l pebbleLogger) Infof(format string, args ...any) { l.emit(slog.LevelDebug, format, args) }

// Errorf goes out as an error.
func (l pebbleLogger) Errorf(format string, args ...any) { l.emit(slog.LevelError, format, args) }

// Fatalf latches and returns, although Pebble takes it that it does not.
//
// That is safe for what is on disk and for what is acknowledged: from here on
// no mutation of Pebble's reaches the disk, and every commit looks at the latch
// before it answers. Pebble's own state may be broken from here on, but no
// error of the file system brings it here: those are kept from it. What is left
// are contradictions that Pebble finds in its own bookkeeping.
func (l pebbleLogger) Fatalf(format string, args ...any) {
	l.fail(fmt.Errorf("pebble: "+format, args...))
}

func (l pebbleLogger) emit(level slog.Level, format string, args []any) {
	if l.log.Enabled(context.Background(), level) {
		l.log.Log(context.Background(), level, "pebble: "+fmt.Sprintf(format, args...))
	}
}

// listener hears of what Pebble does in the background. Damage that it finds in
// a table is told to whoever reads there; it does not stop writes, as Pebble's
// default (Fatalf) would.
func (l pebbleLogger) listener() *pebble.EventListener {
	return &pebble.EventListener{
		BackgroundError: func(err error) { l.log.Error("metadata: background work failed", "err", err) },
		DataCorruption: func(i pebble.DataCorruptionInfo) {
			l.log.Error("metadata: damaged file", "path", i.Path, "err", i.Details)
		},
		WriteStallBegin: func(i pebble.WriteStallBeginInfo) {
			l.log.Warn("metadata: commits wait for the disk", "reason", i.Reason)
		},
	}
}
