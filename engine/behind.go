package engine

import (
	"context"
	"fmt"

	"oubliette/compaction"
	"oubliette/crypto"
	"oubliette/internal/fault"
	"oubliette/ledger"
	"oubliette/wal"
)

// behind is how far an index's log is behind its ledger: it ends at tail, and was
// at to before it was put back. What the ledger deletes in between is among the
// state's tombstones from the start, so nothing of it is ever read; but the log may
// go on only behind to, so that no number of a delete is given out again.
type behind struct {
	tail, to wal.Position
	sessions []compaction.Session // of the log, between the two
}

// missing takes what the ledger has behind the log's end. What a crash, or an older
// state that was put back, has lost of the log is the end of it: nothing but
// deletes comes back, and they delete whatever is there.
func (l *loader) missing(tail wal.Position) (wal.Position, error) {
	cmp := l.db.lacks(l.cat.id)
	if cmp == nil || len(cmp.Missing) == 0 {
		return tail, nil
	}
	if l.db.kept.tails[l.cat.id] != tail { // what was compared was believed without a key
		return tail, l.corruptLog(tail.Group, "is the last; without a key another end was seen")
	}
	b := &behind{tail: tail}
	var m compaction.Manifest // for its sessions
	for _, g := range cmp.Missing {
		records, err := g.Open(l.mapKeyOf)
		if err != nil {
			return tail, &fault.CorruptionError{Path: l.db.kept.name(), Err: err}
		}
		for i := range records {
			if err := l.delete(&records[i]); err != nil {
				return tail, err
			}
		}
		b.to = g.Position()
		m.Cover(g.Session(), b.to)
	}
	b.sessions = m.Sessions
	l.behind.Store(b)
	return b.to, nil
}

// mapKeyOf is the map key of an epoch.
func (l *loader) mapKeyOf(epoch uint64) (crypto.Secret, bool) {
	if epoch == l.cat.record.Epoch {
		return l.mapKey, true
	}
	key, ok := l.past[epoch]
	return key, ok
}

// lacks is how an index stands to the ledger; nil: there is none, or nothing is
// missing.
func (db *DB) lacks(id crypto.IndexID) *ledger.Comparison {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.kept.behind[id]
}

// catchUp brings the log up to the ledger. Until it has, nothing is written to it: a
// segment that cannot be read keeps writers out, but nothing from being hidden, nor
// what has been found in other segments from being erased.
//
// Order: the segments that are open get their index, which applies what the ledger
// deletes, as far as the log says to the log's end; then one synced batch with a
// manifest whose log begins behind the ledger's last group, and without the groups
// before. A crash before it finds the index behind its ledger again; after it, the
// index is as far as the ledger, with what the ledger deletes in dead records.
func (m *maintenance) catchUp(ring *keyring) error {
	s := m.s
	b := s.behind.Load()
	if b == nil {
		return nil
	}
	if err := m.seal(ring); err != nil {
		return err
	}
	if err := m.apply(ring); err != nil {
		return err
	}
	if n := s.openSegments(); n > 0 {
		return fmt.Errorf("index %q: %d segments without an index are left", s.cat.name, n)
	}
	if err := s.jump(ring, b); err != nil {
		return err
	}
	s.db.mu.Lock()
	delete(s.db.kept.behind, s.cat.id)
	s.db.mu.Unlock()
	s.db.opts.Logger.Info("an index has taken the deletes that it lacked from the ledger", "index", s.cat.id, "group", b.to.Group)
	return nil
}

// openSegments is how many have no index.
func (s *state) openSegments() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.mu.view.open)
}

// jump lets the log go on behind the ledger's last group.
func (s *state) jump(ring *keyring, b *behind) error {
	e := s.edit(ring.signer)
	defer e.end()
	e.next.Start, e.next.Applied = b.to, b.to
	for _, x := range b.sessions {
		e.next.Cover(x.ID, x.Last)
	}
	wal.Truncate(e.batch, s.cat.id, b.to.Group)
	if err := e.commit(); err != nil {
		return err
	}
	s.behind.Store(nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.truncatedLocked(b.to.Group)
	return nil
}

// caughtUp lets a call in that writes when the log is as far as the ledger.
func (c *call) caughtUp(ctx context.Context) error {
	if c.behind.Load() == nil {
		return nil
	}
	return c.work.do(ctx, func(context.Context) error { return c.work.catchUp(c.ring) })
}
