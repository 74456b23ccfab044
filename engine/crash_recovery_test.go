package engine_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/engine"
)

// crashRecover opens an image without a key, and with one, lets maintenance finish
// what the crash left, and takes images of that.
func crashRecover(v *crashVerifier, im *crashImage, want func(int) []crashStyle) ([]*crashImage, int, error) {
	rec, fs := newCrashRecorder(im.fs, im.seed+1, want)
	rec.now, rec.next, rec.during = im.now, im.next, "recovery of: "+im.String()
	db, err := v.open(fs)
	if err == nil {
		err = untilAKey(db.Close())
	}
	if err != nil {
		return nil, 0, err
	}
	if db, err = v.open(fs); err != nil {
		return nil, 0, err
	}
	names, err := db.ListIndexes()
	for _, name := range names {
		var ix *engine.Index
		if ix, err = v.load(db, name); err != nil {
			break
		}
		if _, err = ix.Purge(context.Background()); err != nil {
			break
		}
	}
	err = errors.Join(err, db.Close())
	return rec.stop(), rec.points, err
}

// crashRecoveries crashes recoveries, and counts.
type crashRecoveries struct {
	v              *crashVerifier
	points, images int
}

// crash crashes the recovery of an image, and answers some of what that leaves.
func (r *crashRecoveries) crash(t *testing.T, im *crashImage, want func(int) []crashStyle, some int, rng *rand.Rand) (keep []*crashImage) {
	t.Helper()
	again, n, err := crashRecover(r.v, im, want)
	if err != nil {
		t.Fatalf("%v: recovery: %v", im, err)
	}
	r.points, r.images = r.points+n, r.images+len(again)
	for _, i := range rng.Perm(len(again))[:min(some, len(again))] {
		c := *again[i]
		c.fs = crashAsItIs(c.fs)
		keep = append(keep, &c)
	}
	r.v.all(t, again)
	return keep
}

// crashAsItIs is a copy of an image, in which everything is synced.
func crashAsItIs(im *vfs.MemFS) *vfs.MemFS { return im.CrashClone(vfs.CrashCloneCfg{}) }

// TestRecoveryItselfMayCrash crashes stores, and crashes them again while they
// are opened, purged and closed, and once more in the recovery of that.
//
// It takes a sample of a sample; OUBLIETTE_LONG=1 takes every mutation of the
// recoveries of some 25 images in two styles each, and a third of those of the
// recoveries of two of each of these.
func TestRecoveryItselfMayCrash(t *testing.T) {
	rng := newRand(t)
	first, second, third, some := 4, crashSample(rng, 4, 100), crashSample(rng, 2, 100), 1
	if crashLong() {
		first, some = 25, 2
		second = func(int) []crashStyle {
			return []crashStyle{crashStyles[0], crashStyles[1+rng.IntN(len(crashStyles)-1)]}
		}
		third = crashSample(rng, 1, 3)
	}
	mem := vfs.NewCrashableMem()
	rec, fs := newCrashRecorder(mem, rng.Uint64(), crashSample(rng, first, 1350))
	w := newCrashWorld(t, rec, fs)
	crashScript(w)
	once, twice := &crashRecoveries{v: w.verifier()}, &crashRecoveries{v: w.verifier()}
	for _, im := range rec.stop() {
		for _, again := range once.crash(t, im, second, some, rng) {
			twice.crash(t, again, third, 0, rng)
		}
	}
	t.Logf("%d mutations of recoveries, %d images; of recoveries of these, %d mutations, %d images",
		once.points, once.images, twice.points, twice.images)
}

// TestRandomWorkloadsSurviveCrashes makes up workloads and crashes them.
//
// It runs a few; OUBLIETTE_LONG=1 runs 60.
func TestRandomWorkloadsSurviveCrashes(t *testing.T) {
	rng := newRand(t)
	rounds := 2
	if crashLong() {
		rounds = 60
	}
	images := 0
	for range rounds {
		script := crashRandomScript(rand.New(rand.NewPCG(rng.Uint64(), 3)))
		_, n := crashRun(t, script, rng.Uint64(), crashSample(rng, 12, 400))
		if images += n; t.Failed() {
			break
		}
	}
	t.Logf("%d images in all", images)
}

func crashRandomScript(rng *rand.Rand) func(*crashWorld) {
	some := func() []string {
		var out []string
		seen := make(map[string]bool)
		for range 1 + rng.IntN(14) {
			prefix := "s"
			if rng.IntN(2) == 0 {
				prefix = "L"
			}
			id := crashIDs(prefix, rng.IntN(40), 40)[0]
			if !seen[id] {
				seen[id] = true
				out = append(out, id)
			}
		}
		return out
	}
	return func(w *crashWorld) {
		w.open()
		w.create("a")
		for range 60 {
			switch rng.IntN(20) {
			default:
				w.upsert("a", some()...)
			case 0, 1, 2, 3, 4, 5:
				w.delete("a", some()...)
			case 6, 7:
				w.purge("a")
			case 8:
				w.compact("a")
			case 9:
				w.aborted("a")
			case 10:
				w.close()
				w.open()
			case 11:
				w.upsert("a", crashIDs("L", 0, 35)...)
			}
		}
		w.close()
	}
}

// TestSearchSeesWhatIsNotErased swallows the zeros that erase, and holds every
// sync of the log back: if the searches and comparisons of these tests did not
// see that, they would show nothing.
func TestSearchSeesWhatIsNotErased(t *testing.T) {
	ctx := context.Background()
	mem := vfs.NewCrashableMem()
	swallow := &crashSwallow{FS: mem}
	rec, fs := newCrashRecorder(mem, 1, crashNever)
	swallow.FS = fs
	w := newCrashWorld(t, rec, swallow)
	w.open()
	w.create("a")
	w.upsert("a", "one", "two", "three", "four")
	must(t, w.ix["a"].Roll(ctx))
	must(t, w.ix["a"].SealNow(ctx))
	swallow.zeros.Store(true)
	w.delete("a", "one")
	w.purge("a")
	one := func(v crashVersion) bool { return v.id == "one" }
	if err := w.notes.residue(mem, one); err == nil {
		t.Error("the item was not overwritten, and the search does not see it")
	}
	if _, err := w.ix["a"].Check(ctx); !errors.Is(err, engine.ErrCorrupt) {
		t.Errorf("Check does not see that a dead row was not overwritten: %v", err)
	}
	swallow.zeros.Store(false)
	w.delete("a", "two")
	w.purge("a")
	two := func(v crashVersion) bool { return v.id == "two" }
	if err := w.notes.residue(mem, two); err != nil {
		t.Errorf("the search sees what was overwritten: %v", err)
	}
	must(t, w.db.Close())
}

// TestComparisonSeesLostAcknowledgements swallows the log's syncs: an upsert that
// was acknowledged is lost, and the oracle has to say so. A delete is not: the
// ledger has it.
func TestComparisonSeesLostAcknowledgements(t *testing.T) {
	mem := vfs.NewCrashableMem()
	swallow := &crashSwallow{}
	rec, fs := newCrashRecorder(mem, 1, crashNever)
	swallow.FS = fs
	w := newCrashWorld(t, rec, swallow)
	w.open()
	w.create("a")
	w.upsert("a", "one")
	swallow.syncs.Store(true)
	w.delete("a", "one")
	rec.mu.Lock()
	im := rec.take("none", "", crashStyle{}, 1)
	rec.mu.Unlock()
	v := w.verifier()
	must(t, v.verify(im))
	w.upsert("a", "lost")
	rec.mu.Lock()
	im = rec.take("none", "", crashStyle{}, 1)
	rec.mu.Unlock()
	if err := v.verify(im); err == nil {
		t.Error("an acknowledged upsert was lost, and the oracle does not see it")
	}
	swallow.syncs.Store(false)
	w.upsert("a", "two")
	rec.mu.Lock()
	im = rec.take("none", "", crashStyle{}, 1)
	rec.mu.Unlock()
	must(t, v.verify(im))
	crashTimed(t, time.Minute, "Close", func() { must(t, w.db.Close()) })
}
