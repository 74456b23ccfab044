package crash

import (
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// The phases that a kill can hit in any store; [store.Chore] names more.
const (
	Writing    = "writing"
	Erasing    = "erasing"
	Compacting = "compacting"
	Opening    = "opening"
	Closing    = "closing"
	// Idle is no aim: the call that was to be hit had returned.
	Idle = "between calls"
)

// aims are the phases that kills are meant for, each as often as it stands
// there relative to the others; a store's own chores are added as they are seen.
var aims = []string{
	Writing, Writing, Writing,
	Erasing, Erasing, Erasing, Erasing,
	Compacting, Compacting, Compacting,
	Opening, Opening, Opening, Opening, // which often comes too late
	Closing, Closing,
}

// spans keeps how long the phases take, so that a kill falls within one.
type spans struct {
	mu  sync.Mutex
	typ map[string]time.Duration // a phase's, recent ones counting more
}

// took notes a phase that has come to its end.
func (s *spans) took(phase string, d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old, ok := s.typ[phase]; ok {
		d = (3*old + d) / 4
	}
	s.typ[phase] = d
}

const (
	spanUnknown = 20 * time.Millisecond // of a phase that has never come to its end
	spanLeast   = 500 * time.Microsecond
	spanMost    = 2 * time.Second
)

// within draws how long after the beginning of a phase the kill comes: seldom
// later than the phase takes.
func (s *spans) within(phase string, rnd *rand.Rand) time.Duration {
	s.mu.Lock()
	d, ok := s.typ[phase]
	s.mu.Unlock()
	if !ok {
		d = spanUnknown
	}
	d = min(max(d, spanLeast), spanMost)
	return time.Duration(rnd.Int64N(int64(d) + int64(d)/20))
}

// chores are the phases of a store's own chores that have been seen.
func (s *spans) chores() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for p := range s.typ {
		if !slices.Contains([]string{Erasing, Compacting, Opening, Closing}, p) {
			out = append(out, p)
		}
	}
	slices.Sort(out)
	return out
}
