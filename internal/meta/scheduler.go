package meta

import (
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"oubliette/internal/latchfs"
)

// scheduler lets one compaction run at a time. None begins before begin: what
// Pebble's Open flushes may ask for one at once, and an Open that fails after that
// closes the caches under it. None begins once the latch is set either: its output
// would go into memory and change nothing on disk. Flushes do not ask, so no commit
// under way waits for what is refused (l0Stop is out of reach).
//
// Pebble holds its own locks when it calls TrySchedule, so mu is held for no call
// of Pebble's.
type scheduler struct {
	latch *latchfs.FS
	db    pebble.DBForCompaction // set by Register, before any other call

	mu       sync.Mutex
	open     bool // between begin and Unregister
	busy     bool // a compaction runs, or is being granted
	refused  bool // somebody asked since grant has begun to look
	granting sync.WaitGroup
}

func newScheduler(latch *latchfs.FS) *scheduler { return &scheduler{latch: latch} }

// Register is told which database asks.
func (s *scheduler) Register(_ int, db pebble.DBForCompaction) { s.db = db }

// begin lets compactions run from now on; Pebble's Open has answered a database.
func (s *scheduler) begin() {
	s.mu.Lock()
	s.open = true
	s.mu.Unlock()
	s.grant()
}

// Unregister refuses all that follows, and waits until the database is not called
// any more.
func (s *scheduler) Unregister() {
	s.mu.Lock()
	s.open = false
	s.mu.Unlock()
	s.granting.Wait()
}

// TrySchedule allows a compaction when none runs. Pebble remembers one that is
// refused, and does not ask again: grant does.
func (s *scheduler) TrySchedule() (bool, pebble.CompactionGrantHandle) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.take() {
		s.refused = true
		return false, nil
	}
	return true, s
}

// take makes the scheduler busy, if it may. mu is held.
func (s *scheduler) take() bool {
	if !s.open || s.busy || s.latch.Err() != nil {
		return false
	}
	s.busy = true
	return true
}

// Done is told that a compaction has ended.
func (s *scheduler) Done() {
	s.release()
	s.grant()
}

// release makes the scheduler free, and tells whether somebody was refused.
func (s *scheduler) release() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy = false
	return s.refused
}

// grant runs the compaction that waits, if there is one.
func (s *scheduler) grant() {
	for s.enter() {
		waiting, _ := s.db.GetWaitingCompaction()
		granted := waiting && s.db.Schedule(s) // Done ends it
		s.granting.Done()
		if granted || !s.release() {
			return
		}
	}
}

// enter takes the scheduler for a look at what waits.
func (s *scheduler) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.take() {
		return false
	}
	s.refused = false
	s.granting.Add(1)
	return true
}

// UpdateGetAllowedWithoutPermission is about a number that is always one here, and
// the three below are about the use of processors.
func (s *scheduler) UpdateGetAllowedWithoutPermission()                  {}
func (s *scheduler) Started()                                            {}
func (s *scheduler) MeasureCPU(pebble.CompactionGoroutineKind)           {}
func (s *scheduler) CumulativeStats(_ pebble.CompactionGrantHandleStats) {}
