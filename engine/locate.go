package engine

import (
	"fmt"

	"oubliette/crypto"
	"oubliette/internal/fault"
	"oubliette/segment"
)

// spot is where an item's row stands; found is false when there is no item.
type spot struct {
	entry segment.Entry
	file  *segment.File
	dek   crypto.Hash
	found bool
}

// locate answers where the items of tokens stand in the current view, which it
// answers with a reference on it. All of them are as one moment has them: the
// memtables are looked at under one lock, a call of many deletes that is
// becoming visible meanwhile is waited for, and what has expired is told by one
// look at the clock. The sealed segments of the view do
// not change, and outside of the memtables a token has at most one row that is
// not dead, so they may be probed in any order.
func (s *state) locate(tokens []crypto.Token) (*view, []spot, error) {
	l := lookup{tokens: tokens, now: s.clock()}
	if s.look(&l); l.overtaken {
		l.v.release()
		s.publishMu.Lock()
		s.look(&l)
		s.publishMu.Unlock()
	}
	for k, i := range l.probe {
		if err := s.probe(l.v, tokens[i], l.after[k], l.now, &l.spots[i]); err != nil {
			l.v.release()
			return nil, nil, err
		}
	}
	return l.v, l.spots, nil
}

// lookup is what one moment's memtables and tombstones say of tokens.
type lookup struct {
	tokens    []crypto.Token
	now       int64 // by which what has expired is none
	v         *view
	spots     []spot
	probe     []int    // tokens without a row in a memtable
	after     []uint64 // for each of probe: rows below this number are deleted
	overtaken bool     // tombstones of a call that is not published yet were seen
}

// look fills l. Tombstones become visible beside mu, one call at a time; one
// numbered above what has been published belongs to a call of which the tokens
// looked at before it may not have shown yet. (That of an expiry may be numbered
// below and not be told by that: what it deletes is hidden by the clock already.)
func (s *state) look(l *lookup) {
	l.spots = make([]spot, len(l.tokens))
	l.probe, l.after = nil, nil
	s.mu.RLock()
	defer s.mu.RUnlock()
	l.v = s.acquireLocked()
	l.overtaken = false
	for i, tok := range l.tokens {
		deleted := l.v.newest(tok)
		l.overtaken = l.overtaken || deleted > s.mu.published.Seq
		if !l.v.place(tok, deleted, l.now, &l.spots[i]) {
			l.probe, l.after = append(l.probe, i), append(l.after, deleted)
		}
	}
}

// place looks for the newest row of a token in the memtables. It answers
// whether they have one: if it is deleted or has expired, there is no item, nor do
// older versions come back.
func (v *view) place(tok crypto.Token, deleted uint64, now int64, sp *spot) bool {
	placed := false
	for _, o := range v.open {
		if e, ok := o.mem.get(tok); ok && (!placed || e.Seq > sp.entry.Seq) {
			placed = true
			*sp = spot{entry: e, file: o.mem.file, dek: o.mem.dek, found: e.Seq >= deleted && !e.Expired(now)}
		}
	}
	return placed
}

// probe looks for a living row of a token in the sealed segments.
func (s *state) probe(v *view, tok crypto.Token, deleted uint64, now int64, sp *spot) error {
	for i := range v.sealed {
		seg := &v.sealed[i]
		if !seg.seg.table.MayContain(tok) {
			continue
		}
		entries, err := seg.seg.table.Find(tok, s.db.blocks)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if e.Seq >= deleted && !seg.dead.Contains(e.Row) {
				*sp = spot{entry: e, file: seg.seg.file, dek: seg.seg.dek, found: !e.Expired(now)}
				return nil
			}
		}
	}
	return nil
}

// read opens the row at a spot, or where the item stands by now if an erasure
// or a rewrite has overtaken the reader. The spot's view has to be held. ok is
// false when the item is not there any more.
func (c *call) read(sp spot, tok crypto.Token, want segment.Fields) (content segment.Content, ok bool, err error) {
	for {
		if content, err = c.readAt(sp, tok, want); err == nil {
			return content, true, nil
		}
		v, now, err := c.again(sp, tok, err)
		if err != nil {
			return content, false, err
		}
		defer v.release() // few: each turn means that the row has moved
		if !now.found {
			return content, false, nil
		}
		sp = now
	}
}

// readAt opens the row at a spot. Its error may mean no more than that the row
// is not the item any more: again tells.
func (c *call) readAt(sp spot, tok crypto.Token, want segment.Fields) (segment.Content, error) {
	content, err := c.open(sp, want)
	if err == nil && c.tokens.Token(content.ID) != tok {
		err = fault.Corrupt(sp.file.Path(), int64(sp.entry.Offset), "row %d holds the item of another token: %w", sp.entry.Row, fault.ErrDamaged)
	}
	return content, err
}

// again looks a token up in the current view, which it answers with a reference
// on it, after the row at sp did not read. When the item still stands there it
// answers why, the error of that read.
func (c *call) again(sp spot, tok crypto.Token, why error) (*view, spot, error) {
	v, spots, err := c.locate([]crypto.Token{tok})
	if err != nil {
		return nil, spot{}, err
	}
	now := spots[0]
	if now.found && now.file == sp.file && now.entry.Row == sp.entry.Row {
		v.release()
		return nil, now, why
	}
	return v, now, nil
}

// open reads a row with the caller's keys.
func (c *call) open(sp spot, want segment.Fields) (segment.Content, error) {
	if err := unlock(sp.file, sp.dek, c.ring); err != nil {
		return segment.Content{}, err
	}
	return sp.file.Read(sp.entry.Pointer, want)
}

// unlock opens a segment's data key with a reader's key, unless somebody has.
func unlock(f *segment.File, dek crypto.Hash, ring *keyring) error {
	if f.Unlocked() {
		return nil
	}
	if ring == nil || ring.reader.IsZero() {
		return fmt.Errorf("segment %s: no reader key at hand: %w", f.Path(), ErrPermission)
	}
	return f.Unlock(ring.reader, dek)
}
