package engine_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"

	"oubliette/engine"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const storeDir = "/store"

// store is a store under test with the keys of its indexes. When the test ends,
// every index is checked and the store closed; a problem fails the test.
type store struct {
	testing.TB
	*engine.DB
	fs      vfs.FS
	opts    engine.Options
	keys    map[string]engine.Key
	noCheck bool // the test has damaged the store
	closed  bool
}

// newStore opens a store on a fresh file system that knows what is synced.
// Nothing happens in the background within a test: PurgeWithin is an hour,
// unless a change says otherwise.
func newStore(t testing.TB, changes ...func(*engine.Options)) *store {
	t.Helper()
	return openStore(t, vfs.NewCrashableMem(), nil, changes...)
}

// openStore opens a store on fs; keys are those of the indexes that are there.
func openStore(t testing.TB, fs vfs.FS, keys map[string]engine.Key, changes ...func(*engine.Options)) *store {
	t.Helper()
	s := &store{TB: t, fs: fs, keys: make(map[string]engine.Key), closed: true}
	for name, key := range keys {
		s.keys[name] = key
	}
	s.opts = engine.Options{FS: fs, PurgeWithin: time.Hour}
	for _, change := range changes {
		change(&s.opts)
	}
	s.open()
	t.Cleanup(func() {
		if !s.closed {
			s.checkAll()
			s.close()
		}
	})
	return s
}

func (s *store) open() {
	s.Helper()
	db, err := engine.Open(storeDir, &s.opts)
	if err != nil {
		s.Fatalf("Open: %v", err)
	}
	s.DB, s.closed = db, false
}

func (s *store) close() {
	s.Helper()
	s.closed = true
	if err := s.DB.Close(); err != nil {
		s.Errorf("Close: %v", err)
	}
}

// reopen closes the store and opens it again, with changed options if wanted.
func (s *store) reopen(changes ...func(*engine.Options)) {
	s.Helper()
	s.close()
	for _, change := range changes {
		change(&s.opts)
	}
	s.open()
}

// create makes an index with a fresh key.
func (s *store) create(name string, dim ...int) *engine.Index {
	s.Helper()
	cfg := engine.IndexConfig{}
	if len(dim) > 0 {
		cfg.Dimension = dim[0]
	}
	key := engine.NewKey()
	ix, err := s.CreateIndex(context.Background(), name, key, cfg)
	if err != nil {
		s.Fatalf("CreateIndex %q: %v", name, err)
	}
	s.keys[name] = key
	return ix
}

// load answers a handle bound to the index's key.
func (s *store) load(name string) *engine.Index {
	s.Helper()
	ix, err := s.LoadIndex(context.Background(), name, engine.WithIndexKey(s.keys[name]))
	if err != nil {
		s.Fatalf("LoadIndex %q: %v", name, err)
	}
	return ix
}

// checkAll runs Check on every index whose key the test has told.
func (s *store) checkAll() {
	s.Helper()
	if s.noCheck {
		return
	}
	names, err := s.ListIndexes()
	if err != nil {
		s.Errorf("ListIndexes: %v", err)
	}
	for _, name := range names {
		key, ok := s.keys[name]
		if !ok {
			s.Errorf("no key of index %q to check it with", name)
			continue
		}
		s.check(name, key)
	}
}

func (s *store) check(name string, key engine.Key) {
	s.Helper()
	ix, err := s.LoadIndex(context.Background(), name, engine.WithIndexKey(key))
	if err != nil {
		s.Errorf("check: load %q: %v", name, err)
		return
	}
	if _, err := ix.Check(context.Background()); err != nil {
		s.Errorf("check of index %q: %v", name, err)
	}
}

// must fails the test when a call has failed.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// got is must for calls that answer something.
func got[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		must(t, err)
		return v
	}
}

// wantError fails unless err is target and its text has every part: what was
// wrong, and where.
func wantError(t testing.TB, err, target error, parts ...string) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("error %v, want one that is %q", err, target)
		return
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("error %q does not name %q", err, p)
		}
	}
}

// newRand is a random source; when the test fails, its seed is printed. Set
// ENGINE_SEED to run with that seed again.
func newRand(t testing.TB) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("ENGINE_SEED"); s != "" {
		if _, err := fmt.Sscan(s, &seed); err != nil {
			t.Fatalf("ENGINE_SEED %q: %v", s, err)
		}
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("ENGINE_SEED=%d go test ./engine -run '^%s$'", seed, t.Name())
		}
	})
	return rand.New(rand.NewPCG(seed, 1))
}

const testDim = 8

// makeItem is an item that id and version determine; the contents do not
// compress and name both.
func makeItem(id string, version int) engine.Item { return sizedItem(id, version, 64) }

// sizedItem is makeItem with contents of about size bytes.
func sizedItem(id string, version, size int) engine.Item {
	it := engine.Item{ID: id, Vector: make([]float32, testDim)}
	var sum uint64
	for _, c := range []byte(id) {
		sum = sum*131 + uint64(c)
	}
	r := rand.New(rand.NewPCG(sum, uint64(version)))
	for i := range it.Vector {
		it.Vector[i] = r.Float32()
	}
	it.Contents = fmt.Appendf(nil, "%s@%d:", id, version)
	for len(it.Contents) < size {
		it.Contents = append(it.Contents, byte(r.Uint32()))
	}
	name, err := json.Marshal(id)
	if err != nil {
		panic(err) // no string fails to marshal
	}
	it.Metadata = fmt.Appendf(nil, `{"id":%s,"version":%d}`, name, version)
	return it
}

// makeItems are n items of version 1, named prefix0 and so on.
func makeItems(prefix string, n int) []engine.Item {
	out := make([]engine.Item, n)
	for i := range out {
		out[i] = makeItem(fmt.Sprint(prefix, i), 1)
	}
	return out
}

func idsOf(items []engine.Item) []string {
	out := make([]string, len(items))
	for i := range items {
		out[i] = items[i].ID
	}
	return out
}

// equal compares items bit for bit, and nil is not empty.
func equal(a, b engine.Item) bool {
	return a.ID == b.ID && a.ExpiresAt.Equal(b.ExpiresAt) && (a.Vector == nil) == (b.Vector == nil) && (a.Contents == nil) == (b.Contents == nil) &&
		(a.Metadata == nil) == (b.Metadata == nil) && bytes.Equal(a.Contents, b.Contents) && bytes.Equal(a.Metadata, b.Metadata) &&
		slices.EqualFunc(a.Vector, b.Vector, func(x, y float32) bool { return math.Float32bits(x) == math.Float32bits(y) })
}

// collect is everything a scan yields; an item that comes twice fails the test.
func collect(t testing.TB, ix *engine.Index, opts ...engine.OpOption) map[string]engine.Item {
	t.Helper()
	out := make(map[string]engine.Item)
	for it, err := range ix.Items(context.Background(), engine.AllFields, opts...) {
		if err != nil {
			t.Fatalf("scan: %v", err)
		}
		if _, twice := out[it.ID]; twice {
			t.Errorf("item %q came twice", it.ID)
		}
		out[it.ID] = it
	}
	return out
}

// wantItems holds all reads against what the index should hold: scan, Count,
// and Get of every id of want and absent.
func wantItems(t testing.TB, ix *engine.Index, want map[string]engine.Item, absent ...string) {
	t.Helper()
	ctx := context.Background()
	have := collect(t, ix)
	for id, it := range want {
		if h, ok := have[id]; !ok {
			t.Errorf("scan misses %q", id)
		} else if !equal(h, it) {
			t.Errorf("scan: %q is %.80v, want %.80v", id, h, it)
		}
	}
	for id := range have {
		if _, ok := want[id]; !ok {
			t.Errorf("scan shows %q, which should not be there", id)
		}
	}
	if n := got(ix.Count(ctx))(t); n != len(want) {
		t.Errorf("Count is %d, want %d", n, len(want))
	}
	ids := absent
	for id := range want {
		ids = append(ids, id)
	}
	items := got(ix.Get(ctx, ids, engine.AllFields))(t)
	if len(items) != len(want) {
		t.Errorf("Get answers %d items, want %d", len(items), len(want))
	}
	for _, it := range items {
		if w, ok := want[it.ID]; !ok || !equal(it, w) {
			t.Errorf("Get: %q is %.80v, want %.80v", it.ID, it, w)
		}
	}
}

// byID is a model of an index.
func byID(items ...engine.Item) map[string]engine.Item {
	out := make(map[string]engine.Item)
	for _, it := range items {
		out[it.ID] = it
	}
	return out
}

// eventually waits for a condition.
func eventually(t testing.TB, within time.Duration, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(within); !cond(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", within, what)
		}
	}
}
