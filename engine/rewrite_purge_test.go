package engine_test

import (
	"context"
	"slices"
	"testing"

	"oubliette/engine"
	"oubliette/proof"
)

// Purge WithRewrite leaves no segment that held something dead: its sealed data key,
// its index with the tokens, and its file are gone; segments in which nothing has
// died stay as they are.
func TestPurgeWithRewriteMovesWhatWasTouched(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	ix := s.create("a")
	want := byID()
	for _, prefix := range []string{"clean", "touched", "open"} {
		items := makeItems(prefix, 50)
		must(t, ix.Upsert(ctx, items))
		for _, it := range items {
			want[it.ID] = it
		}
		if prefix != "open" {
			must(t, ix.Roll(ctx))
			must(t, ix.SealNow(ctx))
		}
	}
	place := func(id string) string { return got(ix.SealedRows(ctx, []string{id}))(t)[0].Path }
	clean, touched, open := place("clean0"), place("touched0"), place("open0")
	var gone residue
	ids := []string{"touched7", "open7"}
	gone.note(t, s, ix, ids)
	files := readAll(t, s.fs)
	var headers residue
	for _, path := range []string{touched, open} {
		headers.add("header of "+path, files[path][100:1000]) // of the sealed data key
	}
	got(ix.Delete(ctx, ids))(t)
	for _, id := range ids {
		delete(want, id)
	}
	cert := got(ix.Purge(ctx, engine.WithRewrite()))(t)
	if cert.State != proof.Rewritten || cert.Unlinked != 2 {
		t.Errorf("certificate %+v", cert)
	}
	gone.wantGone(t, s.fs)
	headers.wantGone(t, s.fs)
	files = readAll(t, s.fs)
	for _, path := range []string{touched, open} {
		if _, there := files[path]; there {
			t.Errorf("%s is still there", path)
		}
	}
	if place("clean0") != clean || slices.Contains([]string{touched, open}, place("touched0")) {
		t.Errorf("clean0 has moved, or touched0 has not")
	}
	wantItems(t, ix, want, ids...)
	before := place("touched0")
	if cert = got(ix.Purge(ctx, engine.WithRewrite()))(t); place("touched0") != before {
		t.Errorf("a purge with nothing dead rewrites: %+v", cert)
	}
}

// It needs a key that may read as well as write.
func TestPurgeWithRewriteNeedsAReader(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	ix := s.create("a")
	must(t, ix.Upsert(ctx, makeItems("k", 10)))
	writer := engine.NewKey()
	must(t, ix.CreateUserKeys(ctx, userID(1), writer, engine.PermWrite, s.keys["a"]))
	got(ix.Delete(ctx, []string{"k1"}, as(userID(1), writer)...))(t)
	_, err := ix.Purge(ctx, append(as(userID(1), writer), engine.WithRewrite())...)
	wantError(t, err, engine.ErrPermission)
	got(ix.Purge(ctx, as(userID(1), writer)...))(t)
}

// Calls that write to a segment while it has to be rewritten are waited for.
func TestPurgeWithRewriteBesideWriters(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	s := newStore(t)
	ix := s.create("a")
	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := 0; ctx.Err() == nil; n++ {
			if err := ix.Upsert(context.Background(), makeItems("w", 20)); err != nil {
				t.Errorf("upsert: %v", err)
				return
			}
		}
	}()
	for n := range 10 {
		items := makeItems("k", 20)
		must(t, ix.Upsert(context.Background(), items))
		path := got(ix.SealedRows(context.Background(), []string{"k3"}))(t)[0].Path
		var gone residue
		gone.note(t, s, ix, []string{"k3"})
		got(ix.Delete(context.Background(), idsOf(items)))(t)
		got(ix.Purge(context.Background(), engine.WithRewrite()))(t)
		if _, there := readAll(t, s.fs)[path]; there {
			t.Errorf("round %d: %s is still there", n, path)
		}
		gone.wantGone(t, s.fs)
	}
	stop()
	<-done
}
