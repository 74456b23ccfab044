package engine_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"oubliette/engine"
)

// userID is a user's id by number.
func userID(n byte) (id engine.UserID) {
	id[0], id[15] = 0xA0, n
	return id
}

// as is what a call of a user brings.
func as(id engine.UserID, key engine.Key) []engine.OpOption {
	return []engine.OpOption{engine.WithIndexKey(key), engine.WithUserID(id)}
}

func TestUsersMayWhatTheirKeysOpen(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	ix := s.create("a")
	root := s.keys["a"]
	must(t, ix.Upsert(ctx, makeItems("k", 20)))

	keys := make(map[string]engine.Key)
	ids := make(map[string]engine.UserID)
	for i, who := range []struct {
		name string
		perm engine.Permission
	}{{"read", engine.PermRead}, {"write", engine.PermWrite}, {"both", engine.PermRead | engine.PermWrite}, {"revoked", engine.PermRead | engine.PermWrite}} {
		keys[who.name], ids[who.name] = engine.NewKey(), userID(byte(i))
		must(t, ix.CreateUserKeys(ctx, ids[who.name], keys[who.name], who.perm, root))
	}
	must(t, ix.DeleteUserKeys(ctx, ids["revoked"], root))
	must(t, ix.DeleteUserKeys(ctx, ids["revoked"], root)) // idempotent
	users := got(ix.ListUserKeys(ctx, root))(t)
	if fmt.Sprint(users) != fmt.Sprint([]engine.User{{ID: ids["read"], Perm: engine.PermRead}, {ID: ids["write"], Perm: engine.PermWrite}, {ID: ids["both"], Perm: engine.PermRead | engine.PermWrite}}) {
		t.Errorf("users are %v", users)
	}

	needs := map[string]engine.Permission{
		"Upsert": engine.PermWrite, "Delete": engine.PermWrite, "Purge": engine.PermWrite, "Compact": engine.PermRead | engine.PermWrite,
		"Get": engine.PermRead, "IDs": engine.PermRead, "Items": engine.PermRead, "Count": engine.PermRead, "SealedBytes": engine.PermRead, "Check": 0, "Status": 0,
	}
	has := map[string]engine.Permission{"root": 3, "read": engine.PermRead, "write": engine.PermWrite, "both": 3}
	for range 2 {
		keyless := got(s.LoadIndex(ctx, "a"))(t)
		for _, who := range []string{"root", "read", "write", "both", "revoked", "unknown", "wrong key", "no key"} {
			var opts []engine.OpOption
			want := error(engine.ErrWrongKey)
			switch who {
			case "root":
				opts, want = []engine.OpOption{engine.WithIndexKey(root)}, nil
			case "unknown":
				opts = as(userID(99), engine.NewKey())
			case "wrong key":
				opts = as(ids["both"], keys["read"])
			case "no key":
				opts, want = nil, engine.ErrKeyRequired
			default:
				opts = as(ids[who], keys[who])
				if who != "revoked" {
					want = nil
				}
			}
			bound, err := s.LoadIndex(ctx, "a", opts...)
			if who == "no key" {
				must(t, err)
			} else if !errors.Is(err, want) || (err == nil) != (want == nil) {
				t.Errorf("%s: LoadIndex answers %v, want %v", who, err, want)
			}
			for _, op := range operations() {
				need, known := needs[op.name]
				if !known {
					t.Fatalf("what does %s need?", op.name)
				}
				expect := want
				if expect == nil && has[who]&need != need {
					expect = engine.ErrPermission
				}
				check := func(how string, err error) {
					t.Helper()
					if (err == nil) != (expect == nil) || !errors.Is(err, expect) {
						t.Errorf("%s, %s, %s: %v, want %v", who, op.name, how, err, expect)
					}
				}
				check("per call", op.run(keyless, opts...))
				if who != "no key" { // else it is the handle's own that counts
					check("override", op.run(ix, opts...))
				}
				if bound != nil {
					check("bound", op.run(bound))
				}
			}
		}
		for _, c := range []error{
			ix.CreateUserKeys(ctx, userID(9), engine.NewKey(), engine.PermRead, keys["both"]),
			ix.DeleteUserKeys(ctx, ids["read"], keys["both"]),
			ix.RotateKey(ctx, keys["both"], engine.NewKey()),
			s.DeleteIndex(ctx, "a", keys["both"]),
		} {
			wantError(t, c, engine.ErrWrongKey)
		}
		s.reopen()
		ix = s.load("a")
	}
}

func TestRotateKeyShutsTheOldKeyOut(t *testing.T) {
	ctx := context.Background()
	s := newStore(t, small)
	ix := s.create("a")
	old := s.keys["a"]
	reader, writer := engine.NewKey(), engine.NewKey()
	must(t, ix.CreateUserKeys(ctx, userID(1), reader, engine.PermRead, old))
	must(t, ix.CreateUserKeys(ctx, userID(2), writer, engine.PermWrite, old))
	must(t, ix.Upsert(ctx, makeItems("k", 300)))
	must(t, ix.Roll(ctx))
	must(t, ix.Upsert(ctx, makeItems("l", 10)))
	bound := got(s.LoadIndex(ctx, "a", as(userID(1), reader)...))(t)
	for range 3 {
		next := engine.NewKey()
		must(t, ix.RotateKey(ctx, old, next))
		s.keys["a"] = next
		_, err := ix.Count(ctx)
		wantError(t, err, engine.ErrWrongKey)
		_, err = s.LoadIndex(ctx, "a", engine.WithIndexKey(old))
		wantError(t, err, engine.ErrWrongKey)
		wantError(t, ix.RotateKey(ctx, old, engine.NewKey()), engine.ErrWrongKey)
		ix, old = s.load("a"), next
		must(t, ix.Upsert(ctx, makeItems("m", 5)))
		want := byID(append(append(makeItems("k", 300), makeItems("l", 10)...), makeItems("m", 5)...)...)
		wantItems(t, ix, want)
		wantItems(t, bound, want) // users keep their keys
		s.reopen()
		ix = s.load("a")
		bound = got(s.LoadIndex(ctx, "a", as(userID(1), reader)...))(t)
		wantItems(t, bound, want)
		w := got(s.LoadIndex(ctx, "a", as(userID(2), writer)...))(t)
		got(w.Delete(ctx, []string{"nothing"}))(t)
	}
}

// A scan goes on over a change of epoch.
func TestScansGoOnInANewEpoch(t *testing.T) {
	ctx := context.Background()
	s := newStore(t, small)
	ix := s.create("a")
	root := s.keys["a"]
	must(t, ix.Upsert(ctx, makeItems("k", 300)))
	seen := make(map[string]int)
	for it, err := range ix.Items(ctx, engine.AllFields) {
		must(t, err)
		if seen[it.ID]++; len(seen) == 100 {
			must(t, ix.CreateUserKeys(ctx, userID(1), engine.NewKey(), engine.PermRead, root))
			must(t, ix.DeleteUserKeys(ctx, userID(1), root))
		}
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("%s came %d times", id, n)
		}
	}
	if len(seen) != 300 {
		t.Errorf("%d items of 300", len(seen))
	}
}

// What somebody who was taken out may have kept of the segments from before is
// worth nothing after Compact: every row stands under another data key.
func TestCompactMovesWhatARevokedReaderCouldOpen(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	ix := s.create("a")
	root := s.keys["a"]
	must(t, ix.CreateUserKeys(ctx, userID(1), engine.NewKey(), engine.PermRead, root))
	must(t, ix.CreateUserKeys(ctx, userID(2), engine.NewKey(), engine.PermWrite, root))
	must(t, ix.Upsert(ctx, makeItems("k", 30)))
	must(t, ix.Roll(ctx))
	must(t, ix.SealNow(ctx))
	before, _, err := ix.SegmentPaths(ctx)
	must(t, err)
	paths := func() string {
		t.Helper()
		must(t, ix.Compact(ctx))
		now, _, err := ix.SegmentPaths(ctx)
		must(t, err)
		return fmt.Sprint(now)
	}
	must(t, ix.DeleteUserKeys(ctx, userID(2), root)) // could open nothing
	if now := paths(); now != fmt.Sprint(before) {
		t.Errorf("moved for a user who could not read: %v, then %v", before, now)
	}
	must(t, ix.DeleteUserKeys(ctx, userID(1), root))
	now := paths()
	if now == fmt.Sprint(before) {
		t.Error("not moved")
	}
	if again := paths(); again != now {
		t.Errorf("moved again: %v, then %v", now, again)
	}
	wantItems(t, ix, byID(makeItems("k", 30)...))
}

// No call gets in between the end of an epoch and the next.
func TestNothingIsLostWhileRootChangesUsers(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	ix := s.create("a")
	root := s.keys["a"]
	must(t, ix.Upsert(ctx, makeItems("k", 20)))
	stop := make(chan struct{})
	var wg sync.WaitGroup
	var mu sync.Mutex
	want := byID(makeItems("k", 20)...)
	for w := range 3 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				it := makeItem(fmt.Sprint("w", w, ".", i), 1)
				if err := ix.Upsert(ctx, []engine.Item{it}); err != nil {
					t.Errorf("upsert: %v", err)
					return
				}
				mu.Lock()
				want[it.ID] = it
				mu.Unlock()
			}
		})
	}
	for i := range 20 {
		if err := ix.CreateUserKeys(ctx, userID(1), engine.NewKey(), engine.PermRead, root); err != nil {
			t.Errorf("create %d: %v", i, err)
			break
		}
		if err := ix.DeleteUserKeys(ctx, userID(1), root); err != nil {
			t.Errorf("delete %d: %v", i, err)
			break
		}
	}
	close(stop)
	wg.Wait()
	wantItems(t, ix, want)
	s.reopen()
	wantItems(t, s.load("a"), want)
}
