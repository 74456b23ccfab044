package engine

import (
	"context"

	"oubliette/crypto"
	"oubliette/segment"
	"oubliette/tombstone"
)

// Count answers how many items the index holds, exactly, as of one moment. It
// looks every token up that was upserted or deleted since the last apply or
// stands in a segment that is still open: a probe of each segment's filter and,
// where that says maybe, an index block. Where items have expired whose deaths have
// not been logged yet, it reads the index blocks that they stand in. The rest is
// counted already, so on an index at rest it costs nothing that grows with it.
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
	deleted uint64 // below this number
	placed  bool   // a memtable has its newest row: older ones don't count
	lives   bool   // and that row lives
}

// counts tells whether the token's row in a sealed segment counts, for all that the
// memtables and tombstones say.
func (p pendingToken) counts(e *segment.Entry) bool { return !p.placed && e.Seq >= p.deleted }

func (s *state) count(ctx context.Context) (int, error) {
	now := s.clock()
	v, pending, due := s.pending(now)
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
		if err := s.probe(v, tok, 0, anyTime, &sp); err != nil {
			return 0, err
		}
		if sp.found && !p.counts(&sp.entry) {
			n--
		}
	}
	expired, err := expiredIn(ctx, v, due, pending, now)
	return n - expired, err
}

// expiredIn is how many rows of sealed segments have expired that nothing else
// takes off the count.
func expiredIn(ctx context.Context, v *view, due [][]int, pending map[crypto.Token]pendingToken, now int64) (n int, err error) {
	for i, blocks := range due {
		x := &v.sealed[i]
		for _, block := range blocks {
			if err := ctx.Err(); err != nil {
				return 0, err
			}
			err := x.seg.table.Block(block, func(e segment.Entry) {
				if e.Expired(now) && !x.dead.Contains(e.Row) && pending[e.Token].counts(&e) {
					n++
				}
			})
			if err != nil {
				return 0, err
			}
		}
	}
	return n, nil
}

// pending gathers every token that memtables and tombstones speak of, as of one
// moment, and answers that moment's view with a reference on it, and of each of its
// sealed segments the index blocks in which something has expired by now.
func (s *state) pending(now int64) (*view, map[crypto.Token]pendingToken, [][]int) {
	s.publishMu.Lock() // no call is half visible
	s.mu.RLock()
	v := s.acquireLocked()
	open := s.openRowsLocked()
	due := v.dueBlocks(now)
	tombs := make([]tombstone.Snapshot, len(v.tombs))
	for i, set := range v.tombs {
		tombs[i] = set.Snapshot()
	}
	s.mu.RUnlock()
	s.publishMu.Unlock()
	out := make(map[crypto.Token]pendingToken)
	for _, t := range tombs {
		for _, deaths := range [][]tombstone.Tombstone{t.All(), t.Expired()} {
			for _, d := range deaths {
				p := out[d.Token]
				p.deleted = max(p.deleted, d.Seq)
				out[d.Token] = p
			}
		}
	}
	for tok, row := range newestRows(open) {
		p := out[tok]
		p.placed, p.lives = true, row.Seq >= p.deleted && !row.Expired(now)
		out[tok] = p
	}
	return v, out, due
}
