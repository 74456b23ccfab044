package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"oubliette/crypto"
	"oubliette/wal"
)

// Upsert puts items into the index, each in place of the item of its id if
// there is one: all of a call or none. When it returns nil they are durable and
// every read shows them. Of several items with one id in a call the last wins.
// All vectors of an index have one dimension (ErrDimension).
//
// ErrFailed means that the outcome is unknown until the store has been opened
// again; after any other error nothing has changed.
func (ix *Index) Upsert(ctx context.Context, items []Item, opts ...OpOption) error {
	c, err := ix.beginWrite(ctx, opts, crypto.PermWrite)
	if err != nil {
		return err
	}
	defer c.leave()
	dim, err := validateItems(items)
	if err != nil || len(items) == 0 {
		return err
	}
	if err := errors.Join(c.log.Err(), c.room(ctx)); err != nil {
		return err // a log that has failed takes nothing: nothing is written for it
	}
	tokens, last, err := c.lastOfEach(items)
	if err != nil {
		return err
	}
	u := &upsert{call: c, items: items, tokens: tokens, order: last, dim: dim}
	return u.run(ctx)
}

// validateItems looks at every item before anything is done, and answers the
// dimension of their vectors (0: there are none).
func validateItems(items []Item) (dim uint32, err error) {
	if len(items) > MaxIDs {
		return 0, fmt.Errorf("%d items in a call, at most %d: %w", len(items), MaxIDs, ErrTooLarge)
	}
	record, size := 0, 0
	for i := range items {
		it := &items[i]
		if err := it.validate(i); err != nil {
			return 0, err
		}
		record += placedSize(it)
		size += it.size()
		n := uint32(len(it.Vector))
		if n != 0 && dim != 0 && n != dim {
			return 0, fmt.Errorf("item %d: vector of %d dimensions in a call of %d: %w", i, n, dim, ErrDimension)
		}
		dim = max(dim, n)
	}
	// Each chunk may begin a segment, and then a part of the record.
	if record += placementHead + (size/chunkSize+1)*partHead; record > MaxUpsertRecord {
		return 0, fmt.Errorf("%d items take %d bytes of log in one call, at most %d: %w", len(items), record, MaxUpsertRecord, ErrTooLarge)
	}
	return dim, nil
}

// placedSize is what an item takes in its call's record.
func placedSize(it *Item) int {
	n := minPlaced
	if it.Vector != nil {
		n += 20
	}
	if it.Contents != nil {
		n += 20
	}
	if !it.ExpiresAt.IsZero() {
		n += 8
	}
	return n
}

// lastOfEach answers the items' tokens and the positions of those that count,
// in order: the last of each id. Two ids with one token take 2^64 work to find,
// and would be one item.
func (s *state) lastOfEach(items []Item) (tokens []crypto.Token, order []int, err error) {
	ids := make([]string, len(items))
	for i := range items {
		ids[i] = items[i].ID
	}
	tokens = s.tokens.Tokens(ids)
	last := make(map[crypto.Token]int, len(items))
	for i, t := range tokens {
		if was, ok := last[t]; ok && items[was].ID != items[i].ID {
			return nil, nil, fmt.Errorf("items %d and %d: two ids with one token: %w", was, i, ErrInvalid)
		}
		last[t] = i
	}
	order = make([]int, 0, len(last))
	for i, t := range tokens {
		if last[t] == i {
			order = append(order, i)
		}
	}
	return tokens, order, nil
}

// upsert is one call on its way: rows are prepared and appended chunk by chunk,
// synced, and then logged by one record.
//
// Order: rows written to segments and those synced; the record with their
// places committed and synced; published. A crash before the record leaves
// rows that no record covers: they are marked dead when their segment is closed
// at the next load, and erased. A crash after it leaves the items.
type upsert struct {
	call
	items  []Item
	tokens []crypto.Token
	order  []int // positions of the items that count
	dim    uint32

	placed placement
}

func (u *upsert) run(ctx context.Context) error {
	u.mu.Lock()
	err := u.mu.dim.claim(u.dim)
	u.mu.Unlock()
	if err != nil {
		return err
	}
	if err = u.write(ctx); err == nil {
		err = u.commit(ctx)
	}
	u.settle(err == nil)
	return err
}

// commit logs the call.
func (u *upsert) commit(ctx context.Context) error {
	return u.log.Append(ctx, &wal.Entry{
		Kind: wal.KindUpsert, Signer: u.ring.signer, Payload: u.placed.encode(), Value: &u.placed,
	})
}

// settle ends the call's reservations. Rows of a call that failed are dead.
func (u *upsert) settle(committed bool) {
	u.mu.Lock()
	u.mu.dim.settle(u.dim, committed)
	for i := range u.placed.parts {
		p := &u.placed.parts[i]
		for k := range p.entries {
			if !committed { // no record will ever speak of these rows
				p.mem.space = append(p.mem.space, p.entries[k].Extent())
			}
		}
	}
	first := !committed && u.mu.since.IsZero()
	if first {
		u.mu.since = time.Now() // what was written has to be erased
	}
	u.mu.Unlock()
	if first {
		u.work.wake()
	}
	for i := range u.placed.parts {
		u.unreserve(u.placed.parts[i].mem)
	}
}
