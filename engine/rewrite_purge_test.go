package engine_test

import (
	"bytes"
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

// A certificate "rewritten" speaks of every delete up to Through: one that came
// while the segments were rewritten, in a segment that was not touched when Purge
// began, must not be among them.
func TestPurgeWithRewriteClaimsOnlyWhatItHasRewritten(t *testing.T) {
	ctx := context.Background()
	var late engine.Receipt
	var ix *engine.Index
	var s *store
	var header []byte
	var path string
	hook := func(engine.RewriteInfo) {
		if late.Seq != 0 {
			return
		}
		late = got(ix.Delete(ctx, []string{"b0"}))(t)
	}
	s = newStore(t, func(o *engine.Options) { o.EventListener = &engine.EventListener{Rewritten: hook} })
	ix = s.create("x")
	must(t, ix.Upsert(ctx, makeItems("a", 20)))
	must(t, ix.Roll(ctx))
	must(t, ix.SealNow(ctx))
	must(t, ix.Upsert(ctx, makeItems("b", 20)))
	must(t, ix.Roll(ctx))
	must(t, ix.SealNow(ctx))
	path = got(ix.SealedRows(ctx, []string{"b0"}))(t)[0].Path
	header = readAll(t, s.fs)[path][100:1000]
	got(ix.Delete(ctx, []string{"a0"}))(t)
	cert := got(ix.Purge(ctx, engine.WithRewrite()))(t)
	st := got(ix.Status(ctx, late))(t)
	if cert.State == proof.Rewritten && cert.Through >= late.Seq && !st.Rewritten {
		t.Errorf("signed: every delete up to %d is rewritten; delete %d is in %s, which is still there with its data key (header unchanged: %v)", cert.Through, late.Seq, path, string(readAll(t, s.fs)[path][100:1000]) == string(header))
	}
}

// An item that a rewrite under way had copied when it was deleted: the copy's file has
// held its bytes, so it has to go as well before anybody says "rewritten".
func TestPurgeWithRewriteOverARewriteUnderWay(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	ix := s.create("a")
	big := makeItems("k", 200)
	for i := range big {
		big[i] = sizedItem(big[i].ID, 1, 40<<10)
	}
	must(t, ix.Upsert(ctx, big))
	must(t, ix.Roll(ctx))
	must(t, ix.SealNow(ctx))
	must(t, ix.StepSize(ctx, 1))
	got(ix.Delete(ctx, idsOf(makeItems("k", 20))))(t)
	got(ix.Purge(ctx))(t)
	moving, copied, err := ix.BeginMoving(ctx)
	must(t, err)
	if moving == "" || len(copied) == 0 {
		t.Fatal("no rewrite is under way")
	}
	var r engine.Receipt
	var id string
	for n := 20; n < 200; n++ {
		id = makeItems("k", 200)[n].ID
		if copied[ix.TokenOf(id)] {
			r = got(ix.Delete(ctx, []string{id}))(t)
			break
		}
	}
	cert := got(ix.Purge(ctx, engine.WithRewrite()))(t)
	st := got(ix.Status(ctx, r))(t)
	for path := range readAll(t, s.fs) {
		if bytes.Contains([]byte(path), []byte(moving)) {
			t.Errorf("certificate %q, Status.Rewritten %v of %s: the file %s, which has held a copy of it, is there with its data key", cert.State, st.Rewritten, id, path)
		}
	}
}
