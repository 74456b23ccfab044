package engine

import (
	"bytes"
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"oubliette/segment"
	"oubliette/tombstone"
	"oubliette/wal"
)

// An item that expires dies twice. From its time on every read leaves it out, by the
// clock and the expiry that stands beside its row. Then maintenance finds the row and
// logs its death, and from there on it is a delete: applied, erased, replayed.
//
// Order: one record in the log, synced, with the tokens and numbers of what has
// expired; published; then apply and erase as for a delete. A crash before the
// record leaves rows that are hidden as before and found again by the next look;
// after it, what a delete leaves.
//
// What expires next is known without memory for each item: a memtable and every
// index block of a sealed segment has a bound on the earliest expiry in it. One whose
// bound has come is gone through, and gets a new bound.

// anyTime is when nothing has expired yet, for who asks for rows whatever the clock
// says.
const anyTime = math.MinInt64

// clock is the time by which items expire, in milliseconds since 1970.
func (s *state) clock() int64 { return s.db.opts.Now().UnixMilli() }

// sooner is the earlier of two expiries, of which 0 is never.
func sooner(a, b uint64) uint64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// isDue tells whether the time of an expiry has come.
func isDue(expires uint64, now int64) bool { return expires != 0 && int64(expires) <= now }

// earliest is the earliest bound of any segment.
func earliest(open []openSegment, sealed []sealedSegment) (at uint64) {
	for _, o := range open {
		at = sooner(at, o.mem.expires)
	}
	for _, x := range sealed {
		at = sooner(at, x.seg.next)
	}
	return at
}

// dueBlocks are, of each sealed segment, the index blocks whose bound has come; nil
// when there are none. state.mu is held.
func (v *view) dueBlocks(now int64) (out [][]int) {
	for i, x := range v.sealed {
		if !isDue(x.seg.next, now) {
			continue
		}
		if out == nil {
			out = make([][]int, len(v.sealed))
		}
		for n, at := range x.seg.expires {
			if isDue(at, now) {
				out[i] = append(out[i], n)
			}
		}
	}
	return out
}

const (
	// lookBlocks is how many index blocks one look opens at most, some 14 MB: what
	// else is due gets in between.
	lookBlocks = 2048
	// lookItems is from how many items on a look ends; with those of the last step
	// or block they are one record.
	lookItems = 1 << 16
	// lookStep is how many rows are held against the memtables at a time: readers and
	// the log's leader get in between.
	lookStep = 4096
)

// look is one look for what has expired.
type look struct {
	*state
	now int64
	// It may open so many blocks yet, and ends when it has found so many items.
	blocks, items int

	at    []looked
	found []tombstone.Tombstone // to be logged
	more  bool                  // it has ended early
	due   uint64                // the earliest expiry of what was found
}

// looked is a memtable, or an index block, that has been gone through.
type looked struct {
	mem   *memtable
	rows  int // of mem: up to here
	seg   *sealed
	block int    // of seg
	next  uint64 // the earliest expiry of what is there and has not been found
	due   uint64 // of what has been found
}

// expire goes through what may have expired by now, and logs what has and still is
// an item. Without keys it logs nothing, and notes that something waits. more: there
// is more to go through.
func (m *maintenance) expire(ring *keyring) (more bool, err error) {
	if ring != nil && m.s.behind.Load() != nil {
		return false, nil // nothing is logged before the log is as far as its ledger
	}
	l, err := m.look()
	if ring != nil {
		if failed := l.log(ring); failed != nil {
			return false, errors.Join(err, failed)
		}
	}
	l.note(ring != nil)
	return l.more && err == nil, err
}

// look goes through what may have expired by now. An index block that cannot be read
// keeps its bound, and does not keep the others from being gone through.
func (m *maintenance) look() (*look, error) {
	l := &look{state: m.s, now: m.s.clock(), blocks: m.lookBlocks, items: m.lookItems}
	m.s.mu.RLock()
	due := isDue(m.s.mu.expires, l.now)
	m.s.mu.RUnlock()
	if !due {
		return l, nil
	}
	v := m.s.acquire()
	defer v.release()
	for _, o := range v.open {
		l.memtable(o.mem)
	}
	return l, l.sealed(v)
}

// memtable goes through a memtable. Its entries only become more.
func (l *look) memtable(mem *memtable) {
	l.mu.RLock()
	entries, bound := mem.entries[:len(mem.entries):len(mem.entries)], mem.expires
	l.mu.RUnlock()
	if !isDue(bound, l.now) {
		return
	}
	at := looked{mem: mem, rows: len(entries)}
	var rows []segment.Entry
	for i := range entries {
		e := &entries[i]
		if full := len(l.found) >= l.items; full || !e.Expired(l.now) {
			at.next = sooner(at.next, e.Expires)
			l.more = l.more || e.Expired(l.now)
			continue
		}
		if rows = append(rows, *e); len(rows) == min(lookStep, l.items) {
			l.take(&at, rows)
			rows = rows[:0]
		}
	}
	l.take(&at, rows)
	l.at = append(l.at, at)
}

// sealed goes through the sealed segments.
func (l *look) sealed(v *view) error {
	l.mu.RLock()
	due := v.dueBlocks(l.now)
	l.mu.RUnlock()
	var errs []error
	for i, blocks := range due {
		for _, n := range blocks {
			if l.blocks == 0 || len(l.found) >= l.items {
				l.more = true
				return errors.Join(errs...)
			}
			l.blocks--
			if err := l.block(&v.sealed[i], n); err != nil && len(errs) == 0 {
				errs = append(errs, err) // one speaks for all
			}
		}
	}
	return errors.Join(errs...)
}

func (l *look) block(x *sealedSegment, n int) error {
	at := looked{seg: x.seg, block: n}
	var rows []segment.Entry
	err := x.seg.table.Block(n, func(e segment.Entry) {
		switch {
		case x.dead.Contains(e.Row):
		case e.Expired(l.now):
			rows = append(rows, e)
		default:
			at.next = sooner(at.next, e.Expires)
		}
	})
	if err != nil {
		return err
	}
	l.take(&at, rows)
	l.at = append(l.at, at)
	return nil
}

// take takes those of rows that have expired which are still what their tokens
// stand for. The others have died otherwise, and apply finds them.
func (l *look) take(at *looked, rows []segment.Entry) {
	if len(rows) == 0 {
		return
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	for i := range rows {
		if e := &rows[i]; l.mu.view.isNewest(e, at.mem) {
			// A version that comes meanwhile is numbered this or higher.
			l.found = append(l.found, tombstone.Tombstone{Token: e.Token, Seq: e.Seq + 1})
			at.due = sooner(at.due, e.Expires)
		}
	}
	l.due = sooner(l.due, at.due)
}

// isNewest tells whether a row, of a memtable or (nil) one of a sealed segment that
// is not dead there, is the newest of its token and not deleted.
func (v *view) isNewest(e *segment.Entry, in *memtable) bool {
	if v.newest(e.Token) > e.Seq {
		return false
	}
	for _, o := range v.open {
		newest, ok := o.mem.get(e.Token)
		if ok && newest.Seq > e.Seq || o.mem == in && (!ok || newest.Row != e.Row) {
			return false
		}
	}
	return true
}

// log commits the deaths of what has been found, in one record. It waits for no
// room: writers who wait for room wait for this goroutine, and hold no lead of the
// log meanwhile.
func (l *look) log(ring *keyring) error {
	if len(l.found) == 0 {
		return nil
	}
	slices.SortFunc(l.found, func(a, b tombstone.Tombstone) int { return bytes.Compare(a.Token[:], b.Token[:]) })
	return l.state.log.Append(context.Background(), &wal.Entry{
		Kind: wal.KindExpiry, Signer: ring.signer, Payload: tombstone.AppendExpiry(nil, l.found), Value: l.found,
	})
}

// note sets the bounds of what has been gone through, and lets the deadline run from
// the moment at which the first of what was found has expired, as far as half of it
// is left: applying begins at half of it.
func (l *look) note(logged bool) {
	if len(l.at) == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	touched := make(map[*sealed]bool)
	for _, at := range l.at {
		bound := at.next
		if !logged {
			bound = sooner(bound, at.due)
		}
		if at.seg != nil {
			at.seg.expires[at.block] = bound
			touched[at.seg] = true
			continue
		}
		for _, e := range at.mem.entries[at.rows:] { // what has come meanwhile
			bound = sooner(bound, e.Expires)
		}
		at.mem.expires = bound
	}
	for x := range touched {
		x.renext()
	}
	l.mu.expires = earliest(l.mu.view.open, l.mu.view.sealed)
	if len(l.found) == 0 {
		return
	}
	late := time.Duration(0)
	if half := l.db.opts.PurgeWithin / 2; logged {
		late = time.Duration(min(l.now-int64(l.due), half.Milliseconds())) * time.Millisecond
	}
	if since := time.Now().Add(-late); l.mu.since.IsZero() || since.Before(l.mu.since) {
		l.mu.since = since
	}
}
