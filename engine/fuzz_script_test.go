package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/engine"
	"oubliette/internal/corpus"
)

// scriptCost bounds a script: a step that opens the store, or draws keys, counts as
// many, so that no execution comes near the time after which Go takes it for hung.
const (
	scriptCost = 36
	dearStep   = 9
)

// scripted is a store that a script drives, and the map that its index should be.
type scripted struct {
	testing.TB
	fs    *vfs.MemFS
	opts  engine.Options
	clock *testClock
	db    *engine.DB
	ix    *engine.Index
	key   engine.Key
	items map[string]engine.Item
	next  int // version of the next item
	user  bool
	asked []engine.Receipt
}

func newScripted(t testing.TB) *scripted {
	s := &scripted{TB: t, fs: vfs.NewCrashableMem(), clock: newTestClock(), key: fuzzKey(t), items: make(map[string]engine.Item)}
	s.opts = engine.Options{PurgeWithin: time.Hour, SegmentSize: 64 << 10}
	s.clock.option(&s.opts)
	s.open()
	ix, err := s.db.CreateIndex(context.Background(), "a", s.key, engine.IndexConfig{})
	must(t, err)
	s.ix = ix
	return s
}

func (s *scripted) open() {
	s.opts.FS = s.fs
	db, err := engine.Open(storeDir, &s.opts)
	must(s, err)
	s.db = db
}

func (s *scripted) load() {
	ix, err := s.db.LoadIndex(context.Background(), "a", engine.WithIndexKey(s.key))
	must(s, err)
	s.ix = ix
}

// close closes the store. What has not been loaded since it was opened may wait for a
// key; nothing else may be left.
func (s *scripted) close() {
	if err := s.db.Close(); err != nil {
		s.Fatalf("Close: %v", err)
	}
}

func scriptID(x byte) string { return fmt.Sprint("id", x%8) }

// run takes steps of two bytes: what is done, and with what.
func (s *scripted) run(script []byte) {
	for left := scriptCost; left > 0 && len(script) > 1; script = script[2:] {
		if left--; script[0]%14 > 5 && script[0]%14 != 9 {
			left -= dearStep - 1
		}
		s.step(script[0], script[1])
	}
}

func (s *scripted) step(op, x byte) {
	ctx := context.Background()
	switch op % 14 {
	case 0, 1:
		s.upsert(x, scriptID(x))
	case 2:
		s.upsert(x, scriptID(x), scriptID(x>>3), scriptID(x>>5), scriptID(x))
	case 3:
		s.delete(scriptID(x))
	case 4:
		s.delete(scriptID(x), scriptID(x>>2), scriptID(x>>5), "unknown", scriptID(x))
	case 5:
		s.purge(x%4 == 0)
	case 6:
		must(s, s.ix.Compact(ctx))
	case 7:
		s.close()
		s.open()
		s.load()
	case 8:
		s.crash(x)
	case 9:
		s.clock.Add(int64(x) * modelTick / 64)
	case 10:
		must(s, s.ix.Roll(ctx))
		must(s, s.ix.SealNow(ctx))
	case 11:
		s.restore()
	case 12:
		next := engine.NewKey()
		must(s, s.ix.RotateKey(ctx, s.key, next))
		s.key = next
		s.load()
	case 13:
		s.turnUser()
	}
	s.shows()
}

// upsert puts items in, of a size, with fields and of an expiry that x says.
func (s *scripted) upsert(x byte, ids ...string) {
	items := make([]engine.Item, len(ids))
	for i, id := range ids {
		s.next++
		items[i] = sizedItem(id, s.next, int(x>>6)*1500)
		if x&8 != 0 {
			items[i].Vector = nil
		}
		if x&16 != 0 {
			items[i].ExpiresAt = time.UnixMilli(s.clock.Load() + int64(x>>5)*modelTick).UTC()
		}
	}
	must(s, s.ix.Upsert(context.Background(), items))
	for _, it := range items {
		s.items[it.ID] = it
	}
}

func (s *scripted) delete(ids ...string) {
	r, err := s.ix.Delete(context.Background(), ids)
	must(s, err)
	for _, id := range ids {
		delete(s.items, id)
	}
	s.asked = append(s.asked, r)
}

// purge erases, and then every delete so far has been.
func (s *scripted) purge(rewrite bool) {
	var opts []engine.OpOption
	if rewrite {
		opts = append(opts, engine.WithRewrite())
	}
	_, err := s.ix.Purge(context.Background(), opts...)
	must(s, err)
	for _, r := range s.asked {
		st, err := s.ix.Status(context.Background(), r)
		must(s, err)
		if st.State != engine.Erased || !st.Counted || st.Asked != r.Count || st.Rows > st.Asked {
			s.Fatalf("delete %d of %d ids is %+v behind a purge", r.Seq, r.Count, st)
		}
	}
}

// crash goes on with what a crash leaves, in which some of what was not synced is.
func (s *scripted) crash(x byte) {
	clone := s.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: int(x%3) * 50, RNG: rand.New(rand.NewPCG(uint64(x), 1))})
	s.close()
	s.fs = clone
	s.open()
	s.load()
}

// restore goes on with a store made of a backup.
func (s *scripted) restore() {
	var stream bytes.Buffer
	must(s, s.db.Backup(context.Background(), &stream))
	s.close()
	s.fs = vfs.NewCrashableMem()
	opts := s.opts
	opts.FS = s.fs
	must(s, engine.RestoreWith(context.Background(), &stream, storeDir, &opts))
	s.open()
	s.load()
}

// turnUser lets a user in who may do all, or takes the user out again.
func (s *scripted) turnUser() {
	ctx, id := context.Background(), engine.UserID{7}
	key, err := engine.KeyFromBytes(bytes.Repeat([]byte{7}, 32))
	must(s, err)
	if s.user {
		must(s, s.ix.DeleteUserKeys(ctx, id, s.key))
	} else {
		must(s, s.ix.CreateUserKeys(ctx, id, key, engine.PermRead|engine.PermWrite, s.key))
	}
	_, err = s.ix.Get(ctx, []string{"x"}, 0, engine.WithIndexKey(key), engine.WithUserID(id))
	if s.user = !s.user; s.user != (err == nil) || err != nil && !errors.Is(err, engine.ErrWrongKey) {
		s.Fatalf("the user is let in: %v, reads: %v", s.user, err)
	}
}

// shows holds what is shown against the map.
func (s *scripted) shows() {
	var gone []string
	for id, it := range s.items {
		if !it.ExpiresAt.IsZero() && it.ExpiresAt.UnixMilli() <= s.clock.Load() {
			delete(s.items, id)
			gone = append(gone, id)
		}
	}
	wantShown(s, s.ix, s.items, append(gone, "unknown")...)
}

// FuzzScript takes any bytes as a script of upserts, deletes, purges, crashes, backups
// and changes of keys: after each step the index shows what a map would, and in the
// end Check finds nothing wrong.
func FuzzScript(f *testing.F) {
	f.Fuzz(func(t *testing.T, script []byte) { runScript(t, script) })
}

func runScript(t testing.TB, script []byte) {
	s := newScripted(t)
	s.run(script)
	if n, err := s.ix.Count(context.Background()); err != nil || n != len(s.items) {
		t.Fatalf("Count is %d, %v; want %d", n, err, len(s.items))
	}
	_, err := s.ix.Check(context.Background())
	must(t, err)
	s.close()
}

// TestSeedsOfScripts holds the corpus in testdata against the store: no script is
// refused.
func TestSeedsOfScripts(t *testing.T) {
	corpus.Hold(t, "FuzzScript", []corpus.Seed{
		corpus.Valid("nothing", []byte{}), corpus.Valid("delete-and-crash", []byte{0, 1, 0, 2, 3, 1, 8, 0, 5, 1}),
		corpus.Valid("again-after-delete", []byte{0, 1, 3, 1, 0, 1, 5, 0, 7, 0}), corpus.Valid("purge-rewrite", []byte{2, 200, 10, 0, 4, 200, 5, 4, 6, 0}),
		corpus.Valid("expiry", []byte{0, 16 + 1, 0, 48 + 2, 9, 70, 5, 1, 9, 200, 7, 0}),
		corpus.Valid("restore", []byte{2, 77, 3, 5, 11, 0, 4, 77, 11, 0, 5, 0}), corpus.Valid("rotate", []byte{2, 9, 3, 1, 12, 0, 8, 2, 12, 0, 5, 1}),
		corpus.Valid("users", []byte{0, 1, 13, 0, 3, 1, 13, 0, 8, 0, 13, 0, 7, 0}),
		corpus.Valid("sizes", []byte{0, 255, 1, 67, 2, 129, 3, 1, 4, 2, 5, 3, 2, 129, 10, 0, 4, 129, 6, 0, 1, 255, 8, 1, 9, 9}),
	}, func(s corpus.Seed) error { runScript(t, s.Bytes(0)); return nil })
}
