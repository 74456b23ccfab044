package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"oubliette/engine"
	"oubliette/proof"
)

// operation is a call of a handle.
type operation struct {
	name   string
	writes bool
	run    func(ix *engine.Index, opts ...engine.OpOption) error
}

// operations are all calls that take a key.
func operations() []operation {
	ctx := context.Background()
	ids := []string{"k0"}
	scan := func(ix *engine.Index, opts ...engine.OpOption) (err error) {
		for _, e := range ix.Items(ctx, engine.AllFields, opts...) {
			err = e
		}
		return err
	}
	list := func(ix *engine.Index, opts ...engine.OpOption) (err error) {
		for _, e := range ix.IDs(ctx, opts...) {
			err = e
		}
		return err
	}
	return []operation{
		{"Upsert", true, func(ix *engine.Index, o ...engine.OpOption) error {
			return ix.Upsert(ctx, []engine.Item{makeItem("k0", 1)}, o...)
		}},
		{"Get", false, func(ix *engine.Index, o ...engine.OpOption) error {
			_, err := ix.Get(ctx, ids, engine.AllFields, o...)
			return err
		}},
		{"Items", false, scan},
		{"IDs", false, list},
		{"Count", false, func(ix *engine.Index, o ...engine.OpOption) error { _, err := ix.Count(ctx, o...); return err }},
		{"Check", false, func(ix *engine.Index, o ...engine.OpOption) error { _, err := ix.Check(ctx, o...); return err }},
		{"Status", false, func(ix *engine.Index, o ...engine.OpOption) error {
			_, err := ix.Status(ctx, engine.Receipt{Author: proof.Author{Index: ix.ID()}, Seq: 1}, o...)
			if errors.Is(err, engine.ErrCorrupt) {
				err = nil // it was let in: there is no such delete
			}
			return err
		}},
		{"Delete", true, func(ix *engine.Index, o ...engine.OpOption) error { _, err := ix.Delete(ctx, ids, o...); return err }},
		{"Purge", true, func(ix *engine.Index, o ...engine.OpOption) error { _, err := ix.Purge(ctx, o...); return err }},
		{"Compact", true, func(ix *engine.Index, o ...engine.OpOption) error { return ix.Compact(ctx, o...) }},
	}
}

func TestEveryCallRefusesAWrongKey(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	ix := s.create("vault")
	items := makeItems("k", 3)
	must(t, ix.Upsert(ctx, items))
	wrong := engine.WithIndexKey(engine.NewKey())
	for _, op := range operations() {
		t.Run(op.name, func(t *testing.T) {
			wantError(t, op.run(ix, wrong), engine.ErrWrongKey, `"vault"`)
		})
	}
	_, err := s.LoadIndex(ctx, "vault", wrong)
	wantError(t, err, engine.ErrWrongKey, `"vault"`)
	wantError(t, s.DeleteIndex(ctx, "vault", engine.NewKey()), engine.ErrWrongKey, `"vault"`)
	wantItems(t, ix, byID(items...))
}

// The keys of one index open no other, also when nothing of it is unlocked yet.
func TestAKeyOpensItsOwnIndexAlone(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	s.create("a")
	s.create("b")
	s.reopen()
	_, err := s.LoadIndex(ctx, "a", engine.WithIndexKey(s.keys["b"]))
	wantError(t, err, engine.ErrWrongKey, `"a"`)
	wantError(t, s.DeleteIndex(ctx, "a", s.keys["b"]), engine.ErrWrongKey, `"a"`)
	if n := len(s.Metrics().Indexes); n != 0 {
		t.Errorf("%d indexes are unlocked after wrong keys", n)
	}
}

func TestKeylessHandleNeedsAKeyOnEveryCall(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	ix := s.create("vault")
	must(t, ix.Upsert(ctx, makeItems("k", 3)))
	s.reopen()
	keyless := got(s.LoadIndex(ctx, "vault"))(t)
	right := engine.WithIndexKey(s.keys["vault"])
	wrong := engine.WithIndexKey(engine.NewKey())
	for _, op := range operations() {
		t.Run(op.name, func(t *testing.T) {
			wantError(t, op.run(keyless), engine.ErrKeyRequired, `"vault"`)
			wantError(t, op.run(keyless, engine.WithIndexKey(engine.Key{})), engine.ErrKeyRequired, `"vault"`)
			wantError(t, op.run(keyless, wrong), engine.ErrWrongKey, `"vault"`)
			must(t, op.run(keyless, right))
			wantError(t, op.run(keyless), engine.ErrKeyRequired, `"vault"`)
		})
	}
}

func TestACallsKeyOverridesTheHandles(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	ix := s.create("vault")
	must(t, ix.Upsert(ctx, makeItems("k", 3)))
	for _, op := range operations() {
		t.Run(op.name, func(t *testing.T) {
			wantError(t, op.run(ix, engine.WithIndexKey(engine.NewKey())), engine.ErrWrongKey, `"vault"`)
			must(t, op.run(ix, engine.WithIndexKey(s.keys["vault"])))
			wantError(t, op.run(ix, engine.WithIndexKey(engine.Key{})), engine.ErrKeyRequired, `"vault"`) // not the handle's
		})
	}
}

func TestKeysOfWrongLengthOrZeroAreNoKeys(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	for _, n := range []int{0, 1, 31, 33, 64} {
		_, err := engine.KeyFromBytes(make([]byte, n))
		wantError(t, err, engine.ErrInvalid, "32 bytes", fmt.Sprint(n))
	}
	_, err := engine.KeyFromBytes(make([]byte, 32))
	wantError(t, err, engine.ErrInvalid, "zeros")
	for _, hex := range []string{"", "00ff", strings.Repeat("0", 63), strings.Repeat("g", 64), strings.Repeat("0", 64)} {
		_, err := engine.ParseKey(hex)
		wantError(t, err, engine.ErrInvalid)
		if len(hex) > 4 && strings.Contains(err.Error(), hex[:4]) {
			t.Errorf("error %q quotes the key", err)
		}
	}
	_, err = s.CreateIndex(ctx, "vault", engine.Key{}, engine.IndexConfig{})
	wantError(t, err, engine.ErrKeyRequired, `"vault"`)
	s.create("vault")
	wantError(t, s.DeleteIndex(ctx, "vault", engine.Key{}), engine.ErrKeyRequired, `"vault"`)
	if names := got(s.ListIndexes())(t); len(names) != 1 {
		t.Errorf("indexes are %q", names)
	}
}

func TestKeysSurviveTheirCaller(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	b := make([]byte, 32)
	b[5] = 7
	key := got(engine.KeyFromBytes(b))(t)
	same := got(engine.ParseKey("0000000000070000000000000000000000000000000000000000000000000000"))(t)
	clear(b) // the key is a copy
	ix := got(s.CreateIndex(ctx, "vault", key, engine.IndexConfig{}))(t)
	must(t, ix.Upsert(ctx, makeItems("k", 3)))
	s.keys["vault"] = same
	s.reopen()
	wantItems(t, s.load("vault"), byID(makeItems("k", 3)...))
	if text := fmt.Sprintf("%v %+v %#v %s %x", key, key, key, key, key); strings.Contains(text, "07") {
		t.Errorf("the key prints as %s", text)
	}
}

func TestCreateIndexRefusesAnExistingName(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	ix := s.create("vault")
	must(t, ix.Upsert(ctx, makeItems("k", 3)))
	_, err := s.CreateIndex(ctx, "vault", engine.NewKey(), engine.IndexConfig{})
	wantError(t, err, engine.ErrIndexExists, `"vault"`)
	_, err = s.CreateIndex(ctx, "vault", s.keys["vault"], engine.IndexConfig{})
	wantError(t, err, engine.ErrIndexExists, `"vault"`)
	wantItems(t, ix, byID(makeItems("k", 3)...))
	s.reopen()
	_, err = s.CreateIndex(ctx, "vault", engine.NewKey(), engine.IndexConfig{})
	wantError(t, err, engine.ErrIndexExists, `"vault"`)
}

func TestUnknownIndexesAreNotFound(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	_, err := s.LoadIndex(ctx, "nowhere")
	wantError(t, err, engine.ErrIndexNotFound, `"nowhere"`)
	_, err = s.LoadIndex(ctx, "nowhere", engine.WithIndexKey(engine.NewKey()))
	wantError(t, err, engine.ErrIndexNotFound, `"nowhere"`)
	wantError(t, s.DeleteIndex(ctx, "nowhere", engine.NewKey()), engine.ErrIndexNotFound, `"nowhere"`)
}

func TestListIndexesIsSortedAndNeedsNoKey(t *testing.T) {
	s := newStore(t)
	for _, name := range []string{"zeta", "alpha", "beta"} {
		s.create(name)
	}
	s.reopen()
	if names := fmt.Sprint(got(s.ListIndexes())(t)); names != "[alpha beta zeta]" {
		t.Errorf("indexes are %s", names)
	}
}

// A handle that was made with a cancelled context, or a call with one, does
// nothing.
func TestACancelledContextChangesNothing(t *testing.T) {
	s := newStore(t)
	ix := s.create("vault")
	must(t, ix.Upsert(context.Background(), makeItems("k", 3)))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	wantError(t, ix.Upsert(ctx, []engine.Item{makeItem("new", 1)}), context.Canceled)
	_, err := ix.Delete(ctx, []string{"k0"})
	wantError(t, err, context.Canceled)
	_, err = ix.Get(ctx, []string{"k0"}, engine.AllFields)
	wantError(t, err, context.Canceled)
	_, err = ix.Count(ctx)
	wantError(t, err, context.Canceled)
	_, err = ix.Purge(ctx)
	wantError(t, err, context.Canceled)
	wantError(t, ix.Compact(ctx), context.Canceled)
	_, err = s.CreateIndex(ctx, "other", engine.NewKey(), engine.IndexConfig{})
	wantError(t, err, context.Canceled)
	wantError(t, s.DeleteIndex(ctx, "vault", s.keys["vault"]), context.Canceled)
	for _, err := range ix.IDs(ctx) {
		wantError(t, err, context.Canceled)
	}
	wantItems(t, ix, byID(makeItems("k", 3)...), "new")
}
