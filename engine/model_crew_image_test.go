package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/engine"
	"oubliette/internal/latchfs/failfs"
)

// modelCrewImage is an image from the middle of the work: a disk as a crash has left
// it, or a backup; and between which calls it was taken, by id.
type modelCrewImage struct {
	what                  string
	fs                    *vfs.MemFS
	stream                []byte
	acked, begun          map[string]int
	rootsAcked, rootBegun int
	is                    map[string]*modelItem // what it has been found to hold
}

// before takes an image before a mutation now and then.
func (c *modelCrew) before(_ int, op, path string) failfs.Verdict {
	if op == "close" || op == "preallocate" || strings.HasPrefix(op, "stat") {
		return failfs.Pass
	}
	c.mu.Lock()
	if c.left == 0 || c.dice.IntN(150) != 0 {
		c.mu.Unlock()
		return failfs.Pass
	}
	c.left--
	crash := modelCrash{[]int{0, 0, 50, 100}[c.dice.IntN(4)], c.dice.Uint64()}
	im := &modelCrewImage{what: fmt.Sprintf("crash before %s of %s, %+v", op, path, crash)}
	c.beginImage(im)
	c.mu.Unlock()
	im.fs = (&modelDisk{mem: c.mem}).clone(crash)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.endImage(im)
	return failfs.Pass
}

// beginImage notes what has been acknowledged, endImage what has begun. mu is held.
func (c *modelCrew) beginImage(im *modelCrewImage) {
	im.rootsAcked, im.acked = c.acked, c.calls(func(p *modelPast) int { return p.acked })
}

func (c *modelCrew) endImage(im *modelCrewImage) {
	im.rootBegun, im.begun = len(c.roots)-1, c.calls(func(p *modelPast) int { return len(p.versions) - 1 })
	c.taken = append(c.taken, im)
}

func (c *modelCrew) calls(of func(*modelPast) int) map[string]int {
	out := make(map[string]int)
	for _, w := range c.crew {
		for id, p := range w.past {
			out[id] = of(p)
		}
	}
	return out
}

// backup takes an image by a backup. Beside a ledger it would take the deletes since
// from there, and be of no one moment.
func (c *modelCrew) backup(_ *rand.Rand) error {
	c.mu.Lock()
	if c.ledger || c.left == 0 {
		c.mu.Unlock()
		return nil
	}
	c.left--
	im := &modelCrewImage{what: "backup"}
	c.beginImage(im)
	c.mu.Unlock()
	var b bytes.Buffer
	if err := c.db.Backup(context.Background(), &b); err != nil {
		return err
	}
	im.stream = b.Bytes()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.endImage(im)
	return nil
}

// verify opens a copy of an image and holds it against what it may be.
func (im *modelCrewImage) verify(c *modelCrew) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s: %w", im.what, err)
		}
	}()
	var fs *vfs.MemFS
	opts := c.opts
	opts.Ledger = nil
	if im.stream != nil {
		fs = vfs.NewCrashableMem()
		opts.FS = fs
		if err := engine.RestoreWith(context.Background(), bytes.NewReader(im.stream), storeDir, &opts); err != nil {
			return err
		}
	} else {
		fs = im.fs.CrashClone(vfs.CrashCloneCfg{})
	}
	if opts.FS = fs; c.ledger {
		opts.Ledger = engine.LedgerFile(fs, modelLedger)
	}
	db, err := engine.Open(storeDir, &opts)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	ix, err := im.load(c, db)
	if err != nil {
		return err
	}
	if err := im.fit(c, ix); err != nil {
		return err
	}
	if _, err := ix.Purge(context.Background()); err != nil {
		return err
	}
	if _, err := ix.Check(context.Background()); err != nil {
		return err
	}
	return c.notes.residue(fs, func(v crashVersion) bool {
		it := im.is[v.id]
		return it == nil || it.version != v.version || it.gone(c.clock.Load())
	})
}

// load loads the index with one of the keys that root may have had, and with every
// worker's.
func (im *modelCrewImage) load(c *modelCrew, db *engine.DB) (ix *engine.Index, err error) {
	ctx := context.Background()
	for n := im.rootsAcked; n <= im.rootBegun; n++ {
		if ix, err = db.LoadIndex(ctx, "a", engine.WithIndexKey(c.roots[n])); err == nil {
			im.rootsAcked, im.rootBegun = n, n
			break
		}
	}
	if err != nil {
		return nil, err
	}
	for _, w := range c.crew {
		if _, err := db.LoadIndex(ctx, "a", w.login.opts()...); err != nil {
			return nil, fmt.Errorf("%s is shut out: %w", w.name, err)
		}
	}
	return ix, nil
}

// fit finds for every id the version that the image shows, among those that it may.
func (im *modelCrewImage) fit(c *modelCrew, ix *engine.Index) error {
	have := make(map[string]engine.Item)
	for it, err := range ix.Items(context.Background(), engine.AllFields) {
		if err != nil {
			return err
		}
		have[it.ID] = it
	}
	now := c.clock.Load()
	im.is = make(map[string]*modelItem)
	for _, w := range c.crew {
		for id, p := range w.past {
			it, shown := have[id]
			delete(have, id)
			found := false
			for n := im.acked[id]; n <= im.begun[id] && n < len(p.versions) && !found; n++ {
				v := p.versions[n]
				lives := v != nil && !v.gone(now)
				if found = lives == shown && (!shown || equal(it, v.Item)); found {
					im.is[id] = v
				}
			}
			if !found {
				return fmt.Errorf("%s is there: %v (%.60s), it may be after call %d to %d of %v", id, shown, it.Metadata, im.acked[id], im.begun[id], p)
			}
		}
	}
	for id := range have {
		return fmt.Errorf("%s is there and never was", id)
	}
	return nil
}

// adopt makes of what the workers know what the image has been found to hold.
func (im *modelCrewImage) adopt(c *modelCrew) {
	c.roots, c.acked = c.roots[:im.rootsAcked+1], im.rootsAcked
	c.guest, c.there = epochLogin{}, false // nobody knows whether it was in
	for _, w := range c.crew {
		clear(w.items)
		for id := range w.past {
			if v := im.is[id]; v != nil {
				w.items[id] = *v
			}
		}
	}
}
