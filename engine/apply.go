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
	fresh  []compaction.Event
	all    []compaction.Event // tombs and fresh
	kills  *compaction.Kills  // by all
	moving *moving            // the rewrite under way, nil when there is none
	since  time.Time
	by     map[*memtable]displaced
	logged int64

	sessions []compaction.Session
}

// displaced is what has died in a memtable and has no place there any more.
type displaced struct {
	rows  []displacedRow
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
	began := time.Now()
	f, at := s.freeze()
	if f == nil {
		s.setApplied(at.Seq)
		return nil
	}
	defer f.v.release()
	f.moving = m.moving
	f.all = f.events()
	f.kills = compaction.NewKills(f.all)
	found := s.findDeaths(f)
	s.recut(f)
	t, err := s.installDeaths(ring, f, found)
	if err != nil {
		s.thaw(f, false)
		return errors.Join(found.err, err)
	}
	m.pending = true
	if tell := s.db.opts.EventListener.Applied; tell != nil {
		tell(ApplyInfo{Index: s.cat.id.String(), Through: f.at.Seq, Calls: len(t.calls), Rows: t.rows(), Duration: time.Since(began)})
	}
	if found.err != nil {
		s.thaw(f, true)
		return found.err
	}
	s.setApplied(f.at.Seq)
	return nil
}

func (s *state) setApplied(seq uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if seq > s.mu.applied {
		s.mu.applied, s.mu.appliedAt = seq, s.now()
	}
}

// events are what has happened up to the cut.
func (f *frozen) events() []compaction.Event {
	out := slices.Clone(f.fresh)
	for _, t := range f.v.tombs[1:] {
		now := t.Snapshot()
		for _, deletes := range [][]tombstone.Tombstone{now.All(), now.Again()} {
			for _, d := range deletes {
				out = append(out, compaction.Event{Token: d.Token, Before: d.Seq, Call: d.Seq})
			}
		}
		// No call has found these alive: they had expired before anybody could.
		for _, d := range now.Expired() {
			out = append(out, compaction.Event{Token: d.Token, Before: d.Seq})
		}
	}
	return out
}

func (s *state) findDeaths(f *frozen) *deaths {
	out := &deaths{open: make(map[*memtable][]buried), sealed: make(map[*sealed][]compaction.Death)}
	for _, seg := range f.v.sealed {
		found, err := compaction.Find(seg.seg.table, s.db.blocks, seg.dead, f.kills)
		if err != nil {
			out.err = errors.Join(out.err, err)
			continue
		}
		if len(found) > 0 {
			out.sealed[seg.seg] = found
		}
	}
	for at, n := 0, len(f.kills.Tokens()); at < n; {
		to := min(at+4096, n) // readers and the log's leader get in between
		s.findOpen(f, at, to, out)
		at = to
	}
	return out
}

// findOpen looks for killed rows in the memtables. A row that is displaced
// meanwhile goes on its memtable's list, where recut finds it.
func (s *state) findOpen(f *frozen, from, to int, out *deaths) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, o := range f.v.open {
		for i := from; i < to; i++ {
			tok := f.kills.Tokens()[i]
			e, ok := o.mem.get(tok)
			if !ok {
				continue
			}
			if call, dead := f.kills.Killer(i, e.Seq); dead {
				d := death(&e)
				d.Call = call
				out.open[o.mem] = append(out.open[o.mem], buried{tok, d})
			}
		}
	}
}

// minTruncate is from how many bytes of log on an apply that killed nothing is
// committed all the same, to let the log go.
const minTruncate = 1 << 20

// installDeaths commits what an apply has found and swaps the view. It answers what
// each delete has found.
func (s *state) installDeaths(ring *keyring, f *frozen, found *deaths) (*callTally, error) {
	e := s.edit(ring.signer)
	defer e.end()
	s.mu.RLock()
	cur := s.mu.view // stays: views are swapped under installMu
	s.mu.RUnlock()
	t := newCallTally(f.all)
	open, sealed, changed, err := e.bury(cur, f, found, t)
	if err != nil {
		return nil, err
	}
	whole := found.err == nil
	if !changed && (!whole || len(f.v.tombs) == 1 && f.logged < minTruncate) {
		if whole {
			s.settled = settled{f.at, f.sessions}
		}
		return t, nil
	}
	tombs := cur.tombs
	if whole {
		e.apply(settled{f.at, f.sessions})
		tombs = cur.tombs[:1:1]
	}
	e.outcome(t, f.at.Seq, whole)
	last := e.truncate(open)
	if err := e.commit(); err != nil {
		return nil, err
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
	return t, nil
}

// bury puts new dead sets into the edit and answers the segments with them. t
// counts what has died.
func (e *edit) bury(cur *view, f *frozen, found *deaths, t *callTally) (open []openSegment, sealed []sealedSegment, changed bool, err error) {
	open = append(open, cur.open...)
	for i := range open {
		o := &open[i]
		rows := o.dead.New(f.deaths(o.mem, found.open[o.mem]))
		t.add(o.mem.id, rows)
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
		if rows := x.dead.New(found.sealed[x.seg]); len(rows) > 0 {
			if t.add(x.seg.id, rows) && f.moving.copies(x.seg) {
				t.segments = append(t.segments, f.moving.out.id)
			}
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
// been upserted again meanwhile. What only later events kill stays for the next
// apply, which knows which of them found it alive.
func (s *state) recut(f *frozen) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.mu.view.open {
		m, d := o.mem, f.by[o.mem]
		m.displaced = slices.DeleteFunc(m.displaced, func(r displacedRow) bool {
			_, dead := f.kills.Of(r.token, r.seq)
			if dead {
				d.rows = append(d.rows, r)
			}
			return dead
		})
		if len(d.rows) > 0 {
			f.by[m] = d
		}
	}
}

// deaths are the rows of a memtable that have died: those that were found, and
// those that had been displaced.
func (f *frozen) deaths(m *memtable, found []buried) []compaction.Death {
	displaced := f.by[m].rows
	out := make([]compaction.Death, 0, len(displaced)+len(found))
	for _, r := range displaced {
		r.Call, _ = f.kills.Of(r.token, r.seq)
		out = append(out, r.Death)
	}
	for _, b := range found {
		out = append(out, b.Death)
	}
	return out
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
