package engine

import (
	"context"
	"fmt"
)

// fullLocked tells whether an apply is due for what it would free: tombstones
// and versions in memory, or log behind the last cut.
func (s *state) fullLocked() bool {
	sum := int64(len(s.mu.fresh)) * freshSize
	for _, t := range s.mu.view.tombs {
		sum += t.Bytes()
	}
	return sum > s.db.opts.MemoryLimit/2 || s.mu.wrote-s.mu.cut > maxLog/2
}

func (s *state) full() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.fullLocked()
}

// freshSize is what a version published since the last apply takes in memory.
const freshSize = 32

// memoryLocked is what memtables and pending tombstones hold, in bytes.
func (s *state) memoryLocked() int64 {
	sum := int64(len(s.mu.fresh)) * freshSize
	for _, t := range s.mu.view.tombs {
		sum += t.Bytes()
	}
	for _, o := range s.mu.view.open {
		sum += o.mem.bytes()
	}
	return sum
}

// room waits until memtables and tombstones are below the hard limit.
func (s *state) room(ctx context.Context) error {
	for told := false; ; told = true {
		s.mu.RLock()
		full := s.memoryLocked() > hardFactor*s.db.opts.MemoryLimit
		freed := s.mu.waiting
		s.mu.RUnlock()
		if !full {
			return nil
		}
		if err := s.work.lastError(); err != nil {
			s.work.wake()
			return fmt.Errorf("memory is full and maintenance does not get on: %w", err)
		}
		if notify := s.db.opts.EventListener.Stalled; notify != nil && !told {
			notify(s.cat.id.String())
		}
		s.work.wake()
		select {
		case <-freed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// freedLocked lets waiting writers look again.
func (s *state) freedLocked() {
	close(s.mu.waiting)
	s.mu.waiting = make(chan struct{})
}
