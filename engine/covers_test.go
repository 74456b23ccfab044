package engine_test

import (
	"context"
	"testing"

	"oubliette/engine"
	"oubliette/proof"
)

// A receipt covers the ids of its delete and no others, whoever asks, in every
// epoch and under every key of root's.
func TestAReceiptCoversItsIDsAlone(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	ix := s.create("a")
	reader := engine.NewKey()
	must(t, ix.CreateUserKeys(ctx, userID(1), reader, engine.PermRead, s.keys["a"]))
	r := got(ix.Delete(ctx, []string{"x", "y", "x", "nobody"}))(t)
	other := got(ix.Delete(ctx, []string{"x", "y", "nobody"}))(t)
	check := func(ix *engine.Index, opts ...engine.OpOption) {
		t.Helper()
		for _, r := range []engine.Receipt{r, other} {
			must(t, ix.Covers(ctx, r, []string{"nobody", "y", "x", "y"}, opts...))
			for _, ids := range [][]string{nil, {"x", "y"}, {"x", "y", "nobody", "z"}, {"x", "y", "Nobody"}} {
				wantError(t, ix.Covers(ctx, r, ids, opts...), proof.ErrOtherIDs)
			}
		}
	}
	check(ix)
	check(got(s.LoadIndex(ctx, "a"))(t), as(userID(1), reader)...)
	wantError(t, ix.Covers(ctx, r, []string{""}), engine.ErrInvalid)
	wantError(t, s.create("b").Covers(ctx, r, []string{"x", "y", "nobody"}), engine.ErrInvalid, r.Index.String())
	wantError(t, got(s.LoadIndex(ctx, "a"))(t).Covers(ctx, r, []string{"x"}), engine.ErrKeyRequired)
	newKey := engine.NewKey()
	must(t, ix.RotateKey(ctx, s.keys["a"], newKey))
	s.keys["a"] = newKey
	s.reopen()
	check(s.load("a"))
}
