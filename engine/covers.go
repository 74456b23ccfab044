package engine

import (
	"context"
	"fmt"
)

// Covers answers nil when the receipt is of exactly these ids, in whatever order and
// however often each stands there, and [proof.ErrOtherIDs] when it is not. Anybody
// whose key opens the index may ask: every principal has the index's id key, which
// makes the tokens. It says nothing of who signed the receipt, which
// [proof.VerifyReceipt] does, nor of what has become of the delete. A receipt of
// another index is ErrInvalid.
func (ix *Index) Covers(ctx context.Context, r Receipt, ids []string, opts ...OpOption) error {
	c, err := ix.begin(ctx, opts, 0)
	if err != nil {
		return err
	}
	defer c.leave()
	if r.Index != c.cat.id {
		return fmt.Errorf("receipt of index %s, this one is %s: %w", r.Index, c.cat.id, ErrInvalid)
	}
	if err := validateIDs(ids); err != nil {
		return err
	}
	return r.Covers(c.state.tokens, ids)
}
