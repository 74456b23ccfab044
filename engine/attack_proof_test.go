package engine_test

import (
	"context"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/compaction"
	"oubliette/crypto"
	"oubliette/engine"
	"oubliette/internal/meta"
	"oubliette/proof"
	"oubliette/tombstone"
)

var longAgo = time.Date(2021, 1, 2, 3, 4, 5, 0, time.UTC)

// Somebody without a key puts an epoch record of its own where there is a gap, and
// notes of what a delete has found under its signature: nobody is answered by them.
func TestNotesUnderAForgedEpochSayNothing(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	ix := s.create("a")
	must(t, ix.CreateUserKeys(ctx, userID(1), engine.NewKey(), engine.PermRead, s.keys["a"]))
	must(t, ix.CreateUserKeys(ctx, userID(2), engine.NewKey(), engine.PermRead, s.keys["a"]))
	must(t, ix.Upsert(ctx, makeItems("k", 20)))
	must(t, ix.Roll(ctx))
	must(t, ix.SealNow(ctx))
	r := got(ix.Delete(ctx, []string{"k1"}))(t)
	got(ix.Purge(ctx))(t)
	s.close()
	mem, id := s.fs.(*vfs.MemFS), ix.ID()
	evil := crypto.NewSigner(crypto.UserID{}, crypto.NewSecret())
	junk := make([]byte, crypto.ReaderPublicSize)
	record := &crypto.EpochRecord{
		Index: id, Epoch: 1, Name: "a", Reader: junk,
		Users: []crypto.EpochUser{{Perm: 3, KEM: junk, Read: crypto.Sum([]byte("x"))}},
	}
	found := compaction.Outcome{
		Index: id, Epoch: 1, Kind: compaction.OutcomeFound, Time: longAgo, Through: r.Seq, Whole: true,
		Calls: []compaction.Call{{Seq: r.Seq, Asked: 1, Bytes: 424242}},
	}
	erased := compaction.Outcome{Index: id, Epoch: 1, Kind: compaction.OutcomeErased, Time: longAgo, Through: r.Seq}
	putRecords(t, mem, map[string][]byte{
		string(meta.EpochKey(id, 1)):             got(record.Sign(evil, nil))(t),
		string(meta.OutcomeKey(id, 1, r.Seq, 0)): found.Sign(evil),
		string(meta.OutcomeKey(id, 2, r.Seq, 0)): erased.Sign(evil),
	})
	s.open()
	ix = s.load("a")
	if st := got(ix.Status(ctx, r))(t); st.Rows != 1 || st.Rewritten || st.Bytes == 424242 || st.ErasedAt.Equal(longAgo) {
		t.Errorf("status %+v", st)
	}
	got(ix.Certify(ctx, r))(t)
}

// Who could write once notes something of a delete that came after it was taken out,
// and puts a true note under the key of another delete: both are told.
func TestNotesOfWhatCameLaterAndUnderOtherKeysAreTold(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	s.noCheck = true
	ix := s.create("a")
	writer := engine.NewKey()
	must(t, ix.CreateUserKeys(ctx, userID(3), writer, engine.PermWrite, s.keys["a"]))
	must(t, ix.Upsert(ctx, makeItems("k", 20), as(userID(3), writer)...))
	old := got(ix.Delete(ctx, []string{"k0"}, as(userID(3), writer)...))(t)
	got(ix.Purge(ctx, as(userID(3), writer)...))(t)
	mem, id := s.fs.(*vfs.MemFS), ix.ID()
	th := steal(t, s.snapshot(), id, userID(3), writer)
	must(t, ix.DeleteUserKeys(ctx, userID(3), s.keys["a"]))
	r := got(ix.Delete(ctx, []string{"k1"}))(t)
	got(ix.Purge(ctx))(t)
	if st := got(ix.Status(ctx, old))(t); !st.Counted || st.Rows != 1 {
		t.Errorf("what the user had noted before: %+v", st)
	}
	s.close()
	clean := s.snapshot()
	late := compaction.Outcome{
		Index: id, Epoch: th.record.Epoch, Kind: compaction.OutcomeFound, Time: longAgo, Through: r.Seq, Whole: true,
		Calls: []compaction.Call{{Seq: r.Seq, Asked: 1}},
	}
	all := records(t, mem)
	var true1, key2 string
	for key := range all {
		if k := []byte(key); len(k) == 34 && k[0] == 'o' && k[17] == 2 {
			true1, key2 = min(orFirst(true1, key), key), max(key2, key)
		}
	}
	for name, change := range map[string]map[string][]byte{
		"late":        {string(meta.OutcomeKey(id, 1, r.Seq, 0)): late.Sign(th.signer)},
		"another key": {key2: all[true1]},
	} {
		t.Run(name, func(t *testing.T) {
			disk := clean.CrashClone(vfs.CrashCloneCfg{})
			putRecords(t, disk, change)
			b := openStore(t, disk, s.keys)
			b.noCheck = true
			bix := b.load("a")
			_, err := bix.Status(ctx, r)
			wantError(t, err, engine.ErrCorrupt, "outcome")
			_, err = bix.Certify(ctx, r)
			wantError(t, err, engine.ErrCorrupt, "outcome")
			_, err = bix.Check(ctx)
			wantError(t, err, engine.ErrCorrupt, "outcome")
			wantItems(t, bix, byID(makeItems("k", 20)[2:]...), "k0", "k1")
		})
	}
}

func orFirst(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

// A reader changes a receipt that somebody keeps, so that it would be one of an item
// that lives: nobody signs it, and a certificate says nothing of what it says.
func TestAReceiptThatNoDeleteGaveIsNotSigned(t *testing.T) {
	ctx := context.Background()
	for _, truncated := range []bool{false, true} {
		s := newStore(t)
		ix := s.create("a")
		reader := engine.NewKey()
		must(t, ix.CreateUserKeys(ctx, userID(1), reader, engine.PermRead, s.keys["a"]))
		must(t, ix.Upsert(ctx, makeItems("k", 20)))
		r := got(ix.Delete(ctx, []string{"k2"}))(t)
		got(ix.Purge(ctx))(t)
		if truncated {
			s.reopen()
			ix = s.load("a")
		}
		th := steal(t, s.snapshot(), ix.ID(), userID(1), reader) // it has the id key
		for name, change := range map[string]func(*engine.Receipt){
			"digest":  func(r *engine.Receipt) { r.Digest = tombstone.Digest(r.Salt, []crypto.Token{th.token("k1")}) },
			"salt":    func(r *engine.Receipt) { r.Salt[0]++ },
			"time":    func(r *engine.Receipt) { r.Time = longAgo },
			"group":   func(r *engine.Receipt) { r.Group += 1000 },
			"before":  func(r *engine.Receipt) { r.Group-- },
			"head":    func(r *engine.Receipt) { r.Head[0]++ },
			"number":  func(r *engine.Receipt) { r.Seq-- }, // an upsert's
			"user":    func(r *engine.Receipt) { r.User = userID(1) },
			"count":   func(r *engine.Receipt) { r.Count++ },
			"no mark": func(r *engine.Receipt) { r.Mark = [16]byte{} },
		} {
			forged := r
			change(&forged)
			if doc, err := ix.SignReceipt(ctx, forged); err == nil {
				t.Errorf("truncated %v, another %s: signed: %s", truncated, name, doc)
			}
		}
		doc := got(ix.SignReceipt(ctx, r))(t)
		read := got(proof.VerifyReceipt(doc, got(ix.RootKey(ctx))(t)))(t)
		must(t, read.Covers(crypto.NewTokenizer(th.grant().ID), []string{"k2"}))
		backdated := r
		backdated.Time = longAgo
		if c := got(ix.Certify(ctx, backdated))(t); c.Since.Equal(longAgo) {
			t.Error("a certificate takes its time from the receipt")
		}
	}
}
