package engine_test

import (
	"context"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/engine"
	"oubliette/internal/fskind"
	"oubliette/proof"
)

// The whole story of a delete as somebody who only has root's public key can
// follow it: receipt, status, certificate, the search of every byte.
func TestADeleteIsProvedToWhoHasRootsKeyAlone(t *testing.T) {
	ctx := context.Background()
	c := newClock()
	s := newStore(t, c.use)
	ix := s.create("people")
	writer := engine.NewKey()
	must(t, ix.CreateUserKeys(ctx, userID(7), writer, engine.PermWrite, s.keys["people"]))
	root := got(ix.RootKey(ctx))(t)
	if again := got(ix.RootKey(ctx, as(userID(7), writer)...))(t); again != root {
		t.Errorf("the writer sees root %v, root is %v", again, root)
	}
	must(t, ix.Upsert(ctx, makeItems("k", 100)))
	for name, opts := range map[string][]engine.OpOption{"root": nil, "a writer": as(userID(7), writer)} {
		ids := []string{"k1-" + name, "k2-" + name, "unknown"}
		must(t, ix.Upsert(ctx, []engine.Item{makeItem(ids[0], 1), makeItem(ids[1], 1)}))
		var gone residue
		gone.note(t, s, ix, ids[:2])
		at := c.add(time.Minute)
		r := got(ix.Delete(ctx, ids, opts...))(t)
		doc := got(ix.SignReceipt(ctx, r, opts...))(t)
		read := got(proof.VerifyReceipt(doc, root))(t)
		if read.Index != ix.ID() || read.Name != "people" || read.Seq != r.Seq || read.Head != r.Head || read.Count != 3 || !read.Time.Equal(at) || read.User != r.User {
			t.Errorf("%s: %+v, the receipt is %+v", name, read, r)
		}
		_, err := ix.Certify(ctx, read, opts...)
		wantError(t, err, engine.ErrNotErased, "its turn")
		at = c.add(time.Minute)
		got(ix.Purge(ctx, opts...))(t)
		gone.wantGone(t, s.fs)
		cert := got(ix.Certify(ctx, read, opts...))(t)
		shown := got(proof.VerifyCertificate(cert.Document, root))(t)
		if !shown.Names(&read) || shown.State != proof.Erased || shown.Rows != 2 || shown.Bytes == 0 || shown.Segments != 1 || !shown.Overwritten.Equal(at) {
			t.Errorf("%s: certificate %+v", name, shown)
		}
		c.add(time.Hour)
		all := got(ix.Purge(ctx, engine.WithRewrite()))(t)
		shown = got(proof.VerifyCertificate(all.Document, root))(t)
		if shown.State != proof.Rewritten || shown.Through < r.Seq || !shown.RewrittenAt.Equal(c.now()) || shown.Unlinked == 0 {
			t.Errorf("%s: certificate of all %+v", name, shown)
		}
		cert = got(ix.Certify(ctx, read, opts...))(t)
		if shown = got(proof.VerifyCertificate(cert.Document, root))(t); shown.State != proof.Rewritten || shown.Rows != 2 {
			t.Errorf("%s: certificate after the rewrite %+v", name, shown)
		}
	}
}

// Who may not write signs nothing, nobody signs another's receipt, and none that is
// not of this store; documents of another epoch and of a user who is gone stay what
// they are.
func TestWhoSignsWhat(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	ix := s.create("a")
	root := s.keys["a"]
	reader, writer := engine.NewKey(), engine.NewKey()
	must(t, ix.CreateUserKeys(ctx, userID(1), reader, engine.PermRead, root))
	must(t, ix.CreateUserKeys(ctx, userID(2), writer, engine.PermWrite, root))
	must(t, ix.Upsert(ctx, makeItems("k", 10)))
	pub := got(ix.RootKey(ctx))(t)
	before := s.fs.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{})
	r := got(ix.Delete(ctx, []string{"k1"}, as(userID(2), writer)...))(t)
	_, err := ix.SignReceipt(ctx, r, as(userID(1), reader)...)
	wantError(t, err, engine.ErrPermission)
	_, err = ix.SignReceipt(ctx, r) // root's is not the user's
	wantError(t, err, engine.ErrPermission)
	forged := r
	forged.Head[0]++
	_, err = ix.SignReceipt(ctx, forged, as(userID(2), writer)...)
	wantError(t, err, engine.ErrCorrupt)
	_, err = ix.SignReceipt(ctx, engine.Receipt{}, as(userID(2), writer)...)
	wantError(t, err, engine.ErrInvalid)
	doc := got(ix.SignReceipt(ctx, r, as(userID(2), writer)...))(t)

	newKey := engine.NewKey()
	must(t, ix.RotateKey(ctx, root, newKey))
	s.keys["a"] = newKey
	_, err = ix.SignReceipt(ctx, r, as(userID(2), writer)...) // it has another signing key now
	wantError(t, err, engine.ErrPermission)
	now := got(ix.RootKey(ctx, engine.WithIndexKey(newKey)))(t)
	must(t, ix.DeleteUserKeys(ctx, userID(2), newKey))
	got(proof.VerifyReceipt(doc, pub))(t)
	if _, err := proof.VerifyReceipt(doc, now); err == nil {
		t.Error("a document of the old root verifies under the new one")
	}
	own := got(ix.Delete(ctx, []string{"k3"}, engine.WithIndexKey(newKey)))(t)
	must(t, ix.CreateUserKeys(ctx, userID(4), engine.NewKey(), engine.PermRead, newKey))
	late := got(ix.SignReceipt(ctx, own, engine.WithIndexKey(newKey)))(t) // root's, in a later epoch
	if read := got(proof.VerifyReceipt(late, now))(t); read.Seq != own.Seq || read.Epoch != own.Epoch+1 {
		t.Errorf("signed later: %+v", read)
	}
	_, err = ix.SignReceipt(ctx, r, as(userID(2), writer)...)
	wantError(t, err, engine.ErrWrongKey)

	back := openStore(t, before, map[string]engine.Key{"a": root})
	_, err = back.load("a").SignReceipt(ctx, r, as(userID(2), writer)...)
	wantError(t, err, engine.ErrCorrupt, "is not there")
	s.noCheck, back.noCheck = true, true
}

// Where an overwrite leaves what it overwrites nothing is certified, and the answer
// says why; it is overwritten all the same.
func TestNothingIsCertifiedWhereOverwritingKeeps(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	ix := s.create("a")
	must(t, ix.Upsert(ctx, makeItems("k", 10)))
	s.SetDisk(fskind.Kind{Name: "btrfs", Keeps: "it writes elsewhere"})
	var gone residue
	gone.note(t, s, ix, []string{"k1"})
	r := got(ix.Delete(ctx, []string{"k1"}))(t)
	all := got(ix.Purge(ctx))(t)
	gone.wantGone(t, s.fs)
	one := got(ix.Certify(ctx, r))(t)
	for _, c := range []engine.Certificate{all, one} {
		if c.Document != nil || c.Uncertified != "file system btrfs: it writes elsewhere" || c.Rows != 1 {
			t.Errorf("%+v", c)
		}
	}
}

// A certificate says nothing of what was not done for it.
func TestACertificateOfNothingNamesNoTimes(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	ix := s.create("a")
	must(t, ix.Upsert(ctx, makeItems("k", 10)))
	got(ix.Delete(ctx, []string{"k1"}))(t)
	s.reopen()
	ix = s.load("a")
	c := got(ix.Purge(ctx))(t)
	if c.Document == nil || !c.Applied.IsZero() || !c.Overwritten.IsZero() || c.Rows != 0 || c.Bytes != 0 || c.Through == 0 {
		t.Errorf("after a restart: %+v", c.Certificate)
	}
	must(t, ix.Upsert(ctx, []engine.Item{makeItem("k2", 2)})) // k2's old version has to go
	c = got(ix.Purge(ctx))(t)
	if c.Document == nil || c.Overwritten.IsZero() || c.Bytes == 0 {
		t.Errorf("after an upsert: %+v", c.Certificate)
	}
}
