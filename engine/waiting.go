package engine

import (
	"errors"
	"slices"

	"oubliette/wal"
)

// noteWaiting notes the indexes with deletes in the log, or in the ledger alone,
// that have not been applied: until somebody with a writer's key loads the index, their bytes stay.
// What cannot be read is told by who loads it.
func (db *DB) noteWaiting() {
	for _, c := range db.mu.catalogue {
		if c.record == nil {
			continue
		}
		if m, err := db.readManifest(c); err == nil {
			holds, _ := wal.HoldsTombstones(db.meta, c.id, m.Applied.Group)
			cmp := db.kept.behind[c.id]
			db.waiting[c.id] = holds || cmp != nil && len(cmp.Missing) > 0
		}
	}
}

// waitingIndexes are the indexes with dead bytes on disk that nobody has unlocked
// since the store was opened: their deletes wait for a key, or Open could not
// overwrite what had been placed, and err says why.
func (db *DB) waitingIndexes() (names []string, err error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	for _, c := range db.mu.catalogue {
		if (db.waiting[c.id] || db.unerased[c.id] != nil) && db.mu.states[c.id] == nil {
			names = append(names, c.name)
			err = errors.Join(err, db.unerased[c.id])
		}
	}
	slices.Sort(names)
	return names, err
}

// keepWaiting notes what a state that is taken apart has not erased, and why:
// until somebody unlocks the index again, it waits.
func (db *DB) keepWaiting(s *state, why error) {
	waiting, pending := s.work.waiting(), s.work.pending
	s.mu.RLock()
	doomed := s.mu.doomed
	s.mu.RUnlock()
	db.mu.Lock()
	defer db.mu.Unlock()
	db.waiting[s.cat.id] = waiting
	if pending {
		db.unerased[s.cat.id] = why
	}
	if len(doomed) > 0 {
		db.mu.unfinished[s.cat.id] = append(db.mu.unfinished[s.cat.id], doomed...)
	}
}
