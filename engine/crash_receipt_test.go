package engine_test

import (
	"context"
	"fmt"

	"oubliette/engine"
)

// knows is nil when a store knows every acknowledged delete, has come with it as far
// as it should, and counts, where it has counted, what was there.
func (v *crashVerifier) knows(db *engine.DB, m *crashModel, least engine.State) error {
	ix := make(map[string]*engine.Index)
	for _, r := range m.receipts {
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
