package engine

import (
	"time"

	"oubliette/segment"
)

// Counts are an index's counters since its state was loaded.
type Counts struct {
	Upserted    uint64 // rows
	Deleted     uint64 // distinct ids, known or not, call by call
	Expired     uint64 // items whose time had come, as it was logged
	Died        uint64 // rows found dead
	BytesErased uint64 // overwritten
	Unlinked    uint64 // segment files destroyed and removed
	Late        uint64 // ids that were erased later than PurgeWithin after their delete
	// OldestErased is the greatest age that a delete had when it was erased.
	OldestErased time.Duration
}

// IndexMetrics is what an unlocked index looks like now. Sizes are in bytes.
type IndexMetrics struct {
	Counts
	Segments     int           // with an index
	OpenSegments int           // without
	Rows         int           // in indexes, dead ones included
	DataBytes    uint64        // of all row areas
	DeadBytes    uint64        // of DataBytes: dead, overwritten or waiting for it
	PendingBytes uint64        // dead and not overwritten yet; while a backup runs also what has been
	Tombstones   int           // not applied yet
	OldestChange time.Duration // age of the oldest change not applied yet; 0: none
	Unerased     uint64        // ids deleted and not erased yet
	Overdue      uint64        // of Unerased: deleted more than PurgeWithin ago
	OldestDelete time.Duration // age of the oldest of Unerased; 0: none
	Memory       int64         // memtables and tombstones
	Waiting      bool          // changes wait for a writer's key
	Locked       bool          // nobody has unlocked it: but for Waiting nothing is known
	Err          error         // why maintenance does not get on; nil when it does
}

// Metrics is what a store looks like now: the indexes that somebody has
// unlocked, and those that wait for a key, by name.
type Metrics struct {
	Indexes map[string]IndexMetrics
	Failed  error // ErrFailed when the log has failed
}

// Metrics answers what the store looks like now.
func (db *DB) Metrics() Metrics {
	out := Metrics{Indexes: make(map[string]IndexMetrics)}
	db.mu.Lock()
	states := make([]*state, 0, len(db.mu.states))
	for _, s := range db.mu.states {
		states = append(states, s)
	}
	db.mu.Unlock()
	for _, s := range states {
		if s.enter(nil) == nil {
			out.Indexes[s.cat.name] = s.metrics()
			s.leave()
		}
	}
	waiting, err := db.waitingIndexes()
	for _, name := range waiting {
		out.Indexes[name] = IndexMetrics{Locked: true, Waiting: true, Err: err}
	}
	out.Failed = db.meta.Err()
	return out
}

func (s *state) metrics() IndexMetrics {
	s.mu.RLock()
	defer s.mu.RUnlock()
	v := s.mu.view
	if v == nil { // not read yet
		return IndexMetrics{}
	}
	m := IndexMetrics{
		Counts: s.mu.counts, Segments: len(v.sealed), OpenSegments: len(v.open),
		Memory: s.memoryLocked(), Err: s.work.lastError(),
	}
	for _, t := range v.tombs {
		m.Tombstones += t.Len()
	}
	for _, x := range v.sealed {
		m.Rows += x.seg.table.Entries()
		m.add(x.seg.table.DataEnd(), x.dead.Bytes)
		for _, p := range x.dead.Pending {
			m.PendingBytes += p.Len
		}
	}
	for _, o := range v.open {
		m.add(s.openEnd(o.mem), o.dead.Bytes)
		for _, p := range o.dead.Pending {
			m.PendingBytes += p.Len
		}
	}
	m.Unerased, m.Overdue, m.OldestDelete = s.mu.ages.pending(time.Now(), s.db.opts.PurgeWithin)
	if !s.mu.since.IsZero() {
		m.OldestChange = time.Since(s.mu.since)
		m.Waiting = s.mu.keys == nil
	}
	return m
}

func (m *IndexMetrics) add(end, dead uint64) {
	m.DataBytes += end - segment.DataStart
	m.DeadBytes += min(dead, end-segment.DataStart)
}
