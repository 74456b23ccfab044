package engine

import (
	"context"

	"oubliette/crypto"
	"oubliette/tombstone"
)

// Count answers how many items the index holds, exactly, as of one moment. It
// looks every token up that was upserted or deleted since the last apply or
// stands in a segment that is still open: a probe of each segment's filter and,
// where that says maybe, an index block. The rest is counted already, so on an
// index at rest it costs nothing that grows with it.
func (ix *Index) Count(ctx context.Context, opts ...OpOption) (int, error) {
	c, err := ix.begin(ctx, opts, crypto.PermRead)
	if err != nil {
		return 0, err
	}
	defer c.leave()
	return c.count(ctx)
}

// pendingToken is what the memtables and tombstones say of a token.
type pendingToken struct {
	deleted uint64 // up to this number
	placed  bool   // a memtable has its newest row: older ones don't count
	lives   bool   // and that row lives
}

func (s *state) count(ctx context.Context) (int, error) {
	v, pending := s.pending()
	defer v.release()
	n := 0
	for i := range v.sealed {
		n += v.sealed[i].seg.table.Entries() - int(v.sealed[i].dead.Entries)
	}
	steps := 0
	for tok, p := range pending {
		if steps++; steps%1024 == 0 && ctx.Err() != nil {
			return 0, ctx.Err()
		}
		if p.lives {
			n++
		}
		var sp spot
		if err := s.probe(v, tok, 0, &sp); err != nil {
			return 0, err
		}
		if sp.found && (p.placed || sp.entry.Seq < p.deleted) {
			n--
		}
	}
	return n, nil
}

// pending gathers every token that memtables and tombstones speak of, as of one
// moment, and answers that moment's view with a reference on it.
func (s *state) pending() (*view, map[crypto.Token]pendingToken) {
	s.publishMu.Lock() // no call is half visible
	s.mu.RLock()
	v := s.acquireLocked()
	open := s.openRowsLocked()
	tombs := make([]tombstone.Snapshot, len(v.tombs))
	for i, set := range v.tombs {
		tombs[i] = set.Snapshot()
	}
	s.mu.RUnlock()
	s.publishMu.Unlock()
	out := make(map[crypto.Token]pendingToken)
	for _, t := range tombs {
		for _, t := range t.All() {
			p := out[t.Token]
			p.deleted = max(p.deleted, t.Seq)
			out[t.Token] = p
		}
	}
	for tok, row := range newestRows(open) {
		p := out[tok]
		p.placed, p.lives = true, row.Seq > p.deleted
		out[tok] = p
	}
	return v, out
}
