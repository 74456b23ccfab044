package engine_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"oubliette/engine"
)

// modelMachine is an index and the map that it should be. It is driven by rapid:
// a failing sequence is shrunk and can be run again.
type modelMachine struct {
	fs    *vfs.MemFS
	db    *engine.DB
	ix    *engine.Index
	key   engine.Key
	items map[string]engine.Item
	notes *crashNotes // of what was replaced or deleted, under its id and version
	next  int
	opts  engine.Options
	clock *testClock
	late  map[string]bool // have expired, and their deaths may not have been logged

	receipts []modelReceipt
}

func newModelMachine(t *rapid.T) *modelMachine {
	m := &modelMachine{
		fs: vfs.NewCrashableMem(), key: engine.NewKey(), items: make(map[string]engine.Item), notes: newCrashNotes(),
		clock: newTestClock(), late: make(map[string]bool),
	}
	m.opts = engine.Options{FS: m.fs, PurgeWithin: time.Hour, SegmentSize: 64 << 10}
	m.clock.option(&m.opts)
	m.open(t)
	ix, err := m.db.CreateIndex(context.Background(), "a", m.key, engine.IndexConfig{})
	modelMust(t, err)
	m.ix = ix
	return m
}

func modelMust(t *rapid.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (m *modelMachine) open(t *rapid.T) {
	db, err := engine.Open(storeDir, &m.opts)
	modelMust(t, err)
	m.db = db
}

func (m *modelMachine) load(t *rapid.T) {
	ix, err := m.db.LoadIndex(context.Background(), "a", engine.WithIndexKey(m.key))
	modelMust(t, err)
	m.ix = ix
}

func (m *modelMachine) id(t *rapid.T) string {
	return fmt.Sprint("id", rapid.IntRange(0, 40).Draw(t, "id"))
}

func (m *modelMachine) ids(t *rapid.T) []string {
	out := make([]string, rapid.IntRange(1, 12).Draw(t, "n"))
	for i := range out {
		out[i] = m.id(t)
	}
	return out
}

// note notes the sealed bytes of what is about to die.
func (m *modelMachine) note(t *rapid.T, ids []string) {
	var living []string
	for _, id := range ids {
		if _, ok := m.items[id]; ok && !slices.Contains(living, id) {
			living = append(living, id)
		}
	}
	if len(living) == 0 {
		return
	}
	rows, err := m.ix.SealedRows(context.Background(), living)
	for try := 0; err != nil && try < 20; try++ { // moved meanwhile
		rows, err = m.ix.SealedRows(context.Background(), living)
	}
	modelMust(t, err)
	for _, row := range rows {
		m.notes.add(crashVersion{"a", row.ID, m.next}, row.Bytes)
		m.next++
	}
}

// modelTick is how far apart the moments are at which items expire, in
// milliseconds.
const modelTick = 20_000

// expiry is when an item of the next upsert expires; some have expired by then.
func (m *modelMachine) expiry(t *rapid.T) time.Time {
	in := rapid.IntRange(-6, 5).Draw(t, "expires in")
	if in < -1 {
		return time.Time{}
	}
	return time.UnixMilli(m.clock.Load() + int64(in)*modelTick).UTC()
}

// put makes the model what an upsert makes of the index.
func (m *modelMachine) put(items []engine.Item) {
	for _, it := range items {
		m.items[it.ID] = it
		delete(m.late, it.ID)
	}
	m.drop(m.clock.Load())
}

// expired is what will have expired by a time.
func (m *modelMachine) expired(by int64) (ids []string) {
	for id, it := range m.items {
		if !it.ExpiresAt.IsZero() && it.ExpiresAt.UnixMilli() <= by {
			ids = append(ids, id)
		}
	}
	return ids
}

func (m *modelMachine) drop(by int64) {
	for _, id := range m.expired(by) {
		delete(m.items, id)
		m.late[id] = true
	}
}

// Tick lets time pass.
func (m *modelMachine) Tick(t *rapid.T) {
	to := m.clock.Load() + int64(rapid.IntRange(1, 3).Draw(t, "ticks"))*modelTick
	m.note(t, m.expired(to))
	m.clock.Store(to)
	m.drop(to)
}

// TickDuringScan lets items expire that a scan has not shown yet.
func (m *modelMachine) TickDuringScan(t *rapid.T) {
	after := rapid.IntRange(0, 20).Draw(t, "after")
	seen := make(map[string]bool)
	for it, err := range m.ix.Items(context.Background(), engine.AllFields) {
		modelMust(t, err)
		if w, ok := m.items[it.ID]; !ok || seen[it.ID] || !equal(it, w) {
			t.Fatalf("scan shows %q, which is gone, came before or is another version", it.ID)
		}
		if seen[it.ID] = true; len(seen) == after {
			m.Tick(t)
		}
	}
	for id := range m.items {
		if !seen[id] {
			t.Fatalf("scan does not show %q, which lives throughout", id)
		}
	}
}

// Expire logs what has expired, and applies nothing; an id comes back meanwhile.
func (m *modelMachine) Expire(t *rapid.T) {
	m.next++
	it := sizedItem(m.id(t), m.next, 100)
	it.ExpiresAt = m.expiry(t)
	m.note(t, []string{it.ID})
	modelMust(t, m.ix.ExpireNow(context.Background(), func() {
		modelMust(t, m.ix.Upsert(context.Background(), []engine.Item{it}))
	}))
	m.put([]engine.Item{it})
}

// Upsert puts new and known items, some fields absent, some ids twice.
func (m *modelMachine) Upsert(t *rapid.T) {
	ids := m.ids(t)
	size := rapid.SampledFrom([]int{0, 10, 300, 3000}).Draw(t, "size")
	absent := rapid.IntRange(0, 7).Draw(t, "absent")
	expires := m.expiry(t)
	items := make([]engine.Item, len(ids))
	m.note(t, ids)
	for i, id := range ids {
		m.next++
		it := sizedItem(id, m.next, size)
		if absent&1 != 0 {
			it.Vector = nil
		}
		if absent&2 != 0 {
			it.Contents = nil
		}
		if absent&4 != 0 {
			it.Metadata = nil
		}
		it.ExpiresAt = expires
		items[i] = it
	}
	modelMust(t, m.ix.Upsert(context.Background(), items))
	m.put(items)
}

// Delete deletes known and unknown ids, some twice.
func (m *modelMachine) Delete(t *rapid.T) {
	m.delete(t, m.ids(t))
}

func (m *modelMachine) delete(t *rapid.T, ids []string) {
	m.note(t, ids)
	r, err := m.ix.Delete(context.Background(), ids)
	modelMust(t, err)
	found, late := 0, 0
	for _, id := range ids {
		if _, ok := m.items[id]; ok {
			found++
		}
		if m.late[id] {
			late++
		}
		delete(m.items, id)
		delete(m.late, id)
	}
	m.receipts = append(m.receipts, modelReceipt{r, found, late})
}

// modelReceipt is a delete and how many items it has found, and may have found that
// had expired.
type modelReceipt struct {
	engine.Receipt
	found, late int
}

// status holds what the store says of every delete against the model: the true
// count once it is known, and with erased that all of them are.
func (m *modelMachine) status(t *rapid.T, erased bool) {
	for _, r := range m.receipts {
		s, err := m.ix.Status(context.Background(), r.Receipt)
		modelMust(t, err)
		if s.Counted && (s.Rows < r.found || s.Rows > r.found+r.late || s.Asked != r.Count || (s.Bytes > 0) != (s.Rows > 0)) || erased && (s.State != engine.Erased || !s.Counted) {
			t.Fatalf("delete %d of %d ids found %d items; status %+v", r.Seq, r.Count, r.found, s)
		}
	}
}

// Get asks for known and unknown ids.
func (m *modelMachine) Get(t *rapid.T) {
	ids := m.ids(t)
	have, err := m.ix.Get(context.Background(), ids, engine.AllFields)
	modelMust(t, err)
	var want []engine.Item
	for _, id := range ids {
		if it, ok := m.items[id]; ok {
			want = append(want, it)
		}
	}
	if !slices.EqualFunc(have, want, equal) {
		t.Fatalf("Get of %v answers %d items, want %d", ids, len(have), len(want))
	}
}

// DeleteDuringScan deletes what a scan that is half-way has not shown yet.
func (m *modelMachine) DeleteDuringScan(t *rapid.T) {
	ids := m.ids(t)
	after := rapid.IntRange(0, 20).Draw(t, "after")
	want := maps.Clone(m.items)
	seen := make(map[string]bool)
	deleted := false
	for it, err := range m.ix.Items(context.Background(), engine.AllFields) {
		modelMust(t, err)
		if w, ok := want[it.ID]; !ok || seen[it.ID] || !equal(it, w) {
			t.Fatalf("scan shows %q, which is gone, came before or is another version", it.ID)
		}
		seen[it.ID] = true
		if len(seen) > after && !deleted {
			deleted = true
			m.delete(t, ids)
			for _, id := range ids {
				if !seen[id] {
					delete(want, id)
				}
			}
		}
	}
	if len(seen) != len(want) {
		t.Fatalf("scan shows %d items, want %d", len(seen), len(want))
	}
}

// Purge erases; no byte of what died may be left.
func (m *modelMachine) Purge(t *rapid.T) {
	var opts []engine.OpOption
	if rapid.IntRange(0, 3).Draw(t, "rewrite") == 0 {
		opts = append(opts, engine.WithRewrite())
	}
	_, err := m.ix.Purge(context.Background(), opts...)
	modelMust(t, err)
	clear(m.late)
	m.status(t, true)
	if err := m.notes.residue(m.fs, func(crashVersion) bool { return true }); err != nil {
		t.Fatal(err)
	}
}

// Compact rewrites.
func (m *modelMachine) Compact(t *rapid.T) { modelMust(t, m.ix.Compact(context.Background())) }

// Roll closes the open segment.
func (m *modelMachine) Roll(t *rapid.T) {
	modelMust(t, m.ix.Roll(context.Background()))
	modelMust(t, m.ix.SealNow(context.Background()))
}

// Reopen closes the store and opens it again.
func (m *modelMachine) Reopen(t *rapid.T) {
	modelMust(t, m.db.Close())
	if err := m.notes.residue(m.fs, func(crashVersion) bool { return true }); err != nil {
		t.Fatalf("after Close: %v", err)
	}
	m.open(t)
	m.load(t)
}

// Crash goes on with what a crash leaves.
func (m *modelMachine) Crash(t *rapid.T) {
	percent := rapid.SampledFrom([]int{0, 0, 50, 100}).Draw(t, "kept percent")
	seed := rapid.Uint64().Draw(t, "seed")
	clone := m.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rand.New(rand.NewPCG(seed, 1))})
	modelMust(t, m.db.Close())
	m.fs, m.opts.FS = clone, clone
	m.open(t)
	m.load(t)
}

// Check holds everything against the model after each step.
func (m *modelMachine) Check(t *rapid.T) {
	have := make(map[string]engine.Item)
	for it, err := range m.ix.Items(context.Background(), engine.AllFields) {
		modelMust(t, err)
		if _, twice := have[it.ID]; twice {
			t.Fatalf("scan shows %q twice", it.ID)
		}
		have[it.ID] = it
	}
	if !maps.EqualFunc(have, m.items, equal) {
		t.Fatalf("scan shows %d items that are not the %d of the model", len(have), len(m.items))
	}
	if n, err := m.ix.Count(context.Background()); err != nil || n != len(m.items) {
		t.Fatalf("Count is %d (%v), want %d", n, err, len(m.items))
	}
	m.status(t, false)
}

// TestIndexBehavesAsAMap drives an index with random operations. Run a failure
// again with the flag that it prints. It makes up 40 sequences, 1,500 with
// OUBLIETTE_LONG=1, or as many as -rapid.checks says.
func TestIndexBehavesAsAMap(t *testing.T) {
	if checks := flag.Lookup("rapid.checks"); checks.Value.String() == checks.DefValue {
		n := "40"
		if crashLong() {
			n = "1500"
		}
		must(t, checks.Value.Set(n))
		defer func() { must(t, checks.Value.Set(checks.DefValue)) }()
	}
	rapid.Check(t, func(t *rapid.T) {
		m := newModelMachine(t)
		actions := map[string]func(*rapid.T){
			"Upsert": m.Upsert, "Upsert2": m.Upsert, "Upsert3": m.Upsert, "Delete": m.Delete, "Delete2": m.Delete,
			"Get": m.Get, "DeleteDuringScan": m.DeleteDuringScan, "Purge": m.Purge, "Compact": m.Compact,
			"Tick": m.Tick, "TickDuringScan": m.TickDuringScan, "Expire": m.Expire, "Roll": m.Roll, "Reopen": m.Reopen, "Crash": m.Crash, "": m.Check,
		}
		t.Repeat(actions)
		if _, err := m.ix.Check(context.Background()); err != nil {
			t.Fatal(err)
		}
		modelMust(t, m.db.Close())
	})
}

// modelWorker owns the ids that begin with its name: what it reads of them must
// be what it wrote last.
type modelWorker struct {
	name  string
	ix    *engine.Index
	rng   *rand.Rand
	items map[string]engine.Item
	next  int
}

func (w *modelWorker) ids() []string {
	out := make([]string, 0, 12)
	for range 1 + w.rng.IntN(12) {
		out = append(out, fmt.Sprintf("%s-%d", w.name, w.rng.IntN(60)))
	}
	return out
}

// step does one random operation. Deletes and upserts that are cancelled may
// have been done or not; what is read afterwards settles it.
func (w *modelWorker) step(ctx context.Context) error {
	ids := w.ids()
	switch w.rng.IntN(12) {
	default:
		items := make([]engine.Item, len(ids))
		for i, id := range ids {
			w.next++
			items[i] = sizedItem(id, w.next, w.rng.IntN(2000))
		}
		if err := w.ix.Upsert(ctx, items); err != nil {
			return fmt.Errorf("upsert: %w", err)
		}
		for _, it := range items {
			w.items[it.ID] = it
		}
	case 0, 1, 2:
		if _, err := w.ix.Delete(ctx, ids); err != nil {
			return fmt.Errorf("delete: %w", err)
		}
		for _, id := range ids {
			delete(w.items, id)
		}
	case 3:
		return w.cancelled(ids)
	case 4, 5:
		return w.get(ctx, ids)
	case 6:
		return w.scan(ctx)
	}
	return w.get(ctx, ids)
}

// cancelled upserts under a context that ends at some moment.
func (w *modelWorker) cancelled(ids []string) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	items := make([]engine.Item, len(ids))
	for i, id := range ids {
		w.next++
		items[i] = sizedItem(id, w.next, 100)
	}
	timer := time.AfterFunc(time.Duration(w.rng.IntN(2000))*time.Microsecond, cancel)
	defer timer.Stop()
	err := w.ix.Upsert(ctx, items)
	if err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("cancelled upsert: %w", err)
	}
	if err == nil {
		for _, it := range items {
			w.items[it.ID] = it
		}
	}
	return w.get(context.Background(), ids)
}

func (w *modelWorker) get(ctx context.Context, ids []string) error {
	have, err := w.ix.Get(ctx, ids, engine.AllFields)
	if err != nil {
		return fmt.Errorf("get: %w", err)
	}
	var want []engine.Item
	for _, id := range ids {
		if it, ok := w.items[id]; ok {
			want = append(want, it)
		}
	}
	if !slices.EqualFunc(have, want, equal) {
		return fmt.Errorf("get of %v answers %d items, want %d as they were written", ids, len(have), len(want))
	}
	return nil
}

// scan has to show each of the worker's items once, as it was written last.
func (w *modelWorker) scan(ctx context.Context) error {
	n := 0
	seen := make(map[string]bool)
	for it, err := range w.ix.Items(ctx, engine.AllFields) {
		if err != nil {
			return fmt.Errorf("scan: %w", err)
		}
		if seen[it.ID] {
			return fmt.Errorf("scan shows %q twice", it.ID)
		}
		seen[it.ID] = true
		if it.ID[:len(w.name)+1] != w.name+"-" {
			continue
		}
		if want, ok := w.items[it.ID]; !ok || !equal(it, want) {
			return fmt.Errorf("scan shows %q, which was deleted, or another version", it.ID)
		}
		n++
	}
	if n != len(w.items) {
		return fmt.Errorf("scan shows %d of the worker's %d items", n, len(w.items))
	}
	return nil
}

// TestConcurrentWritersSeeTheirOwnWrites lets writers work side by side, each on
// ids of its own, with maintenance, purges and compactions in between; then
// the store crashes, and everything acknowledged has to be there.
func TestConcurrentWritersSeeTheirOwnWrites(t *testing.T) {
	rng := newRand(t)
	for _, within := range []time.Duration{20 * time.Millisecond, time.Hour} {
		t.Run(fmt.Sprintf("PurgeWithin %v", within), func(t *testing.T) { modelConcurrent(t, rng, within) })
	}
}

func modelConcurrent(t *testing.T, rng *rand.Rand, within time.Duration) {
	mem := vfs.NewCrashableMem()
	s := openStore(t, mem, nil, func(o *engine.Options) {
		o.SegmentSize, o.MemoryLimit, o.PurgeWithin = 64<<10, 64<<10, within
	})
	ix := s.create("a")
	steps := 120
	if crashLong() {
		steps = 3000
	}
	workers := make([]*modelWorker, 6)
	var wg, background sync.WaitGroup
	stop := make(chan struct{})
	for i := range workers {
		w := &modelWorker{name: fmt.Sprint("w", i), ix: ix, rng: rand.New(rand.NewPCG(rng.Uint64(), 1)), items: make(map[string]engine.Item)}
		workers[i] = w
		wg.Go(func() {
			for range steps {
				if err := w.step(context.Background()); err != nil {
					t.Errorf("%s: %v", w.name, err)
					return
				}
			}
		})
	}
	background.Go(func() { modelBackground(t, ix, stop) })
	crashTimed(t, 10*time.Minute, "the workload", wg.Wait)
	close(stop)
	background.Wait()
	want := make(map[string]engine.Item)
	for _, w := range workers {
		maps.Copy(want, w.items)
	}
	wantItems(t, ix, want)
	crashed := openStore(t, mem.CrashClone(vfs.CrashCloneCfg{}), s.keys)
	wantItems(t, crashed.load("a"), want)
	s.reopen()
	wantItems(t, s.load("a"), want)
}

// modelBackground purges, compacts, checks and counts until told to stop.
func modelBackground(t *testing.T, ix *engine.Index, stop chan struct{}) {
	ctx := context.Background()
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		case <-time.After(5 * time.Millisecond):
		}
		var err error
		switch i % 4 {
		case 0:
			_, err = ix.Purge(ctx)
		case 1:
			_, err = ix.Count(ctx)
		case 2:
			err = ix.Compact(ctx)
		case 3:
			_, err = ix.Check(ctx)
		}
		if err != nil {
			t.Errorf("in the background, %d: %v", i%4, err)
			return
		}
	}
}
