package engine

import (
	"time"

	"oubliette/compaction"
	"oubliette/crypto"
	"oubliette/tombstone"
	"oubliette/wal"
)

// publish makes a durable group of the log visible: the log calls it, one group
// after the other. Each call becomes visible as a whole: a set of tombstones
// publishes one call's tokens at once, without holding readers up, and rows go
// into memtables under mu.
func (s *state) publish(at wal.Position, bytes int, entries []*wal.Entry) {
	s.publishMu.Lock()
	defer s.publishMu.Unlock()
	s.mu.RLock()
	tombs := s.mu.view.tombs[0] // replaced under publishMu only
	s.mu.RUnlock()
	var deleted, expired uint64
	for _, e := range entries {
		switch v := e.Value.(type) {
		case []crypto.Token:
			deleted += uint64(len(v))
			tombs.Add(e.Seq, v)
		case []tombstone.Tombstone:
			expired += uint64(len(v))
			tombs.AddEach(v)
		}
	}
	if s.place(at, bytes, entries, deleted, expired) {
		s.work.wake()
	}
}

// place publishes what upserts among the entries have written, and counts them all. It
// tells whether maintenance has to look now.
func (s *state) place(at wal.Position, bytes int, entries []*wal.Entry, deleted, expired uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock() // also after a panic, which the log survives to tell of
	expires := s.mu.expires
	for _, e := range entries {
		if p, ok := e.Value.(*placement); ok {
			s.placeLocked(p, e.Seq)
		}
	}
	s.mu.counts.Deleted += deleted
	s.mu.counts.Expired += expired
	if deleted+expired > 0 {
		s.agedLocked(at.Seq, deleted+expired)
	}
	s.loggedLocked(s.log.Session(), at, bytes)
	first := s.mu.since.IsZero()
	if first {
		s.mu.since = time.Now()
	}
	earlier := s.mu.expires != expires // than maintenance would look
	return first || earlier || s.fullLocked()
}

// placeLocked publishes an upsert's rows.
func (s *state) placeLocked(p *placement, seq uint64) {
	for i := range p.parts {
		part := &p.parts[i]
		for k := range part.entries {
			part.entries[k].Seq = seq
			part.mem.put(part.entries[k], s.mu.published)
			s.mu.expires = sooner(s.mu.expires, part.entries[k].Expires)
			s.mu.fresh = append(s.mu.fresh, compaction.Event{Token: part.entries[k].Token, Before: seq})
		}
		s.mu.counts.Upserted += uint64(len(part.entries))
	}
}

func (s *state) loggedLocked(session crypto.SessionID, at wal.Position, bytes int) {
	if n := len(s.mu.sessions); n > 0 && s.mu.sessions[n-1].ID == session {
		s.mu.sessions[n-1].Last = at
	} else {
		s.mu.sessions = append(s.mu.sessions, compaction.Session{ID: session, Last: at})
	}
	s.mu.wrote += int64(bytes)
	s.mu.logged = append(s.mu.logged, loggedGroup{at.Group, s.mu.wrote})
	s.mu.published = at
}

// logBytesLocked is how much of the log a crash would have to replay.
func (s *state) logBytesLocked() int64 {
	n := len(s.mu.logged)
	if n == 0 {
		return 0
	}
	return s.mu.logged[n-1].bytes - s.mu.logged[0].bytes
}

// truncatedLocked notes that groups up to last are gone from the log.
func (s *state) truncatedLocked(last uint64) {
	i := 0
	for i < len(s.mu.logged) && s.mu.logged[i].group <= last {
		i++
	}
	if i > 0 {
		s.mu.logged = append([]loggedGroup(nil), s.mu.logged[i:]...)
	}
}
