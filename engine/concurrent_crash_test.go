package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/engine"
	"oubliette/internal/latchfs/failfs"
	"oubliette/segment"
)

// TestConcurrentWritersSurviveCrashes lets three writers upsert, delete, purge
// and compact one index of small segments at once, with maintenance beside them,
// and crashes it at random mutations with a random part of the unsynced kept.
// Each image shows, of every id, a version between the last that was
// acknowledged and the last that was begun; nothing that a Purge had certified
// can be opened in it, and after its own Purge and another crash nothing of what
// is dead is found.
//
// It runs for about two seconds, with OUBLIETTE_LONG=1 for two minutes, with
// ENGINE_CRASH_FOR=1h for as long as that.
func TestConcurrentWritersSurviveCrashes(t *testing.T) {
	rng := newRand(t)
	limit := 1800 * time.Millisecond
	if crashLong() {
		limit = 2 * time.Minute
	}
	if d, err := time.ParseDuration(os.Getenv("ENGINE_CRASH_FOR")); err == nil {
		limit = d
	}
	images, round := 0, 0
	for end := time.Now().Add(limit); time.Now().Before(end) && !t.Failed(); round++ {
		c := newCrowd(t, rng.Uint64())
		c.run()
		images += len(c.images)
		c.verifyAll(round)
	}
	t.Logf("%d rounds, %d images", round, images)
	if images == 0 {
		t.Error("no crash")
	}
}

const crowdWriters = 3

// crowd is an index that several write to, and what each id of it has been.
type crowd struct {
	t    *testing.T
	seed uint64
	rec  *crashRecorder
	db   *engine.DB
	ix   *engine.Index
	key  engine.Key

	mu     sync.Mutex // below, and those in the maps
	ids    map[string]*crowdID
	purged map[string]int // calls of an id that a Purge has covered
	notes  *crashNotes
	rng    *rand.Rand
	left   int // images to take; 0 when there is no store yet
	images []*crowdImage
}

// crowdID is one id's history. Only one writer changes it.
type crowdID struct {
	versions []int // after so many calls; 0 is none
	acked    int   // calls
}

// crowdImage is an image and, by id, between which calls it was taken.
type crowdImage struct {
	*crashImage
	acked, begun, purged map[string]int
}

func newCrowd(t *testing.T, seed uint64) *crowd {
	return &crowd{
		t: t, seed: seed, rec: &crashRecorder{mem: vfs.NewCrashableMem(), during: "the work of many", now: newCrashModel()},
		key: engine.NewKey(), ids: make(map[string]*crowdID), purged: make(map[string]int),
		notes: newCrashNotes(), rng: rand.New(rand.NewPCG(seed, 5)),
	}
}

// calls is how many calls of each id have been acknowledged, or begun.
func (c *crowd) calls(begun bool) map[string]int {
	out := make(map[string]int, len(c.ids))
	for id, h := range c.ids {
		if out[id] = h.acked; begun {
			out[id] = len(h.versions) - 1
		}
	}
	return out
}

// before takes an image before a mutation now and then.
func (c *crowd) before(n int, op, path string) failfs.Verdict {
	if op != "close" && op != "stat" && op != "preallocate" {
		c.take(n, op, path, 60)
	}
	return failfs.Pass
}

// take takes an image one time in so many. Calls go on meanwhile.
func (c *crowd) take(n int, op, path string, oneIn int) {
	c.mu.Lock()
	if c.left == 0 || c.rng.IntN(oneIn) != 0 {
		c.mu.Unlock()
		return
	}
	c.left--
	im := &crowdImage{acked: c.calls(false), purged: maps.Clone(c.purged)}
	style, seed := crashStyle{percent: []int{0, 0, 30, 60, 90, 100}[c.rng.IntN(6)]}, c.rng.Uint64()
	c.mu.Unlock()
	im.crashImage = c.rec.take(op, path, style, seed)
	im.point = n
	c.mu.Lock()
	im.begun = c.calls(true)
	c.images = append(c.images, im)
	c.mu.Unlock()
}

// run is the work of all.
func (c *crowd) run() {
	c.t.Helper()
	opts := crashOptions(failfs.New(c.rec.mem, c.before))
	opts.MemoryLimit = 64 << 10
	opts.PurgeWithin = time.Duration(2+c.rng.IntN(60)) * time.Millisecond
	c.db = got(engine.Open(storeDir, &opts))(c.t)
	c.ix = got(c.db.CreateIndex(context.Background(), "a", c.key, engine.IndexConfig{}))(c.t)
	must(c.t, c.ix.StepSize(context.Background(), 1)) // so that calls come in between
	c.mu.Lock()
	c.left = 16
	c.mu.Unlock()
	var wg sync.WaitGroup
	for w := range crowdWriters {
		wg.Go(func() {
			if err := c.write(w, rand.New(rand.NewPCG(c.seed, uint64(100+w)))); err != nil {
				c.t.Errorf("writer %d: %v", w, err)
			}
		})
	}
	wg.Wait()
	if _, err := c.ix.Check(context.Background()); err != nil {
		c.t.Errorf("check: %v", err)
	}
	c.mu.Lock()
	c.left = 0
	c.mu.Unlock()
	must(c.t, c.db.Close())
}

// write is one writer, with ids of its own.
func (c *crowd) write(w int, r *rand.Rand) error {
	ctx := context.Background()
	ids := make([]string, 12)
	for i := range ids {
		ids[i] = fmt.Sprintf("%c%d-%d", "sL"[r.IntN(2)], w, i)
	}
	for call := range 60 {
		some := make([]string, 1+r.IntN(5))
		for i, k := range r.Perm(len(ids))[:len(some)] {
			some[i] = ids[k]
		}
		var err error
		switch k := r.IntN(20); {
		case k < 10:
			err = c.change(some, call+1)
		case k < 17:
			err = c.change(some, 0)
		case k < 19:
			err = c.purge()
		default:
			err = c.ix.Compact(ctx)
		}
		if err != nil {
			return err
		}
		if r.IntN(3) == 0 {
			c.note(ids)
		}
	}
	return nil
}

// change upserts a version of ids, or deletes them if it is 0.
func (c *crowd) change(ids []string, version int) (err error) {
	c.mu.Lock()
	for _, id := range ids {
		if c.ids[id] == nil {
			c.ids[id] = &crowdID{versions: []int{0}}
		}
		c.ids[id].versions = append(c.ids[id].versions, version)
	}
	c.mu.Unlock()
	if version == 0 {
		_, err = c.ix.Delete(context.Background(), ids)
	} else {
		items := make([]engine.Item, len(ids))
		for i, id := range ids {
			items[i] = crashItem(id, version)
		}
		err = c.ix.Upsert(context.Background(), items)
	}
	if err != nil {
		return err
	}
	c.mu.Lock()
	for _, id := range ids {
		c.ids[id].acked++
	}
	c.mu.Unlock()
	if version != 0 {
		c.note(ids)
	}
	return nil
}

func (c *crowd) purge() error {
	c.mu.Lock()
	covers := c.calls(false)
	c.mu.Unlock()
	if _, err := c.ix.Purge(context.Background()); err != nil {
		return err
	}
	c.mu.Lock()
	for id, calls := range covers {
		c.purged[id] = max(c.purged[id], calls)
	}
	c.mu.Unlock()
	c.take(0, "nothing", "(a Purge has answered)", 2)
	return nil
}

// note notes the sealed bytes of a writer's own ids where they stand now.
func (c *crowd) note(ids []string) {
	c.mu.Lock()
	live := make(map[string]int)
	for _, id := range ids {
		if h := c.ids[id]; h != nil && h.versions[h.acked] != 0 {
			live[id] = h.versions[h.acked]
		}
	}
	c.mu.Unlock()
	rows, err := c.ix.SealedRows(context.Background(), slices.Collect(maps.Keys(live)))
	for try := 0; err != nil && try < 20; try++ { // moved meanwhile
		rows, err = c.ix.SealedRows(context.Background(), slices.Collect(maps.Keys(live)))
	}
	if err != nil {
		c.t.Errorf("sealed bytes: %v", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, row := range rows {
		c.notes.add(crashVersion{"a", row.ID, live[row.ID]}, row.Bytes)
	}
}

// deadBy tells of a version whether it has died within so many calls.
func (c *crowd) deadBy(calls map[string]int) func(crashVersion) bool {
	return func(v crashVersion) bool {
		return slices.Index(c.ids[v.id].versions, v.version) < calls[v.id]
	}
}

func (c *crowd) verifyAll(round int) {
	c.t.Helper()
	var wg sync.WaitGroup
	work := make(chan *crowdImage)
	for range 2 {
		wg.Go(func() {
			for im := range work {
				if err := c.verify(im); err != nil {
					c.t.Errorf("round %d: %v: %v", round, im, err)
				}
				im.fs = nil // large
			}
		})
	}
	for _, im := range c.images {
		work <- im
	}
	close(work)
	wg.Wait()
}

// verify opens an image, compares, purges, and crashes once more; and opens what
// that leaves.
func (c *crowd) verify(im *crowdImage) error {
	readable, err := withoutDestroyed(im.fs)
	if err == nil {
		err = c.notes.residue(readable, c.deadBy(im.purged))
	}
	if err != nil {
		return fmt.Errorf("purged before the crash: %w", err)
	}
	is, again, err := c.recover(im)
	if err != nil {
		return err
	}
	opts := crashOptions(again)
	db, err := engine.Open(storeDir, &opts)
	if err != nil {
		return fmt.Errorf("opened after a second crash: %w", err)
	}
	v := &crashVerifier{ever: crashRoots(map[string]engine.Key{"a": c.key})}
	have, err := v.read(db)
	if err == nil {
		err = crashDiff(have, is)
	}
	if err = errors.Join(err, db.Close()); err != nil {
		return fmt.Errorf("after a second crash: %w", err)
	}
	if err := c.notes.residue(again, c.deadBy(im.acked)); err != nil {
		return fmt.Errorf("closed after a second crash: %w", err)
	}
	return nil
}

// recover opens an image, reads, purges and crashes it. It answers what the store
// held, and the second image.
func (c *crowd) recover(im *crowdImage) (is *crashModel, again *vfs.MemFS, err error) {
	opts := crashOptions(im.fs)
	db, err := engine.Open(storeDir, &opts)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	v := &crashVerifier{ever: crashRoots(map[string]engine.Key{"a": c.key})}
	have, err := v.read(db)
	if err != nil {
		return nil, nil, err
	}
	if is, err = c.fit(im, have["a"]); err != nil {
		return nil, nil, err
	}
	ctx := context.Background()
	ix, err := db.LoadIndex(ctx, "a", engine.WithIndexKey(c.key))
	if err == nil {
		_, err = ix.Purge(ctx)
	}
	if err != nil {
		return nil, nil, err
	}
	again = im.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: im.style.percent, RNG: rand.New(rand.NewPCG(im.seed, 8))})
	if err := c.notes.residue(again, c.deadBy(im.acked)); err != nil {
		return nil, nil, fmt.Errorf("after Purge and a second crash: %w", err)
	}
	return is, again, nil
}

// fit finds for every id the version that an image shows, among those that it may.
func (c *crowd) fit(im *crowdImage, have map[string]engine.Item) (*crashModel, error) {
	versions := make(map[string]int)
	for id, h := range c.ids {
		it, there := have[id]
		fits := func(version int) bool {
			return (version != 0) == there && (!there || equal(it, crashItem(id, version)))
		}
		may := h.versions[im.acked[id] : im.begun[id]+1]
		i := slices.IndexFunc(may, fits)
		if i < 0 {
			return nil, fmt.Errorf("%s is there: %v (%.60s), it may be version %v", id, there, it.Metadata, may)
		}
		if there {
			versions[id] = may[i]
		}
	}
	for id := range have {
		if c.ids[id] == nil {
			return nil, fmt.Errorf("%s is there and never was", id)
		}
	}
	return newCrashModel().with("a", func(m map[string]int) { maps.Copy(m, versions) }), nil
}

// withoutDestroyed is a copy of an image without the segments whose header has
// been overwritten: no key opens what is in them, and Open removes them.
func withoutDestroyed(fs *vfs.MemFS) (*vfs.MemFS, error) {
	clone := fs.CrashClone(vfs.CrashCloneCfg{})
	files, err := crashFiles(clone)
	for path, b := range files {
		if header := b[:min(len(b), segment.DataStart)]; strings.HasSuffix(path, ".seg") && len(bytes.Trim(header, "\x00")) == 0 {
			err = errors.Join(err, clone.Remove(path))
		}
	}
	return clone, err
}
