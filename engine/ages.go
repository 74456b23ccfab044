package engine

import "time"

// ages are the deletes that have not been erased yet, oldest first, by when they
// became visible. Times are of the monotonic clock: a clock that is set neither
// postpones a deadline nor skips it.
type ages []age

// age is a run of deletes, at most PurgeWithin/ageSteps from its first to its
// last: each counts as old as its first.
type age struct {
	first time.Time
	seq   uint64 // the last delete's
	ids   uint64
	told  bool // that it is overdue
}

const ageSteps = 64

// add notes a delete that has become visible.
func (a *ages) add(now time.Time, within time.Duration, seq, ids uint64) {
	if n := len(*a); n > 0 && now.Sub((*a)[n-1].first) < within/ageSteps {
		last := &(*a)[n-1]
		last.seq, last.ids = seq, last.ids+ids
		return
	}
	*a = append(*a, age{first: now, seq: seq, ids: ids})
}

// erase takes out what is erased up to a sequence number: how old the oldest of it
// has become, and how many ids were late.
func (a *ages) erase(now time.Time, within time.Duration, upto uint64) (oldest time.Duration, late uint64) {
	n := 0
	for ; n < len(*a) && (*a)[n].seq <= upto; n++ {
		old := now.Sub((*a)[n].first)
		oldest = max(oldest, old)
		if old > within {
			late += (*a)[n].ids
		}
	}
	*a = append(ages(nil), (*a)[n:]...)
	return oldest, late
}

// pending is how many ids wait to be erased, how many of them for longer than
// within, and the age of the oldest.
func (a ages) pending(now time.Time, within time.Duration) (ids, overdue uint64, oldest time.Duration) {
	for i := range a {
		old := now.Sub(a[i].first)
		oldest = max(oldest, old)
		ids += a[i].ids
		if old > within {
			overdue += a[i].ids
		}
	}
	return ids, overdue, oldest
}

// tell marks what has become overdue, and answers how long until the next does;
// none: nothing is left that could.
func (a ages) tell(now time.Time, within time.Duration) (told bool, next time.Duration, none bool) {
	for i := range a {
		if a[i].told {
			continue
		}
		if left := within - now.Sub(a[i].first); left >= 0 {
			return told, left + time.Millisecond, false
		}
		a[i].told, told = true, true
	}
	return told, 0, true
}

// watch calls the listener when deletes have not been erased in time. It runs
// beside maintenance, which may be what is late.
func (s *state) watch() {
	within := s.db.opts.PurgeWithin
	s.mu.Lock()
	s.mu.watcher = nil
	if s.mu.ended != nil {
		s.mu.Unlock()
		return
	}
	told, next, none := s.mu.ages.tell(time.Now(), within)
	ids, overdue, oldest := s.mu.ages.pending(time.Now(), within)
	if !none {
		s.watchLocked(next)
	}
	s.mu.Unlock()
	if !told {
		return
	}
	s.db.opts.Logger.Warn("erasures are overdue", "index", s.cat.id, "ids", overdue, "of", ids, "oldest", oldest)
	if f := s.db.opts.EventListener.Overdue; f != nil {
		f(OverdueInfo{Index: s.cat.id.String(), IDs: overdue, Oldest: oldest})
	}
}

// watchLocked has watch called after a time, unless that is under way or the state has
// ended: a timer keeps the whole state in memory.
func (s *state) watchLocked(after time.Duration) {
	if s.mu.watcher == nil && s.mu.ended == nil {
		s.mu.watcher = time.AfterFunc(after, s.watch)
	}
}

// unwatchLocked ends that.
func (s *state) unwatchLocked() {
	if s.mu.watcher != nil {
		s.mu.watcher.Stop()
		s.mu.watcher = nil
	}
}

// agedLocked notes a delete that has become visible.
func (s *state) agedLocked(seq, ids uint64) {
	within := s.db.opts.PurgeWithin
	s.mu.ages.add(time.Now(), within, seq, ids)
	s.watchLocked(within + time.Millisecond)
}

// setErased notes that all that is deleted up to a sequence number is off the disk;
// wrote: something was overwritten for it.
func (s *state) setErased(upto uint64, wrote bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if wrote || upto > s.mu.erased {
		s.mu.erasedAt = s.now()
	}
	s.mu.erased = upto
	oldest, late := s.mu.ages.erase(time.Now(), s.db.opts.PurgeWithin, upto)
	s.mu.counts.OldestErased = max(s.mu.counts.OldestErased, oldest)
	s.mu.counts.Late += late
}
