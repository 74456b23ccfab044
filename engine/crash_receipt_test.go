package engine_test

import (
	"context"
	"fmt"

	"oubliette/engine"
)

// crashNewest is how many receipts are looked up before a purge: what a crash may lose
// is the end.
const crashNewest = 4

// knows is nil when a store knows the acknowledged deletes, has come with them as far
// as it should, and counts, where it has counted, what was there. When all should be
// erased, all are looked up, else the newest.
func (v *crashVerifier) knows(db *engine.DB, m *crashModel, least engine.State) error {
	ix := make(map[string]*engine.Index)
	receipts := m.receipts
	if least < engine.Erased {
		receipts = receipts[max(0, len(receipts)-crashNewest):]
	}
	for _, r := range receipts {
		if ix[r.index] == nil {
			var err error
			if ix[r.index], err = v.load(db, r.index); err != nil {
				return err
			}
		}
		if err := r.holds(ix[r.index], least); err != nil {
			return fmt.Errorf("acknowledged delete %d of %d ids in %s: %w", r.receipt.Seq, r.receipt.Count, r.index, err)
		}
	}
	return nil
}

func (r *crashReceipt) holds(ix *engine.Index, least engine.State) error {
	st, err := ix.Status(context.Background(), r.receipt)
	switch {
	case err != nil:
		return err
	case st.State < least:
		return fmt.Errorf("is %v, should be %v", st.State, least)
	case least == engine.Erased && !st.Counted:
		return fmt.Errorf("is %v and not counted", st.State)
	case st.Counted && (st.Rows < r.least || st.Rows > r.most):
		return fmt.Errorf("found %d items, there were %d to %d", st.Rows, r.least, r.most)
	}
	return nil
}
