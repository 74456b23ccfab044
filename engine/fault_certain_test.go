package engine_test

import (
	"context"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/engine"
	"oubliette/internal/latchfs/failfs"
)

// A change of users or indexes that has reached the disk and was told as failed may be
// there when the store is opened again. Until then nobody is told that a user is
// revoked, or that an index is deleted or not there.
func TestWhatMayBeThereIsNotCalledGone(t *testing.T) {
	ctx := context.Background()
	in := &faultInjector{faultPlan: faultPlan{what: "log's sync", part: faultLog, how: failfs.Late, sticky: true}, off: 1}
	mem := vfs.NewCrashableMem()
	s := openStore(t, failfs.New(mem, in.verdict), nil)
	s.noCheck, s.closed = true, true // Close answers ErrFailed
	ix := s.create("a")
	root := s.keys["a"]
	want := makeItems("k", 5)
	must(t, ix.Upsert(ctx, want))
	must(t, ix.Roll(ctx))
	must(t, ix.SealNow(ctx)) // the next commit is of the user
	guest, key := userID(1), engine.NewKey()
	in.pause(-1)
	wantError(t, ix.CreateUserKeys(ctx, guest, key, engine.PermRead, root), engine.ErrFailed)
	in.pause(1)
	wantError(t, ix.DeleteUserKeys(ctx, guest, root), engine.ErrFailed)
	wantError(t, ix.RotateKey(ctx, root, engine.NewKey()), engine.ErrFailed)
	wantError(t, s.DeleteIndex(ctx, "a", root), engine.ErrFailed)
	wantError(t, s.DeleteIndex(ctx, "b", root), engine.ErrFailed)
	_, err := s.CreateIndex(ctx, "b", root, engine.IndexConfig{})
	wantError(t, err, engine.ErrFailed)
	wantItems(t, ix, byID(want...)) // reads go on
	wantError(t, s.DB.Close(), engine.ErrFailed)

	r := openStore(t, crashKilled(mem), s.keys)
	got(r.LoadIndex(ctx, "a", as(guest, key)...))(t)
	must(t, r.load("a").DeleteUserKeys(ctx, guest, root))
	_, err = r.LoadIndex(ctx, "a", as(guest, key)...)
	wantError(t, err, engine.ErrWrongKey)
}

// A change of who may what is in the database before the ledger is told of it. Where
// the ledger fails then, the call answers ErrFailed and reads go on as they were, like
// after any failure of the log: with the keys from before, and of segments whose old
// header slots are still there. Opened again, the store is in the new epoch, and says
// so to the ledger.
func TestReadsGoOnWhenTheLedgerFailsBehindAChangeOfEpoch(t *testing.T) {
	ctx := context.Background()
	for _, c := range []epochChange{epochRotate(), epochDelete(epochReader), epochCreate(epochReader, engine.PermWrite), epochCreate(epochNew, readWrite)} {
		t.Run(c.what, func(t *testing.T) {
			in := &faultInjector{faultPlan: faultPlan{what: "ledger", part: crashLedger, how: failfs.Refuse}, off: 1}
			w := newFaultWorld(t, in)
			w.start()
			w.create("a")
			w.upsert("a", crashIDs("L", 0, 40)...)
			w.change("a", epochCreate(epochReader, engine.PermRead))
			w.upsert("a", crashIDs("s", 0, 20)...)
			w.delete("a", "s01", "L01")
			reader := w.now.who["a"].users[userID(epochReader)]
			all := append(crashIDs("L", 0, 40), crashIDs("s", 0, 20)...)
			got(w.ix["a"].Get(ctx, all, engine.AllFields, reader.opts()...))(t)
			in.pause(-1)
			w.change("a", c)
			in.pause(1)
			if !w.failed {
				t.Fatalf("the ledger has failed, and %s does not say so", c.what)
			}
			w.get("a")
			have := got(w.ix["a"].Get(ctx, all, engine.AllFields, reader.opts()...))(t)
			if len(have) != 58 {
				t.Errorf("a reader sees %d items of 58", len(have))
			}
			w.upsert("a", "s30")
			w.delete("a", "s02")
			images := w.images()
			wantError(t, w.close(), engine.ErrFailed)
			w.now = w.maybe // which it is: the batch was synced
			for _, im := range images {
				im.now, im.next = w.now, nil
			}
			w.verify(images)
		})
	}
}
