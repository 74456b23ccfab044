package engine_test

import (
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/engine"
	"oubliette/internal/latchfs/failfs"
)

// birthPoints calls each with a file system on which a process was killed before
// the p-th mutation of its first Open: what it has written is there and, where it
// was not synced, still is not. It takes every step-th p, from a random one on.
func birthPoints(t *testing.T, rng *rand.Rand, step int, each func(mem *vfs.MemFS, what string)) {
	t.Helper()
	points := 0
	for p := rng.IntN(step); !t.Failed(); p += step {
		mem, what := vfs.NewCrashableMem(), ""
		fs := failfs.New(mem, func(n int, op, path string) failfs.Verdict {
			switch {
			case n < p:
				return failfs.Pass
			case n == p:
				what = op + " " + path
			}
			return failfs.Refuse
		})
		opts := crashOptions(fs)
		if db, err := engine.Open(storeDir, &opts); err == nil {
			_ = db.Close() // of a process that is dead: nothing reaches the disk
		}
		if fs.Count() <= p {
			break
		}
		each(mem, "killed before "+what)
		points++
	}
	if points == 0 {
		t.Error("no process was killed")
	}
	t.Logf("%d points", points)
}

// TestAcknowledgedWorkOutlivesAProcessKilledAtTheStoresBirth kills a process at
// mutations of its first Open. The next process finds what that one left and not
// all of it durable. Whatever it acknowledges outlives a loss of power all the
// same, and what it deletes is gone.
//
// It takes a sample; OUBLIETTE_LONG=1 takes every mutation in every style.
func TestAcknowledgedWorkOutlivesAProcessKilledAtTheStoresBirth(t *testing.T) {
	rng := newRand(t)
	step, styles := 6, crashStyles[:1]
	if crashLong() {
		step, styles = 1, crashStyles
	}
	birthPoints(t, rng, step, func(mem *vfs.MemFS, what string) {
		rec, fs := newCrashRecorder(mem, rng.Uint64(), crashNever)
		w := newCrashWorld(t, rec, fs)
		w.open()
		w.create("a")
		w.upsert("a", "one", "two")
		w.delete("a", "two")
		rec.mu.Lock()
		rec.during = "nothing, after work in a store whose first process was " + what
		var images []*crashImage
		for i, style := range append([]crashStyle{crashStyles[1+rng.IntN(len(crashStyles)-1)]}, styles...) {
			images = append(images, rec.take("none", "", style, rng.Uint64()+uint64(i)))
		}
		rec.mu.Unlock()
		v := w.verifier()
		v.all(t, images)
		w.close()
		if err := w.notes.residue(mem, func(n crashVersion) bool { return !rec.now.lives(n) }); err != nil {
			t.Errorf("%s, closed by the next: %v", what, err)
		}
	})
}

// TestTheOpenAfterAProcessKilledAtTheStoresBirthMayCrash kills a process at
// mutations of its first Open, and lets the power fail during the second. The
// third makes a store of what is there and works with it.
//
// It takes a sample; OUBLIETTE_LONG=1 takes every mutation of the first, and for
// each a third of those of the second.
func TestTheOpenAfterAProcessKilledAtTheStoresBirthMayCrash(t *testing.T) {
	rng := newRand(t)
	step, second := 2, crashSample(rng, 2, 130)
	if crashLong() {
		step, second = 1, crashSample(rng, 1, 3)
	}
	images := 0
	birthPoints(t, rng, step, func(mem *vfs.MemFS, what string) {
		rec, fs := newCrashRecorder(mem, rng.Uint64(), second)
		w := newCrashWorld(t, rec, fs)
		w.open()
		taken := rec.stop()
		for _, im := range taken {
			im.during += " of a store whose first process was " + what
		}
		images += len(taken)
		w.close()
		v := w.verifier()
		v.all(t, taken)
	})
	t.Logf("%d images", images)
}
