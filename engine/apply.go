package engine

import (
	"errors"
	"slices"
	"time"

	"oubliette/compaction"
	"oubliette/crypto"
	"oubliette/segment"
	"oubliette/tombstone"
	"oubliette/wal"
)

// frozen is what one apply works on: everything published up to one group.
type frozen struct {
	v      *view // with a reference; tombs[1:] are to be applied
	at     wal.Position
	fresh  []compaction.Kill
	since  time.Time
	by     map[*memtable]displaced
	logged int64

	sessions []compaction.Session
}

// displaced is what has died in a memtable without a tombstone.
type displaced struct {
	rows  []compaction.Death
	space []segment.Extent
}

// freeze cuts what has been published off from what comes: later tombstones go
// into a new set. f is nil when there is nothing to apply; at is the cut.
func (s *state) freeze() (f *frozen, at wal.Position) {
	s.installMu.Lock() // views are swapped under it
	defer s.installMu.Unlock()
	s.publishMu.Lock() // no group is half-way into the set that is cut off
	defer s.publishMu.Unlock()
	s.mu.Lock()
	s.mu.cut = s.mu.wrote
	f = &frozen{at: s.mu.published, fresh: s.mu.fresh, since: s.mu.since, by: make(map[*memtable]displaced), logged: s.logBytesLocked(),
		sessions: slices.Clone(s.mu.sessions)}
	for _, o := range s.mu.view.open {
		if m := o.mem; len(m.displaced)+len(m.space) > 0 {
			f.by[m] = displaced{m.displaced, m.space}
			m.displaced, m.space = nil, nil
		}
	}
	old := s.mu.view
	if old.tombs[0].Len() > 0 {
		tombs := append([]*tombstone.Set{tombstone.NewSet()}, old.tombs...)
		s.swapLocked(newView(tombs, old.open, old.sealed))
	} else {
		old = nil
	}
	s.mu.fresh, s.mu.since = nil, time.Time{}
	f.v = s.acquireLocked()
	s.mu.Unlock()
	if old != nil {
		old.release()
	}
	if len(f.v.tombs) == 1 && len(f.fresh) == 0 && len(f.by) == 0 {
		f.v.release()
		return nil, f.at
	}
	return f, f.at
}

// maxFrozen is how many sets of tombstones a view may have: each look-up goes
// through all of them.
const maxFrozen = 4

// thaw gives back what could not be applied; the tombstones have stayed in the
// view. buried: what died without one has been committed all the same. Where
// applying fails again and again, the sets that it has cut off become one.
func (s *state) thaw(f *frozen, buried bool) {
	var merged *tombstone.Set
	if frozen := f.v.tombs[1:]; len(frozen) >= maxFrozen {
		merged = tombstone.Merge(frozen)
	}
	s.installMu.Lock() // views are swapped under it
	defer s.installMu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if cur := s.mu.view; merged != nil {
		tombs := append(slices.Clone(cur.tombs[:len(cur.tombs)-len(f.v.tombs)+1]), merged)
		old := s.swapLocked(newView(tombs, cur.open, cur.sealed))
		defer old.release() // not the last reference: f has one on the files
	}
	s.mu.fresh = append(f.fresh, s.mu.fresh...)
	for m, d := range f.by {
		if buried {
			break
		}
		m.displaced = append(d.rows, m.displaced...)
		m.space = append(d.space, m.space...)
	}
	s.mu.since = f.since
	if f.since.IsZero() {
		s.mu.since = time.Now()
	}
}

// deaths of one apply, by segment.
type deaths struct {
	open   map[*memtable][]buried
	sealed map[*sealed][]compaction.Death
	err    error // segments that could not be looked through
}

type buried struct {
	token crypto.Token
	compaction.Death
}

// apply finds the rows that everything published so far kills and commits them
// as dead.
//
// Order: the frozen tombstones stay in the view while it works, so that what
// they hide stays hidden; one synced batch with dead records, manifest and the
// truncation of the log; then the view with the new dead sets and without the
// tombstones. A crash before the batch finds the tombstones in the log again;
// after it, the dead records, whose extents the next Open overwrites.
//
// A segment whose index cannot be read does not keep the others' rows: their
// deaths are committed, and the tombstones stay, in the log too, until it can.
func (m *maintenance) apply(ring *keyring) error {
	s := m.s
	f, at := s.freeze()
	if f == nil {
		m.applied = at.Seq
		return nil
	}
	defer f.v.release()
	found := s.findDeaths(f)
	s.recut(f)
	if err := s.installDeaths(ring, f, found); err != nil {
		s.thaw(f, false)
		return errors.Join(found.err, err)
	}
	m.pending = true
	if found.err != nil {
		s.thaw(f, true)
		return found.err
	}
	m.applied = f.at.Seq
	return nil
}

func (s *state) findDeaths(f *frozen) *deaths {
	var tombs []tombstone.Tombstone
	for _, t := range f.v.tombs[1:] {
		tombs = append(tombs, t.All()...)
	}
	kills := compaction.Kills(tombs, f.fresh)
	tokens := compaction.Tokens(kills)
	out := &deaths{open: make(map[*memtable][]buried), sealed: make(map[*sealed][]compaction.Death)}
	for _, seg := range f.v.sealed {
		found, err := compaction.Find(seg.seg.table, s.db.blocks, seg.dead, kills, tokens)
		if err != nil {
			out.err = errors.Join(out.err, err)
			continue
		}
		if len(found) > 0 {
			out.sealed[seg.seg] = found
		}
	}
	for len(kills) > 0 {
		n := min(len(kills), 4096) // readers and the log's leader get in between
		s.findOpen(f.v, kills[:n], out)
		kills = kills[n:]
	}
	return out
}

// findOpen looks for killed rows in the memtables. A row that is displaced
// meanwhile goes on its memtable's list and dies with the next apply.
func (s *state) findOpen(v *view, kills []compaction.Kill, out *deaths) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, o := range v.open {
		for _, k := range kills {
			if e, ok := o.mem.get(k.Token); ok && e.Seq < k.Before {
				out.open[o.mem] = append(out.open[o.mem], buried{k.Token, death(&e)})
			}
		}
	}
}

// minTruncate is from how many bytes of log on an apply that killed nothing is
// committed all the same, to let the log go.
const minTruncate = 1 << 20

// installDeaths commits what an apply has found and swaps the view.
func (s *state) installDeaths(ring *keyring, f *frozen, found *deaths) error {
	e := s.edit(ring.signer)
	defer e.end()
	s.mu.RLock()
	cur := s.mu.view // stays: views are swapped under installMu
	s.mu.RUnlock()
	open, sealed, changed, err := e.bury(cur, f, found)
	if err != nil {
		return err
	}
	whole := found.err == nil
	if !changed && (!whole || len(f.v.tombs) == 1 && f.logged < minTruncate) {
		if whole {
			s.settled = settled{f.at, f.sessions}
		}
		return nil
	}
	tombs := cur.tombs
	if whole {
		e.apply(settled{f.at, f.sessions})
		tombs = cur.tombs[:1:1]
	}
	last := e.truncate(open)
	if err := e.commit(); err != nil {
		return err
	}
	s.mu.Lock()
	for mem, rows := range found.open {
		for _, b := range rows {
			mem.bury(b.token, b.Row)
		}
	}
	s.mu.counts.Died += deadRows(open, sealed) - deadRows(cur.open, cur.sealed)
	old := s.swapLocked(newView(tombs, open, sealed))
	s.truncatedLocked(last)
	s.freedLocked()
	s.mu.Unlock()
	old.release()
	return nil
}

// bury puts new dead sets into the edit and answers the segments with them.
func (e *edit) bury(cur *view, f *frozen, found *deaths) (open []openSegment, sealed []sealedSegment, changed bool, err error) {
	open = append(open, cur.open...)
	for i := range open {
		o := &open[i]
		rows := f.by[o.mem].rows
		for _, b := range found.open[o.mem] {
			rows = append(rows, b.Death)
		}
		if len(rows)+len(f.by[o.mem].space) == 0 {
			continue
		}
		o.dead, changed = o.dead.Add(rows, f.by[o.mem].space), true
		if err := e.dead(o.mem.id, o.dead); err != nil {
			return nil, nil, false, err
		}
	}
	sealed = append(sealed, cur.sealed...)
	for i := range sealed {
		x := &sealed[i]
		if rows := found.sealed[x.seg]; len(rows) > 0 {
			x.dead, changed = x.dead.Add(rows, nil), true
			if err := e.dead(x.seg.id, x.dead); err != nil {
				return nil, nil, false, err
			}
		}
	}
	return open, sealed, changed, nil
}

// recut adds what has been displaced while the apply was looking: a row that a
// frozen tombstone deletes is not found in its memtable any more when its id has
// been upserted again meanwhile.
func (s *state) recut(f *frozen) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.mu.view.open {
		m := o.mem
		if len(m.displaced)+len(m.space) > 0 {
			d := f.by[m]
			f.by[m] = displaced{append(d.rows, m.displaced...), append(d.space, m.space...)}
			m.displaced, m.space = nil, nil
		}
	}
}

// deadRows is how many rows of the segments are dead.
func deadRows(open []openSegment, sealed []sealedSegment) (n uint64) {
	for i := range open {
		n += open[i].dead.Rows.GetCardinality()
	}
	for i := range sealed {
		n += sealed[i].dead.Rows.GetCardinality()
	}
	return n
}
