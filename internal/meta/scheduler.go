package meta

import (
	"github.com/cockroachdb/pebble/v2"

	"oubliette/internal/latchfs"
)

// scheduler lets one compaction run at a time, and none begin once the latch is
// set: its output would go into memory and change nothing on disk. Flushes do
// not ask it, so no commit under way waits for what it refuses (l0Stop is out
// of reach).
//
// The scheduler inside is Pebble's own, in the variant without a ticker. The
// ticker samples a number of allowed compactions that varies; here it is always
// one.
type scheduler struct {
	pebble.CompactionScheduler
	latch *latchfs.FS
}

func newScheduler(latch *latchfs.FS) scheduler {
	return scheduler{pebble.NewConcurrencyLimitSchedulerWithNoPeriodicGrantingForTest(), latch}
}

// Register hands the scheduler inside a database that wants nothing once the
// latch is set.
func (s scheduler) Register(goroutines int, db pebble.DBForCompaction) {
	s.CompactionScheduler.Register(goroutines, halting{db, s.latch})
}

// TrySchedule refuses once the latch is set.
func (s scheduler) TrySchedule() (bool, pebble.CompactionGrantHandle) {
	if s.latch.Err() != nil {
		return false, nil
	}
	return s.CompactionScheduler.TrySchedule()
}

type halting struct {
	pebble.DBForCompaction
	latch *latchfs.FS
}

// GetWaitingCompaction answers that there is none once the latch is set.
func (h halting) GetWaitingCompaction() (bool, pebble.WaitingCompaction) {
	if h.latch.Err() != nil {
		return false, pebble.WaitingCompaction{}
	}
	return h.DBForCompaction.GetWaitingCompaction()
}
