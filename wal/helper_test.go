package wal

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"

	"oubliette/crypto"
	"oubliette/internal/fault"
	"oubliette/internal/meta"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const dir = "store/pebble"

// world is one index's log with all keys at hand: root and two users write,
// stranger is listed nowhere.
type world struct {
	t        testing.TB
	db       *meta.DB
	index    crypto.IndexID
	epoch    uint64
	mapKey   crypto.Secret
	root     *crypto.Signer
	alice    *crypto.Signer
	bob      *crypto.Signer
	stranger *crypto.Signer
	every    bool // replay verifies every signature

	mu     sync.Mutex
	events []published
}

// published is a record as Publish was told of it.
type published struct {
	at    Position
	seq   uint64
	value any
}

func newWorld(t testing.TB, fs vfs.FS) *world {
	t.Helper()
	w := &world{
		t: t, index: crypto.NewIndexID(), epoch: 3, mapKey: crypto.NewSecret(),
		root:     crypto.NewSigner(crypto.UserID{}, crypto.NewSecret()),
		alice:    crypto.NewSigner(crypto.UserID{0xA1}, crypto.NewSecret()),
		bob:      crypto.NewSigner(crypto.UserID{0xB0}, crypto.NewSecret()),
		stranger: crypto.NewSigner(crypto.UserID{0x57}, crypto.NewSecret()),
	}
	w.db = open(t, fs)
	return w
}

func open(t testing.TB, fs vfs.FS) *meta.DB {
	t.Helper()
	db, err := meta.Open(fs, dir, meta.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() }) // a failed one says so again
	return db
}

func (w *world) source() Source {
	return Source{
		DB: w.db, Index: w.index,
		MapKey: func(epoch uint64) (crypto.Secret, bool) { return w.mapKey, epoch == w.epoch },
		Writer: w.writer, Every: w.every,
	}
}

func (w *world) writer(user crypto.UserID, epoch uint64) (crypto.VerifyKey, bool) {
	for _, s := range []*crypto.Signer{w.root, w.alice, w.bob} {
		if s.User() == user {
			return s.Public(), epoch == w.epoch
		}
	}
	return crypto.VerifyKey{}, false
}

// log begins a session behind at. Published records are noted; after, when not
// nil, is called behind it.
func (w *world) log(at Position, after func(Position)) *Log {
	return New(Config{
		DB: w.db, Index: w.index, Epoch: w.epoch, MapKey: w.mapKey,
		Publish: func(at Position, _ int, entries []*Entry) {
			w.mu.Lock()
			for _, e := range entries {
				w.events = append(w.events, published{at, e.Seq, e.Value})
			}
			w.mu.Unlock()
			if after != nil {
				after(at)
			}
		},
	}, at)
}

// seen is what has been published so far.
func (w *world) seen() []published {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]published(nil), w.events...)
}

func entry(s *crypto.Signer, payload string) *Entry {
	return &Entry{Kind: KindTombstone, Signer: s, Payload: []byte(payload), Value: payload}
}

func (w *world) append(l *Log, entries ...*Entry) {
	w.t.Helper()
	for _, e := range entries {
		if err := l.Append(context.Background(), e); err != nil {
			w.t.Fatal(err)
		}
	}
}

// replay reads the whole log.
func (w *world) replay() (Position, []Replayed, error) {
	var out []Replayed
	at, err := Replay(w.source(), Position{}, func(_ Position, records []Replayed) error {
		out = append(out, records...)
		return nil
	})
	return at, out, err
}

func (w *world) mustReplay() (Position, []Replayed) {
	w.t.Helper()
	at, out, err := w.replay()
	if err != nil {
		w.t.Fatalf("replay: %v", err)
	}
	return at, out
}

// payloads are the records' payloads as a set of strings.
func payloads(records []Replayed) map[string]uint64 {
	out := make(map[string]uint64, len(records))
	for i := range records {
		out[string(records[i].Payload)] = records[i].Seq
	}
	return out
}

// group reads a group's bytes; put stores them under a number.
func (w *world) group(n uint64) []byte {
	w.t.Helper()
	b, ok, err := w.db.Get(meta.GroupKey(w.index, n))
	if err != nil || !ok {
		w.t.Fatalf("group %d: there %v, %v", n, ok, err)
	}
	return b
}

func (w *world) put(n uint64, value []byte) {
	w.t.Helper()
	batch := w.db.NewBatch()
	batch.Set(meta.GroupKey(w.index, n), value)
	if err := w.db.CommitLazy(batch); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) drop(n uint64) {
	w.t.Helper()
	batch := w.db.NewBatch()
	batch.Delete(meta.GroupKey(w.index, n))
	if err := w.db.CommitLazy(batch); err != nil {
		w.t.Fatal(err)
	}
}

// queued is how many calls wait for a group.
func (l *Log) queued() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.mu.queue)
}

// until waits for cond, and fails the test with all stacks when it does not
// come.
func until(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for start := time.Now(); !cond(); time.Sleep(50 * time.Microsecond) {
		if time.Since(start) > 20*time.Second {
			t.Fatalf("%s: waited in vain\n%s", what, stacks())
		}
	}
}

// within fails the test, with all stacks, when f does not return in time.
func within(t testing.TB, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Fatalf("%s hangs\n%s", what, stacks())
	}
}

func stacks() []byte {
	buf := make([]byte, 1<<20)
	return buf[:runtime.Stack(buf, true)]
}

// seeded is a generator whose seed shows when the test fails.
func seeded(t testing.TB) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d (rand.NewPCG(seed, 0))", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

func wantCorrupt(t testing.TB, what string, err error) {
	t.Helper()
	var ce *fault.CorruptionError
	if !errors.As(err, &ce) || !errors.Is(err, fault.ErrCorrupt) || ce.Path == "" {
		t.Errorf("%s: %v, want a CorruptionError with a path", what, err)
	}
}

// gate is a Publish that stands still in the groups one asks for.
type gate struct {
	arrived chan Position
	open    chan struct{}
}

func newGate() *gate {
	return &gate{arrived: make(chan Position), open: make(chan struct{})}
}

func (g *gate) after(at Position) {
	g.arrived <- at
	<-g.open
}

// let lets the group go that stands in the gate.
func (g *gate) let() { g.open <- struct{}{} }
