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
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/engine"
)

// backupCall is one call of an author, and what lives of the author's items after
// it, by version. began and ended are moments of a clock that all authors share.
type backupCall struct {
	began, ended int64
	after        map[string]int
}

// author writes ids of its own, one call after the other, and remembers what each
// has made.
type author struct {
	name  string
	ix    *engine.Index
	rng   *rand.Rand
	clock *atomic.Int64
	next  int

	mu    sync.Mutex // guards calls: the last may be under way, its end is 0 then
	calls []backupCall
	notes *crashNotes // of all that the author has written, guarded by mu as well
}

func (a *author) work() error {
	ids := make([]string, 0, 6)
	for range 1 + a.rng.IntN(6) {
		ids = append(ids, fmt.Sprintf("%s-%d", a.name, a.rng.IntN(30)))
	}
	a.mu.Lock()
	after := maps.Clone(a.calls[len(a.calls)-1].after)
	a.mu.Unlock()
	items := make([]engine.Item, len(ids))
	deletes := a.rng.IntN(3) == 0
	for i, id := range ids {
		a.next++
		items[i] = sizedItem(id, a.next, 100+a.next%7*400)
		if after[id] = a.next; deletes {
			delete(after, id)
		}
	}
	a.mu.Lock()
	a.calls = append(a.calls, backupCall{began: a.clock.Add(1), after: after})
	a.mu.Unlock()
	var err error
	if deletes {
		_, err = a.ix.Delete(context.Background(), ids)
	} else {
		err = a.ix.Upsert(context.Background(), items)
	}
	if err != nil {
		return err
	}
	a.mu.Lock()
	a.calls[len(a.calls)-1].ended = a.clock.Add(1)
	a.mu.Unlock()
	if deletes {
		return nil
	}
	return a.note(ids, after)
}

// note notes where rows stand now. A rewrite may move them meanwhile; where they
// go is not noted.
func (a *author) note(ids []string, after map[string]int) error {
	slices.Sort(ids)
	rows, err := a.ix.SealedRows(context.Background(), slices.Compact(ids))
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, row := range rows {
		a.notes.add(crashVersion{"a", row.ID, after[row.ID]}, row.Bytes)
	}
	if errors.Is(err, os.ErrNotExist) {
		return nil // a rewrite has taken the file away
	}
	return err
}

// fits tells which calls of an author may be the last that a store holds.
func (a *author) fits(have map[string]engine.Item) (from, to int, err error) {
	from = -1
	for k := range a.calls {
		if a.same(have, a.calls[k].after) {
			if from < 0 {
				from = k
			}
			to = k
		}
	}
	if from < 0 {
		return 0, 0, fmt.Errorf("%s: its items are as they were after none of its %d calls", a.name, len(a.calls))
	}
	return from, to, nil
}

func (a *author) same(have map[string]engine.Item, want map[string]int) bool {
	n := 0
	for id, it := range have {
		if id[:len(a.name)+1] != a.name+"-" {
			continue
		}
		n++
		if version, ok := want[id]; !ok || !equal(it, sizedItem(id, version, 100+version%7*400)) {
			return false
		}
	}
	return n == len(want)
}

// backupCrowd is some authors at work on one index, and somebody who maintains it.
type backupCrowd struct {
	t       testing.TB
	s       *store
	ix      *engine.Index
	authors []*author
	clock   atomic.Int64
	stop    chan struct{}
	wg      sync.WaitGroup
}

func newBackupCrowd(t testing.TB, rng *rand.Rand, n int) *backupCrowd {
	mem := vfs.NewCrashableMem()
	c := &backupCrowd{t: t, stop: make(chan struct{}), s: openStore(t, mem, nil, func(o *engine.Options) {
		o.SegmentSize, o.MemoryLimit, o.PurgeWithin = 128<<10, 64<<10, 20*time.Millisecond
	})}
	c.ix = c.s.create("a")
	for i := range 10 { // so that there is something to copy for a while
		must(t, c.ix.Upsert(context.Background(), []engine.Item{sizedItem(fmt.Sprint("fill-", i), 1, 60<<10)}))
	}
	for i := range n {
		a := &author{name: fmt.Sprint("w", i), ix: c.ix, rng: rand.New(rand.NewPCG(rng.Uint64(), 1)), clock: &c.clock,
			notes: newCrashNotes(), calls: []backupCall{{began: -1, ended: -1, after: map[string]int{}}}}
		c.authors = append(c.authors, a)
		c.loop(func(int) error { return a.work() }, 0)
	}
	seed, key := rng.Uint64(), engine.NewKey()
	c.s.keys["other"] = key // which a backup may meet
	c.loop(func(i int) (err error) {
		ctx := context.Background()
		switch (seed + uint64(i)) % 5 {
		case 0, 1:
			_, err = c.ix.Purge(ctx)
		case 2:
			err = c.ix.Compact(ctx)
		case 3:
			err = c.ix.Roll(ctx)
		case 4:
			if _, err = c.s.CreateIndex(ctx, "other", key, engine.IndexConfig{}); err == nil {
				err = c.s.DeleteIndex(ctx, "other", key)
			}
		}
		return err
	}, 3*time.Millisecond)
	return c
}

// loop does something again and again until the crowd stops.
func (c *backupCrowd) loop(do func(i int) error, pause time.Duration) {
	c.wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-c.stop:
				return
			case <-time.After(pause):
			}
			if err := do(i); err != nil {
				c.t.Errorf("in the crowd: %v", err)
				return
			}
		}
	})
}

// slowly takes what is written in small steps.
type slowly struct {
	b     bytes.Buffer
	pause time.Duration
	step  int
}

func (w *slowly) Write(b []byte) (n int, err error) {
	for len(b) > 0 {
		k := min(len(b), w.step)
		w.b.Write(b[:k])
		b, n = b[k:], n+k
		time.Sleep(w.pause)
	}
	return n, nil
}

// TestABackupAmidWritesIsOfOneMoment: authors upsert and delete while backups are
// taken, with erasures, seals, rewrites and other indexes that come and go. Each
// restored store holds of every author all calls up to one, in the order in which
// calls of all of them have ended and begun; it checks clean, and once purged has
// nothing of what is not in it.
func TestABackupAmidWritesIsOfOneMoment(t *testing.T) {
	rng := newRand(t)
	rounds := 3
	if crashLong() {
		rounds = 20
	}
	for round := range rounds {
		limit := []uint64{32 << 10, 128 << 10, 1 << 20}[round%3]
		t.Run(fmt.Sprintf("round %d, limit %d", round, limit), func(t *testing.T) {
			defer engine.TailLimit(limit)()
			c := newBackupCrowd(t, rng, 4)
			time.Sleep(time.Duration(rng.IntN(300)) * time.Millisecond)
			began := c.clock.Add(1)
			w := &slowly{pause: time.Duration(rng.IntN(3000)) * time.Microsecond, step: 32 << 10}
			crashTimed(t, 2*time.Minute, "the backup", func() { must(t, c.s.Backup(context.Background(), w)) })
			ended := c.clock.Add(1)
			time.Sleep(20 * time.Millisecond)
			close(c.stop)
			c.wg.Wait()
			c.compare(w.b.Bytes(), began, ended)
		})
	}
}

// compare restores a backup and holds it against what the authors remember.
func (c *backupCrowd) compare(stream []byte, began, ended int64) {
	t := c.t
	r := restored(t, stream, c.s.keys)
	ix := r.load("a")
	have := collect(t, ix)
	latest, earliest := int64(-1), int64(1)<<62 // begun of what is in, ended of what is not
	n := 0
	for _, a := range c.authors {
		from, to, err := a.fits(have)
		must(t, err)
		n += len(a.calls)
		if a.calls[from].began > ended {
			t.Errorf("%s: a call that began after the backup is in it", a.name)
		}
		latest = max(latest, a.calls[from].began)
		if to+1 < len(a.calls) {
			if e := a.calls[to+1].ended; e < began {
				t.Errorf("%s: a call that had ended at %d, before the backup began at %d, is not in it", a.name, e, began)
			} else {
				earliest = min(earliest, e)
			}
		}
	}
	if earliest < latest {
		t.Errorf("a call that began at %d is in the backup, one that had ended at %d is not", latest, earliest)
	}
	got(ix.Check(context.Background()))(t)
	got(ix.Purge(context.Background()))(t)
	for _, a := range c.authors {
		must(t, a.notes.residue(r.fs, func(v crashVersion) bool {
			it, ok := have[v.id]
			return !ok || !equal(it, sizedItem(v.id, v.version, 100+v.version%7*400))
		}))
	}
	t.Logf("%d calls, backup of %d bytes from %d to %d, last in it began at %d", n, len(stream), began, ended, latest)
}
