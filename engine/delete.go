package engine

import (
	"context"
	"slices"

	"oubliette/crypto"
	"oubliette/tombstone"
	"oubliette/wal"
)

// Delete removes the items of ids: all of a call or none. When it returns nil
// the delete is durable and no read shows the items any more; their bytes are
// overwritten within Options.PurgeWithin. Duplicates count once; ids that the
// index does not hold are fine and counted too: nothing is looked up, and the
// cost does not grow with the index. No ids: no change, and the zero Receipt.
// An empty id is ErrInvalid and nothing is deleted. An item upserted later
// under a deleted id is a new item.
//
// ErrFailed means that the outcome is unknown until the store has been opened
// again. ctx counts until the call joins a group of the log, not after.
func (ix *Index) Delete(ctx context.Context, ids []string, opts ...OpOption) (Receipt, error) {
	c, err := ix.beginWrite(ctx, opts, crypto.PermWrite)
	if err != nil {
		return Receipt{}, err
	}
	defer c.leave()
	if err := validateIDs(ids); err != nil || len(ids) == 0 {
		return Receipt{}, err
	}
	if err := c.room(ctx); err != nil {
		return Receipt{}, err
	}
	sorted := tombstone.Sort(c.tokens.Tokens(ids))
	payload := tombstone.AppendRecord(slices.Grow([]byte(nil), tombstone.RecordSize(len(sorted))), sorted)
	e := &wal.Entry{Kind: wal.KindTombstone, Signer: c.ring.signer, Payload: payload, Value: sorted}
	r := c.receipt(sorted)
	if err := c.log.Append(ctx, e); err != nil {
		return Receipt{}, err
	}
	r.Seq, r.Group, r.Head = e.Seq, e.At.Group, e.At.Head
	r.Mark = c.ring.signer.Mark(r.Marked())
	if tell := c.db.opts.EventListener.Deleted; tell != nil {
		tell(DeleteInfo{Index: r.Index.String(), Seq: r.Seq, IDs: r.Count})
	}
	return r, nil
}
