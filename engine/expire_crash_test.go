package engine_test

import (
	"fmt"
	"testing"
	"time"

	"oubliette/engine"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// crashExpires tells whether an item of the crash tests expires: those whose ids
// begin with an E do.
func crashExpires(id string) bool { return id[0] == 'E' }

// expired is the model at or after the time at which items expire.
func (m *crashModel) expired() *crashModel {
	if m == nil {
		return nil
	}
	out := m
	for name := range m.indexes {
		out = out.with(name, func(items map[string]int) {
			for id := range items {
				if crashExpires(id) {
					delete(items, id)
				}
			}
		})
	}
	return out
}

// expires lets the time come at which items expire, and purges. When that comes back
// their deaths have been applied: an image in which as much has been applied may not
// hold them once it has been opened, without a key.
func (w *crashWorld) expires(clock *testClock) {
	w.t.Helper()
	was := w.rec.now
	w.call("the time comes", was.expired(), func() error {
		clock.Store(expiry)
		return nil
	})
	w.purge("a")
	all, _, err := w.db.AppliedSeqs()
	must(w.t, err)
	applied := all["a"]
	for id, version := range was.indexes["a"] {
		if crashExpires(id) {
			w.notes.died[crashVersion{"a", id, version}] = applied
		}
	}
}

// crashExpiryScript passes through all that an expiry does to the disk: rows in an
// open segment, in sealed ones and in rewritten ones, found by maintenance and by
// Purge, Compact, Close and a restart.
func crashExpiryScript(clock *testClock) func(*crashWorld) {
	return func(w *crashWorld) {
		w.open()
		w.create("a")
		w.upsert("a", append(crashIDs("E", 0, 20), crashIDs("s", 0, 20)...)...)
		w.upsert("a", append(crashIDs("L", 0, 40), crashIDs("E", 20, 30)...)...) // fills a segment
		w.upsert("a", append(crashIDs("E", 30, 40), "E00", "s01")...)
		w.delete("a", "E01", "s02")
		w.purge("a")
		w.compact("a")
		w.upsert("a", "E02", "E50", "s03")
		w.expires(clock)
		w.upsert("a", append(crashIDs("E", 0, 5), "s04")...) // has expired already
		w.purge("a")
		w.upsert("a", append(crashIDs("E", 3, 9), "s05")...)
		w.compact("a")
		w.upsert("a", crashIDs("E", 3, 9)...)
		w.close()
		w.open()
		w.upsert("a", crashIDs("E", 7, 12)...)
		w.close()
	}
}

// TestWhatHasExpiredStaysGoneAcrossCrash crashes a store at the mutations of an
// expiry's way: the record, what apply and erase write, and what moves rows
// meanwhile. The images are opened after the items' time, and whatever a crash left
// of that way, no read may show the items and no byte of them may be left.
//
// It takes a sample. OUBLIETTE_LONG=1 takes every mutation in every style.
func TestWhatHasExpiredStaysGoneAcrossCrash(t *testing.T) {
	rng := newRand(t)
	rounds, want := 1, func(int) func(int) []crashStyle { return crashSample(rng, 40, 400) }
	if crashLong() {
		rounds, want = 4, func(round int) func(int) []crashStyle { return crashSlice(round, 4) }
	}
	images := 0
	for round := range rounds {
		mem := vfs.NewCrashableMem()
		clock := newTestClock()
		rec, fs := newCrashRecorder(mem, rng.Uint64(), want(round))
		w := newCrashWorld(t, rec, fs)
		clock.option(&w.opts)
		w.expiring = clock
		crashExpiryScript(clock)(w)
		taken := rec.stop()
		for _, im := range taken {
			im.now, im.next = im.now.expired(), im.next.expired()
		}
		v := w.verifier()
		n := len(taken)
		v.all(t, taken)
		images += n
		t.Logf("%d mutations, %d images", rec.points, n)
	}
	t.Logf("%d styles: %d images in all", len(crashStyles), images)
}

// TestExpiredItemsAreOneOrTheOtherWhenTheClockIsSetBack opens the same images by a
// clock from before the items' time. An item is there whole, or its death has been
// logged: then it is gone, and no byte of it is left after a purge.
func TestExpiredItemsAreOneOrTheOtherWhenTheClockIsSetBack(t *testing.T) {
	rng := newRand(t)
	mem := vfs.NewCrashableMem()
	clock := newTestClock()
	rec, fs := newCrashRecorder(mem, rng.Uint64(), crashSample(rng, 25, 330))
	w := newCrashWorld(t, rec, fs)
	clock.option(&w.opts)
	w.expiring = clock
	crashExpiryScript(clock)(w)
	clock.Store(clockBegins)
	for _, im := range rec.stop() {
		if err := crashSetBack(t, w, im, clock); err != nil {
			t.Errorf("%v: %v", im, err)
		}
	}
}

func crashSetBack(t *testing.T, w *crashWorld, im *crashImage, clock *testClock) error {
	v := w.verifier()
	s := openStore(t, im.fs, w.keys, func(o *engine.Options) { *o = v.options(im.fs) })
	have, err := v.read(s.DB)
	if err != nil {
		return err
	}
	for name, items := range have {
		for id, it := range items {
			if !crashExpires(id) {
				continue
			}
			if want := time.UnixMilli(expiry); !it.ExpiresAt.Equal(want) {
				return fmt.Errorf("%s/%s expires at %v, not at %v", name, id, it.ExpiresAt, want)
			}
		}
	}
	is := newCrashModel()
	for name, items := range have {
		is = is.with(name, func(m map[string]int) {
			for id, it := range items {
				version := 0
				if _, err := fmt.Sscanf(string(it.Metadata), `{"id":"`+id+`","version":%d}`, &version); err != nil || !equal(it, crashItem(id, version)) {
					t.Errorf("%v: %s/%s is %.60s", im, name, id, it.Metadata)
				}
				m[id] = version
			}
		})
	}
	err = v.afterPurge(s.DB, im.fs, is)
	s.close()
	return err
}
