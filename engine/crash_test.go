package engine_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// crashRun runs a script with images taken as want says, and verifies them.
func crashRun(t *testing.T, script func(*crashWorld), seed uint64, want func(int) []crashStyle) (points, images int) {
	t.Helper()
	mem := vfs.NewCrashableMem()
	rec, fs := newCrashRecorder(mem, seed, want)
	w := newCrashWorld(t, rec, fs)
	script(w)
	taken := rec.stop()
	v := w.verifier()
	began := time.Now()
	n := len(taken)
	v.all(t, taken)
	t.Logf("%d mutations, %d images verified in %v", rec.points, n, time.Since(began).Round(time.Millisecond))
	return rec.points, n
}

// crashEvery runs a script with images of every mutation in every style, in rounds of
// a workload each, so that the images fit into memory.
func crashEvery(t *testing.T, script func(*crashWorld), rng *rand.Rand, rounds int) {
	t.Helper()
	points, images := 0, 0
	for round := 0; round < rounds && !t.Failed(); round++ {
		n, m := crashRun(t, script, rng.Uint64(), crashSlice(round, rounds))
		points, images = max(points, n), images+m
	}
	t.Logf("%d mutations in %d styles: %d images in all", points, len(crashStyles), images)
}

// TestNothingAcknowledgedIsLostOrComesBackAcrossCrash runs a workload that
// passes through everything that changes the disk, crashes it at its mutations
// (writes, syncs, creations, renames, links, removals, also those of the database
// below) with various parts of the unsynced kept, opens each image, and holds
// it against what was acknowledged: items, users and keys, deletes by their
// receipts. What is deleted is searched for in every byte of every file, the
// ledger's too.
//
// It takes a sample. OUBLIETTE_LONG=1 takes every mutation in every style:
//
//	OUBLIETTE_LONG=1 go test ./engine -run AcrossCrash -timeout 60m -v
func TestNothingAcknowledgedIsLostOrComesBackAcrossCrash(t *testing.T) {
	rng := newRand(t)
	if !crashLong() {
		crashRun(t, crashScript, rng.Uint64(), crashSample(rng, 30, 1400))
		return
	}
	crashEvery(t, crashScript, rng, 16)
}

// TestUpsertDeleteUpsertOfOneIDAcrossCrash crashes at every mutation of a young
// store's life: creation, and three steps of one id.
func TestUpsertDeleteUpsertOfOneIDAcrossCrash(t *testing.T) {
	rng := newRand(t)
	if crashLong() {
		crashEvery(t, crashBirthScript, rng, 1)
		return
	}
	crashRun(t, crashBirthScript, rng.Uint64(), crashSample(rng, 40, 250))
}
