package engine_test

import (
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
	v := &crashVerifier{keys: w.keys, notes: w.notes}
	began := time.Now()
	n := len(taken)
	v.all(t, taken)
	t.Logf("%d mutations, %d images verified in %v", rec.points, n, time.Since(began).Round(time.Millisecond))
	return rec.points, n
}

// TestNothingAcknowledgedIsLostOrComesBackAcrossCrash runs a workload that
// passes through everything that changes the disk, crashes it at its mutations
// (writes, syncs, creations, renames, removals, also those of the database
// below) with various parts of the unsynced kept, opens each image, and holds
// it against what was acknowledged; what is deleted is searched for in every
// byte of every file.
//
// It takes a sample. OUBLIETTE_LONG=1 takes every mutation in every style:
//
//	OUBLIETTE_LONG=1 go test ./engine -run AcrossCrash -timeout 60m -v
func TestNothingAcknowledgedIsLostOrComesBackAcrossCrash(t *testing.T) {
	rng := newRand(t)
	if !crashLong() {
		crashRun(t, crashScript, rng.Uint64(), crashSample(rng, 60, 1000))
		return
	}
	const rounds = 8 // a workload each, so that the images fit into memory
	images := 0
	for round := range rounds {
		_, n := crashRun(t, crashScript, rng.Uint64(), crashSlice(round, rounds))
		if images += n; t.Failed() {
			break
		}
	}
	t.Logf("%d images in all", images)
}

// TestUpsertDeleteUpsertOfOneIDAcrossCrash crashes at every mutation of a young
// store's life: creation, and three steps of one id.
func TestUpsertDeleteUpsertOfOneIDAcrossCrash(t *testing.T) {
	rng := newRand(t)
	want := crashSample(rng, 40, 250)
	if crashLong() {
		want = crashSlice(0, 1)
	}
	crashRun(t, crashBirthScript, rng.Uint64(), want)
}
