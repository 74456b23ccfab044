package peers

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"oubliette/bench/store"
	"oubliette/engine"
)

func testSetup(t *testing.T, name string) store.Setup {
	t.Helper()
	s := store.Setup{Dir: filepath.Join(t.TempDir(), name), Busy: true, Key: [32]byte{1, 2, 3}}
	if err := os.Mkdir(s.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return s
}

// What cannot be counted on its way to the disk is asked for.
func TestSQLiteHasItsSettingsOnEveryConnection(t *testing.T) {
	ctx := context.Background()
	s, err := openSQLite(ctx, testSetup(t, "sqlite"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for range 3 {
		c, err := s.db.Conn(ctx) // another each time: none is given back
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "secure_delete": "1", "temp_store": "2"} {
			var got string
			if err := c.QueryRowContext(ctx, "PRAGMA "+pragma).Scan(&got); err != nil || got != want {
				t.Errorf("%s is %s, %v, want %s", pragma, got, err, want)
			}
		}
	}
}

func TestBadgerAndBoltSyncEveryTransaction(t *testing.T) {
	b, err := openBadger(testSetup(t, "badger"))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if !b.db.Opts().SyncWrites {
		t.Error("Badger does not")
	}
	k, err := openBolt(testSetup(t, "bbolt"))
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	if k.db.NoSync || k.db.NoGrowSync {
		t.Error("bbolt does not")
	}
}

func TestEveryStoreOpensAgainWithItsKey(t *testing.T) {
	ctx := context.Background()
	for _, kind := range All() {
		t.Run(kind.Name, func(t *testing.T) {
			s := testSetup(t, kind.Name)
			item := Item{ID: "a", Contents: []byte("what was written")}
			for round := range 3 {
				db, err := kind.Open(ctx, s)
				if err != nil {
					t.Fatal(err)
				}
				got, err := db.Get(ctx, []string{"a"})
				if err != nil || round > 0 && (len(got) != 1 || !bytes.Equal(got[0].Contents, item.Contents)) {
					t.Errorf("opened %d times: %v, %v", round+1, got, err)
				}
				if err := db.Upsert(ctx, []Item{item}); err != nil {
					t.Error(err)
				}
				if c, ok := db.(store.Checker); ok {
					if err := c.Check(ctx); err != nil {
						t.Error(err)
					}
				}
				if err := db.Close(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// A transaction that Badger calls too big goes in more than one.
func TestBadgerTakesCallsOfAnySize(t *testing.T) {
	ctx := context.Background()
	b, err := openBadger(testSetup(t, "badger"))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	items := make([]Item, 300)
	for i := range items {
		items[i] = Item{ID: strings.Repeat("x", i+1), Contents: make([]byte, 10_000)}
	}
	if err := b.Upsert(ctx, items); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, err := range b.Items(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != len(items) {
		t.Errorf("%d items, want %d", n, len(items))
	}
}

func TestSealersOfOneKeyUseDifferentNonces(t *testing.T) {
	a, b := newSealer([32]byte{1}), newSealer([32]byte{1})
	seen := make(map[string]bool)
	for _, s := range []*sealer{a, b, a, b} {
		sealed := s.seal([]byte("name"), []byte("value"))
		if seen[string(sealed[:12])] {
			t.Error("a nonce comes twice")
		}
		seen[string(sealed[:12])] = true
		if plain, err := a.open([]byte("name"), sealed); err != nil || string(plain) != "value" {
			t.Errorf("opened as %q, %v", plain, err)
		}
		if _, err := a.open([]byte("another"), sealed); err == nil {
			t.Error("opened under another name")
		}
	}
}

func openKeyed(t *testing.T, s store.Setup) *oubliette {
	t.Helper()
	o, err := openOubliette(t.Context(), s, false)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestOublietteOpensWithTheKeyThatItsChoresHaveLeft(t *testing.T) {
	s := testSetup(t, "oubliette")
	s.Aside = t.TempDir()
	for range 3 {
		o := openKeyed(t, s)
		for _, c := range o.Chores() {
			if err := c.Do(t.Context()); err != nil {
				t.Fatalf("%s: %v", c.Phase, err)
			}
		}
		if err := o.Upsert(t.Context(), []Item{{ID: "a"}}); err != nil {
			t.Error(err)
		}
		if err := o.Check(t.Context()); err != nil {
			t.Error(err)
		}
		if _, err := o.ring.addRoot(randomKey()); err != nil { // as a crash before the rotation leaves it
			t.Fatal(err)
		}
		if err := o.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOublietteChecksThatOldKeysOpenNothing(t *testing.T) {
	s := testSetup(t, "oubliette")
	s.Aside = t.TempDir()
	o := openKeyed(t, s)
	defer o.Close()
	id := engine.UserID{7}
	key, err := o.ring.addUser(id, randomKey())
	if err != nil {
		t.Fatal(err)
	}
	if err := o.Check(t.Context()); err != nil {
		t.Errorf("a user who was never let in: %v", err)
	}
	if err := o.ix.Load().CreateUserKeys(t.Context(), id, key, engine.PermRead, o.root); err != nil {
		t.Fatal(err)
	}
	if err := o.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "it opens the index") {
		t.Errorf("a user who is in: %v", err)
	}
}

func TestOublietteScanOutlivesAChangeOfTheKey(t *testing.T) {
	s := testSetup(t, "oubliette")
	s.Aside = t.TempDir()
	o := openKeyed(t, s)
	defer o.Close()
	items := make([]Item, 1000)
	for i := range items {
		items[i].ID = fmt.Sprint("item ", i)
	}
	if err := o.Upsert(t.Context(), items); err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]bool)
	for it, err := range o.Items(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if seen[it.ID] {
			t.Errorf("%s comes twice", it.ID)
		}
		if seen[it.ID] = true; len(seen) == 10 {
			if err := o.rotate(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(seen) != len(items) {
		t.Errorf("%d items, want %d", len(seen), len(items))
	}
}

func TestKeyRingLeavesOutWhatACrashHasCut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	r, err := openKeyRing(path, engine.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	key, err := r.addRoot(randomKey())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.addRoot(randomKey()); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b[:len(b)-5], 0o600); err != nil {
		t.Fatal(err)
	}
	if r, err = openKeyRing(path, engine.NewKey()); err != nil || len(r.roots) != 2 || !r.newest()[0].Equal(key) {
		t.Fatalf("%d keys, %v, want 2 with the first that was added as the newest", len(r.roots), err)
	}
	if key, err = r.addRoot(randomKey()); err != nil {
		t.Fatal(err)
	}
	if r, err = openKeyRing(path, engine.NewKey()); err != nil || len(r.roots) != 3 || !r.newest()[0].Equal(key) {
		t.Errorf("%d keys, %v, want 3 with the one behind the cut as the newest", len(r.roots), err)
	}
}
