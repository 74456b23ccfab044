package engine_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/engine"
	"oubliette/internal/latchfs/failfs"
)

// eachCrash runs a run again and again on copies of a disk, and calls after with what
// a crash before each of its mutations leaves, with some of the unsynced kept.
func eachCrash(t *testing.T, disk *vfs.MemFS, run func(fs vfs.FS), after func(fs *vfs.MemFS)) (points, crashed int) {
	t.Helper()
	for k := 0; !t.Failed(); k++ {
		mem := disk.CrashClone(vfs.CrashCloneCfg{})
		var images []*vfs.MemFS
		var mu sync.Mutex // the database below works in the background, too
		run(failfs.New(crashWhole{mem, &mu}, func(n int, op, _ string) failfs.Verdict {
			mu.Lock()
			defer mu.Unlock()
			if n == k && op != "close" {
				for i, percent := range crashPercents() {
					images = append(images, mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rand.New(rand.NewPCG(uint64(k), uint64(i)))}))
				}
			}
			if n >= k {
				points = max(points, n)
			}
			return failfs.Pass
		}))
		mu.Lock() // of what works on in the background
		taken, last := images, points
		mu.Unlock()
		if k > last {
			return last, crashed
		}
		for _, im := range taken {
			after(im)
			crashed++
		}
	}
	return points, crashed
}

// crashPercents are how much of the unsynced a crash keeps.
func crashPercents() []int {
	if crashLong() {
		return []int{0, 10, 25, 45, 50, 60, 75, 90, 100}
	}
	return []int{0, 50, 100}
}

// use opens a store of the disk with its ledger, holds it against want, deletes id,
// and looks for what should be gone.
func use(t *testing.T, fs vfs.FS, keys map[string]engine.Key, noted *residue, want map[string]engine.Item, id string) {
	t.Helper()
	o := engine.Options{FS: fs, Ledger: engine.LedgerFile(fs, "/ledger")}
	db := got(engine.Open(storeDir, &o))(t)
	ix := got(db.LoadIndex(context.Background(), "a", engine.WithIndexKey(keys["a"])))(t)
	wantItems(t, ix, want)
	got(ix.Delete(context.Background(), []string{id}))(t)
	got(ix.Purge(context.Background()))(t)
	got(ix.Check(context.Background()))(t)
	must(t, db.Close())
	if noted != nil {
		noted.wantGone(t, fs)
	}
}

// A crash at any mutation while a ledger is given to a store that has indexes leaves
// one that the next Open goes on with.
func TestALedgerMayBeGivenAcrossACrash(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	ix := s.create("a")
	must(t, ix.Upsert(ctx, makeItems("k", 10)))
	got(ix.Delete(ctx, []string{"k0"}))(t)
	s.close()
	want := byID(makeItems("k", 10)[1:]...)
	n, images := eachCrash(t, s.snapshot(), func(fs vfs.FS) {
		o := engine.Options{FS: fs, Ledger: engine.LedgerFile(fs, "/ledger")}
		must(t, got(engine.Open(storeDir, &o))(t).Close())
	}, func(im *vfs.MemFS) {
		use(t, im, s.keys, nil, want, "k5")
		left := byID(append(makeItems("k", 5)[1:], makeItems("k", 10)[6:]...)...)
		use(t, im, s.keys, nil, left, "k6")
	})
	t.Logf("%d mutations, %d images", n, images)
}

// A crash at any mutation while a store that was put back takes its deletes from the
// ledger: none of them is shown afterwards, and all are erased.
func TestCatchingUpMayCrash(t *testing.T) {
	ctx := context.Background()
	s := newStore(t, func(o *engine.Options) { o.Ledger = engine.LedgerFile(o.FS, "/ledger") })
	ix := s.create("a")
	must(t, ix.Upsert(ctx, makeItems("k", 12)))
	must(t, ix.Roll(ctx))
	must(t, ix.SealNow(ctx))
	must(t, ix.Upsert(ctx, makeItems("open", 4)))
	old := s.snapshot()
	noted := new(residue)
	noted.note(t, s, ix, []string{"k1", "k2", "open1"})
	got(ix.Delete(ctx, []string{"k1"}))(t)
	got(ix.Delete(ctx, []string{"k2", "open1"}))(t)
	s.close()
	writeFile(t, old, "/ledger", got(readFile(s.fs, "/ledger"))(t))
	root := got(old.OpenDir("/"))(t)
	must(t, errors.Join(root.Sync(), root.Close()))
	want := byID(append(makeItems("k", 12), makeItems("open", 4)...)...)
	for _, id := range []string{"k1", "k2", "open1"} {
		delete(want, id)
	}
	n, images := eachCrash(t, old, func(fs vfs.FS) {
		o := engine.Options{FS: fs, Ledger: engine.LedgerFile(fs, "/ledger")}
		db := got(engine.Open(storeDir, &o))(t)
		bix := got(db.LoadIndex(ctx, "a", engine.WithIndexKey(s.keys["a"])))(t)
		got(bix.Purge(ctx))(t)
		must(t, db.Close())
	}, func(im *vfs.MemFS) { use(t, im, s.keys, noted, want, "k5") })
	t.Logf("%d mutations, %d images", n, images)
}
