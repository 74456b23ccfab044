package engine_test

import (
	"context"
	"testing"
)

func TestStoreHoldsItemsAcrossReopen(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	ix := s.create("a")
	items := makeItems("i", 500)
	must(t, ix.Upsert(ctx, items))
	wantItems(t, ix, byID(items...), "no such id")

	var gone residue
	gone.note(t, s, ix, []string{"i3", "i499"})
	r := got(ix.Delete(ctx, []string{"i3", "i499", "i3", "unknown"}))(t)
	if r.Count != 3 || r.Index != ix.ID() || r.Seq == 0 || r.Time.IsZero() {
		t.Errorf("receipt %+v, want 3 distinct ids of index %s", r, ix.ID())
	}
	want := byID(items...)
	delete(want, "i3")
	delete(want, "i499")
	wantItems(t, ix, want, "i3", "i499", "unknown")
	cert := got(ix.Purge(ctx))(t)
	if cert.Rows != 2 || cert.Through < r.Seq || cert.Bytes == 0 {
		t.Errorf("certificate %+v, want 2 rows through %d", cert, r.Seq)
	}
	gone.wantGone(t, s.fs)
	wantItems(t, ix, want, "i3", "i499")
	must(t, ix.Compact(ctx))
	wantItems(t, ix, want, "i3", "i499")
	s.reopen()
	ix = s.load("a")
	wantItems(t, ix, want, "i3", "i499")
	gone.wantGone(t, s.fs)
}
