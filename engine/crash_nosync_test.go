package engine_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/engine"
)

// TestStoreWithoutSyncsOpensAfterCrash crashes a store that was opened with
// NoSync. It may lose what was acknowledged, from some moment on, and a loss of
// power may leave items without their bytes; but no index is lost, no file is
// forgotten, and when the process alone died, what is there is what some moment
// had, whole.
func TestStoreWithoutSyncsOpensAfterCrash(t *testing.T) {
	rng := newRand(t)
	mem := vfs.NewCrashableMem()
	rec, fs := newCrashRecorder(mem, rng.Uint64(), crashSample(rng, 40, 1300))
	w := newCrashWorld(t, rec, fs)
	w.opts.NoSync, w.opts.Ledger = true, nil // which would keep deletes of what is lost
	var history []*crashModel
	w.onCall = func(m *crashModel) { history = append(history, m) }
	crashScript(w)
	v := w.verifier()
	failures := 0
	images := rec.stop()
	for _, im := range images {
		if err := crashSomeMoment(v, im, history); err != nil {
			if failures++; failures <= 10 {
				t.Errorf("%v: %v", im, err)
			}
		}
	}
	t.Logf("%d of %d images do not fit", failures, len(images))
}

// crashSomeMoment opens an image of a store without syncs.
func crashSomeMoment(v *crashVerifier, im *crashImage, history []*crashModel) error {
	opts := crashOptions(im.fs)
	opts.Ledger = nil
	db, err := engine.Open(storeDir, &opts)
	if err != nil {
		return err
	}
	if im.style.kill {
		err = crashWasOnce(v, db, append(history, newCrashModel()))
	} else {
		err = crashLostBytesOnly(v, db)
	}
	if err != nil {
		_ = db.Close()
		return err
	}
	err = db.Close()
	if pending := new(engine.PendingError); errors.As(err, &pending) && !im.style.kill {
		err = nil // a segment with rows that lost their bytes is not moved
	}
	return err
}

// crashWasOnce is nil when a store shows what it should have shown at some time.
func crashWasOnce(v *crashVerifier, db *engine.DB, history []*crashModel) error {
	have, err := v.read(db)
	if err != nil {
		return err
	}
	for _, m := range history {
		if err = crashDiff(have, m); err == nil {
			return nil
		}
	}
	return fmt.Errorf("what it shows, no moment had: %w", err)
}

// crashLostBytesOnly loads every index and lets Check find nothing but rows
// that lost their bytes.
func crashLostBytesOnly(v *crashVerifier, db *engine.DB) error {
	names, err := db.ListIndexes()
	if err != nil {
		return err
	}
	for _, name := range names {
		ix, err := v.load(db, name)
		if err != nil {
			return fmt.Errorf("load of %s: %w", name, err)
		}
		report, err := ix.Check(context.Background())
		if err != nil && len(report.Problems) == 0 {
			return err
		}
		for _, p := range report.Problems {
			if errors.Is(p, engine.ErrForeign) || !errors.Is(p, engine.ErrDamaged) {
				return fmt.Errorf("check of %s: %w", name, p)
			}
		}
	}
	return nil
}
