package engine_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/engine"
	"oubliette/internal/latchfs/failfs"
)

// TestConcurrentCallersSeeTheirOwnWrites lets workers call side by side, each on ids
// of its own, which are what it has written last whatever the others do: with users'
// keys of every kind, with root's while that is rotated, and with those of a guest
// whom root lets in and takes out meanwhile; with iterators that stay open; with
// items that expire. Maintenance, purges, compactions, backups and Check go on beside
// them. After each round the store goes on with a restart, with what a crash leaves,
// or with an image from the middle of the work, in which every id is as it was
// between the last call that had been acknowledged and the last that had begun.
//
// Its seed determines what each worker does, not how they come together.
func TestConcurrentCallersSeeTheirOwnWrites(t *testing.T) {
	rng := newRand(t)
	stores, rounds, steps := 1, 2, 60
	if crashLong() {
		stores, rounds, steps = 12, 20, 200
	}
	var total, images atomic.Int64
	began := time.Now()
	for n := 0; n < stores && !t.Failed(); n++ {
		for _, within := range []time.Duration{20 * time.Millisecond, time.Hour} {
			c := newModelCrew(t, rng.Uint64(), within, &total, &images)
			for round := 0; round < rounds && !t.Failed(); round++ {
				c.round(steps)
			}
			c.close()
		}
	}
	t.Logf("%d steps by %d workers, %.0f a second; %d images verified", total.Load(), modelCrewSize, float64(total.Load())/time.Since(began).Seconds(), images.Load())
	if images.Load() == 0 {
		t.Error("no image")
	}
}

const modelCrewSize = 6

// modelCrew is an index that several work on.
type modelCrew struct {
	t      *testing.T
	rng    *rand.Rand // of who drives the rounds
	mem    *vfs.MemFS
	opts   engine.Options
	db     *engine.DB
	bare   *engine.Index // keyless
	clock  *testClock
	ledger bool
	notes  *crashNotes // guarded by mu
	crew   []*modelWorker

	reader, writer epochLogin

	total, verified *atomic.Int64 // steps, images

	mu    sync.Mutex
	gen   int          // grows before and after each change of keys: while one is under way it is odd
	roots []engine.Key // all that root has had or is about to have
	acked int          // the last of them that is in force for sure
	guest epochLogin
	there bool // the guest is let in
	left  int  // images to take yet
	dice  *rand.Rand
	taken []*modelCrewImage
}

func newModelCrew(t *testing.T, seed uint64, within time.Duration, total, verified *atomic.Int64) *modelCrew {
	c := &modelCrew{
		t: t, rng: rand.New(rand.NewPCG(seed, 1)), dice: rand.New(rand.NewPCG(seed, 2)), clock: newTestClock(), notes: newCrashNotes(),
		total: total, verified: verified, roots: []engine.Key{engine.NewKey()},
	}
	c.ledger = c.rng.IntN(2) == 0
	c.opts = engine.Options{SegmentSize: 64 << 10, MemoryLimit: 64 << 10, PurgeWithin: within}
	c.clock.option(&c.opts)
	must(t, c.open(vfs.NewCrashableMem()))
	ix := got(c.db.CreateIndex(context.Background(), "a", c.roots[0], engine.IndexConfig{}))(t)
	let := func(n byte, perm engine.Permission) epochLogin {
		l := epochLogin{userID(n), engine.NewKey(), perm}
		must(t, ix.CreateUserKeys(context.Background(), l.user, l.key, perm, c.roots[0]))
		return l
	}
	c.reader, c.writer = let(1, engine.PermRead), let(2, engine.PermWrite)
	for n := range modelCrewSize {
		c.crew = append(c.crew, newModelWorker(c, n, c.rng.Uint64(), let(byte(10+n), readWrite)))
	}
	c.bare = got(c.db.LoadIndex(context.Background(), "a"))(t)
	return c
}

// open opens the store of a disk.
func (c *modelCrew) open(mem *vfs.MemFS) (err error) {
	c.mem = mem
	c.opts.FS = failfs.New(mem, c.before)
	c.opts.Ledger = nil
	if c.ledger {
		c.opts.Ledger = engine.LedgerFile(mem, modelLedger)
	}
	c.db, err = engine.Open(storeDir, &c.opts)
	return err
}

// round lets everybody work, and goes on with what is left of it.
func (c *modelCrew) round(steps int) {
	c.t.Helper()
	c.mu.Lock()
	for _, w := range c.crew {
		w.begin()
	}
	c.left = 1 + c.rng.IntN(2)
	c.mu.Unlock()
	var work, beside sync.WaitGroup
	stop := make(chan struct{})
	for _, w := range c.crew {
		work.Go(func() {
			if err := w.work(steps); err != nil {
				c.t.Errorf("%s: %v", w.name, err)
			}
		})
	}
	beside.Go(func() {
		if err := c.keep(rand.New(rand.NewPCG(c.rng.Uint64(), 3)), stop); err != nil {
			c.t.Errorf("beside: %v", err)
		}
	})
	crashTimed(c.t, 10*time.Minute, "the workload", work.Wait)
	close(stop)
	crashTimed(c.t, 10*time.Minute, "what goes on beside it", beside.Wait)
	c.mu.Lock()
	c.left = 0
	c.mu.Unlock()
	if !c.t.Failed() {
		c.settle()
	}
}

// settle ends a round: everything is held against what the workers know, what is
// dead is searched for, and images are verified.
func (c *modelCrew) settle() {
	c.t.Helper()
	ix := got(c.db.LoadIndex(context.Background(), "a", c.root().opts()...))(c.t)
	must(c.t, c.all(ix))
	got(ix.Purge(context.Background()))(c.t)
	got(ix.Check(context.Background()))(c.t)
	must(c.t, c.notes.residue(c.mem, c.dead))
	var next *modelCrewImage
	for _, im := range c.taken {
		must(c.t, im.verify(c))
		c.verified.Add(1)
		next = im
	}
	c.taken = nil
	switch n := c.rng.IntN(4); {
	case n == 0 && next != nil && next.fs != nil:
		must(c.t, c.db.Close())
		must(c.t, c.open(next.fs))
		next.adopt(c)
	case n <= 1: // at rest: everything that was acknowledged is there
		crash := modelCrash{[]int{0, 50, 100}[c.rng.IntN(3)], c.rng.Uint64()}
		fs := (&modelDisk{mem: c.mem}).clone(crash)
		must(c.t, c.db.Close())
		must(c.t, c.open(fs))
	default:
		must(c.t, c.db.Close())
		must(c.t, c.notes.residue(c.mem, c.dead))
		must(c.t, c.open(c.mem))
	}
	c.bare = got(c.db.LoadIndex(context.Background(), "a"))(c.t)
	must(c.t, c.all(got(c.db.LoadIndex(context.Background(), "a", c.root().opts()...))(c.t)))
}

// all is nil when the index holds what the workers have written last, and nothing
// else. Nobody works.
func (c *modelCrew) all(ix *engine.Index) error {
	want := &modelIndex{items: make(map[string]modelItem)}
	for _, w := range c.crew {
		maps.Copy(want.items, w.items)
	}
	for _, id := range want.due(c.clock.Load()) {
		delete(want.items, id)
	}
	return want.all(ix)
}

// dead tells of a version whether it is none that a worker has written last.
func (c *modelCrew) dead(v crashVersion) bool {
	for _, w := range c.crew {
		if strings.HasPrefix(v.id, w.name+"-") {
			it, ok := w.items[v.id]
			return !ok || it.version != v.version || it.gone(c.clock.Load())
		}
	}
	return true
}

// gone tells whether an item has expired.
func (it *modelItem) gone(now int64) bool {
	return !it.ExpiresAt.IsZero() && it.ExpiresAt.UnixMilli() <= now
}

func (c *modelCrew) close() {
	c.t.Helper()
	if !c.t.Failed() {
		must(c.t, c.db.Close())
		return
	}
	_ = c.db.Close()
}

// root is root's login of now.
func (c *modelCrew) root() epochLogin {
	c.mu.Lock()
	defer c.mu.Unlock()
	return epochLogin{key: c.roots[c.acked], perm: readWrite}
}

// keep is what goes on beside the workers, until it is told to stop.
func (c *modelCrew) keep(r *rand.Rand, stop chan struct{}) error {
	ctx := context.Background()
	for {
		select {
		case <-stop:
			return nil
		case <-time.After(time.Duration(r.IntN(4)) * time.Millisecond):
		}
		root := c.root()
		var err error
		switch n := r.IntN(20); {
		case n < 3:
			_, err = c.bare.Purge(ctx, root.opts()...)
		case n < 4:
			_, err = c.bare.Purge(ctx, append(root.opts(), engine.WithRewrite())...)
		case n < 6:
			err = c.bare.Compact(ctx, root.opts()...)
		case n < 7:
			_, err = c.bare.Check(ctx, root.opts()...)
		case n < 10:
			_, err = c.bare.Count(ctx, root.opts()...)
		case n < 13:
			c.clock.Add(modelTick)
		case n < 14:
			err = c.backup(r)
		case n < 17:
			err = c.let(root, engine.Permission(1+r.IntN(3)))
		case n < 19:
			err = c.takeOut(root)
		default:
			err = c.rotate(root)
		}
		if err != nil {
			return err
		}
	}
}

// change makes a change of keys, of which nobody knows meanwhile whether it is done.
func (c *modelCrew) change(run func() error, done func()) error {
	c.mu.Lock()
	c.gen++
	c.mu.Unlock()
	err := run()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gen++
	if err == nil {
		done()
	}
	return err
}

// let lets the guest in, with another key each time.
func (c *modelCrew) let(root epochLogin, perm engine.Permission) error {
	l := epochLogin{userID(3), engine.NewKey(), perm}
	return c.change(func() error {
		return c.bare.CreateUserKeys(context.Background(), l.user, l.key, perm, root.key)
	}, func() { c.guest, c.there = l, true })
}

// takeOut revokes the guest.
func (c *modelCrew) takeOut(root epochLogin) error {
	return c.change(func() error {
		return c.bare.DeleteUserKeys(context.Background(), userID(3), root.key)
	}, func() { c.there = false })
}

// rotate gives root another key.
func (c *modelCrew) rotate(root epochLogin) error {
	key := engine.NewKey()
	c.mu.Lock()
	c.roots = append(c.roots, key)
	c.mu.Unlock()
	return c.change(func() error {
		return c.bare.RotateKey(context.Background(), root.key, key)
	}, func() { c.acked = len(c.roots) - 1 })
}

// modelCrewCaller is with whose key a worker makes a call, and what was known of it
// when the call began.
type modelCrewCaller struct {
	who   string
	login epochLogin
	gen   int
	fixed bool // the key stays as it is
	there bool
}

// caller draws whose key a worker brings.
func (w *modelWorker) caller() modelCrewCaller {
	c := w.crew
	c.mu.Lock()
	defer c.mu.Unlock()
	switch n := w.rng.IntN(16); {
	case n < 8:
		return modelCrewCaller{"its own user", w.login, c.gen, true, true}
	case n < 9:
		return modelCrewCaller{"the reader", c.reader, c.gen, true, true}
	case n < 10:
		return modelCrewCaller{"the writer", c.writer, c.gen, true, true}
	case n < 14 || c.guest.key.IsZero():
		return modelCrewCaller{"root", epochLogin{key: c.roots[c.acked], perm: readWrite}, c.gen, false, true}
	}
	return modelCrewCaller{"the guest", c.guest, c.gen, false, c.there}
}

// judge tells of a call that has come back whether it was done; err: it should not
// have come back so.
func (c *modelCrew) judge(by modelCrewCaller, need engine.Permission, what string, err error) (done bool, _ error) {
	c.mu.Lock()
	known := by.fixed || by.gen%2 == 0 && by.gen == c.gen
	c.mu.Unlock()
	var want error
	switch {
	case !by.there:
		want = engine.ErrWrongKey
	case by.login.perm&need != need:
		want = engine.ErrPermission
	}
	switch {
	case known && err == nil && want != nil, known && !errors.Is(err, want):
		return false, fmt.Errorf("%s by %s answers %w, want %v", what, by.who, err, want)
	case err != nil && !errors.Is(err, engine.ErrWrongKey) && !errors.Is(err, engine.ErrPermission):
		return false, fmt.Errorf("%s by %s: %w", what, by.who, err)
	}
	return err == nil, nil
}
