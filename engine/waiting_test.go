package engine_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/engine"
)

// A delete from before a crash waits while only readers come, says so, and is
// erased as soon as somebody who may write does.
func TestAnErasureSaysThatItWaitsForAWriter(t *testing.T) {
	ctx := context.Background()
	first := newStore(t)
	ix := first.create("a")
	root := first.keys["a"]
	reader, writer := engine.NewKey(), engine.NewKey()
	must(t, ix.CreateUserKeys(ctx, userID(1), reader, engine.PermRead, root))
	must(t, ix.CreateUserKeys(ctx, userID(2), writer, engine.PermWrite, root))
	must(t, ix.Upsert(ctx, makeItems("k", 10)))
	var gone residue
	gone.note(t, first, ix, []string{"k1"})
	got(ix.Delete(ctx, []string{"k1"}))(t)

	var waiting atomic.Int32
	mem := first.fs.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{})
	s := openStore(t, mem, first.keys, within(20*time.Millisecond), func(o *engine.Options) {
		o.EventListener = &engine.EventListener{Waiting: func(string) { waiting.Add(1) }}
	})
	want := byID(makeItems("k", 10)...)
	delete(want, "k1")
	r := got(s.LoadIndex(ctx, "a", as(userID(1), reader)...))(t)
	wantItems(t, r, want, "k1")
	eventually(t, 5*time.Second, "the listener is told", func() bool { return waiting.Load() == 1 })
	if m := s.Metrics().Indexes["a"]; !m.Waiting {
		t.Errorf("metrics: %+v", m)
	}
	err := s.DB.Close()
	var p *engine.PendingError
	if !errors.As(err, &p) || p.Err != nil {
		t.Errorf("Close answers %v", err)
	}
	s.open()
	keyless := got(s.LoadIndex(ctx, "a"))(t)
	got(keyless.Delete(ctx, []string{"unknown"}, as(userID(2), writer)...))(t) // leaves its keys
	eventually(t, 5*time.Second, "the delete from before is erased", func() bool { return gone.erased(t, s.fs) })
}
