package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/engine"
	"oubliette/internal/latchfs/failfs"
)

// testClock is a clock that stands still until it is set, in milliseconds since
// 1970.
type testClock struct{ atomic.Int64 }

// expiry is when items of these tests expire, in milliseconds since 1970: an hour
// after their clocks' beginning, so that no timer of maintenance comes near it.
const (
	clockBegins = 1_800_000_000_000
	expiry      = clockBegins + 3_600_000
)

func newTestClock() *testClock {
	c := new(testClock)
	c.Store(clockBegins)
	return c
}

func (c *testClock) option(o *engine.Options) {
	o.Now = func() time.Time { return time.UnixMilli(c.Load()) }
}

// expiring is items with an expiry.
func expiring(at int64, items ...engine.Item) []engine.Item {
	for i := range items {
		items[i].ExpiresAt = time.UnixMilli(at).UTC()
	}
	return items
}

// inSegments runs a test with its items in a segment that is open, and in one with
// an index.
func inSegments(t *testing.T, run func(t *testing.T, seal func(*engine.Index))) {
	for _, sealed := range []bool{false, true} {
		t.Run(fmt.Sprintf("sealed %v", sealed), func(t *testing.T) {
			run(t, func(ix *engine.Index) {
				if sealed {
					sealNow(t, ix)
				}
			})
		})
	}
}

func sealNow(t testing.TB, ix *engine.Index) {
	t.Helper()
	must(t, ix.Roll(context.Background()))
	must(t, ix.SealNow(context.Background()))
}

func TestExpiredItemsAreHiddenFromTheirMillisecondOn(t *testing.T) {
	inSegments(t, func(t *testing.T, seal func(*engine.Index)) {
		ctx := context.Background()
		clock := newTestClock()
		s := newStore(t, clock.option)
		ix := s.create("a")
		stays := makeItems("stays", 20)
		goes := expiring(expiry, makeItems("goes", 20)...)
		later := expiring(expiry+1, makeItems("later", 3)...)
		given := slices.Clone(goes)
		given[0].ExpiresAt = time.UnixMilli(expiry).Add(999_999 * time.Nanosecond) // rounded down
		given[1].ExpiresAt = given[1].ExpiresAt.In(time.FixedZone("east", 3600))
		must(t, ix.Upsert(ctx, slices.Concat(stays, given, later)))
		seal(ix)
		all := byID(slices.Concat(stays, goes, later)...)
		clock.Store(expiry - 1)
		wantItems(t, ix, all)
		have := got(ix.Get(ctx, []string{"goes0", "goes1", "stays0"}, 0))(t)
		if len(have) != 3 || have[0].ExpiresAt != goes[0].ExpiresAt || have[1].ExpiresAt != goes[1].ExpiresAt || !have[2].ExpiresAt.IsZero() {
			t.Errorf("expiries come back as %v", have)
		}
		clock.Store(expiry)
		wantItems(t, ix, byID(slices.Concat(stays, later)...), idsOf(goes)...)
		if b := got(ix.SealedBytes(ctx, idsOf(goes)))(t); len(b) > 0 {
			t.Errorf("%d sealed fields of what has expired", len(b))
		}
		clock.Store(expiry + 1)
		wantItems(t, ix, byID(stays...), append(idsOf(goes), idsOf(later)...)...)
	})
}

func TestAnItemThatExpiresHalfWayThroughAScanDoesNotCome(t *testing.T) {
	inSegments(t, func(t *testing.T, seal func(*engine.Index)) {
		ctx := context.Background()
		clock := newTestClock()
		s := newStore(t, clock.option)
		ix := s.create("a")
		must(t, ix.Upsert(ctx, expiring(expiry, makeItems("k", 50)...)))
		must(t, ix.Upsert(ctx, makeItems("stays", 50)))
		seal(ix)
		seen := make(map[string]bool)
		for id, err := range ix.IDs(ctx) {
			must(t, err)
			if seen[id] = true; len(seen) == 60 {
				clock.Store(expiry)
				// One comes back as another item: it need not be seen, but not as it was.
				must(t, ix.Upsert(ctx, []engine.Item{makeItem("k3", 2)}))
			} else if len(seen) > 60 && id[0] == 'k' && id != "k3" {
				t.Errorf("%q comes after its time", id)
			}
		}
		for _, it := range makeItems("stays", 50) {
			if !seen[it.ID] {
				t.Errorf("%q lived throughout and did not come", it.ID)
			}
		}
	})
}

func TestPurgeErasesWhatHasExpired(t *testing.T) {
	inSegments(t, func(t *testing.T, seal func(*engine.Index)) {
		ctx := context.Background()
		clock := newTestClock()
		s := newStore(t, clock.option)
		ix := s.create("a")
		stays, goes := makeItems("stays", 300), expiring(expiry, makeItems("goes", 300)...)
		later := expiring(expiry+1000, makeItems("later", 300)...)
		must(t, ix.Upsert(ctx, slices.Concat(stays, goes, later)))
		seal(ix)
		var gone, gone2 residue
		gone.note(t, s, ix, idsOf(goes))
		gone2.note(t, s, ix, idsOf(later))
		got(ix.Purge(ctx))(t)
		if gone.erased(t, s.fs) {
			t.Error("erased before its time")
		}
		clock.Store(expiry)
		if c := got(ix.Purge(ctx))(t); c.Rows != 300 {
			t.Errorf("the certificate has %d rows, 300 have expired", c.Rows)
		}
		gone.wantGone(t, s.fs)
		wantItems(t, ix, byID(slices.Concat(stays, later)...), idsOf(goes)...)
		if m := s.Metrics().Indexes["a"]; m.Expired != 300 || m.Deleted != 0 {
			t.Errorf("metrics: %+v", m)
		}
		clock.Store(expiry - 1) // what has been logged is gone for good
		wantItems(t, ix, byID(slices.Concat(stays, later)...), idsOf(goes)...)
		clock.Store(expiry + 1000)
		s.close() // erases too
		gone2.wantGone(t, s.fs)
		s.open()
		wantItems(t, s.load("a"), byID(stays...), append(idsOf(goes), idsOf(later)...)...)
	})
}

// Rows that move take their expiries with them.
func TestRewritesKeepExpiries(t *testing.T) {
	ctx := context.Background()
	clock := newTestClock()
	s := newStore(t, clock.option)
	ix := s.create("a")
	goes := expiring(expiry, makeItems("goes", 200)...)
	must(t, ix.Upsert(ctx, append(makeItems("stays", 200), goes...)))
	sealNow(t, ix)
	must(t, ix.Upsert(ctx, expiring(expiry, makeItems("more", 10)...)))
	got(ix.Delete(ctx, []string{"stays0", "goes0"}))(t)
	before, _, err := ix.SegmentPaths(ctx)
	must(t, err)
	must(t, ix.Compact(ctx))
	if after, _, err := ix.SegmentPaths(ctx); err != nil || slices.Contains(after, before[0]) {
		t.Fatalf("nothing has moved, the test shows nothing (%v)", err)
	}
	want := byID(slices.Concat(makeItems("stays", 200), goes, expiring(expiry, makeItems("more", 10)...))...)
	wantItems(t, ix, without(want, "stays0", "goes0"))
	var gone residue
	gone.note(t, s, ix, idsOf(goes[1:]))
	clock.Store(expiry)
	must(t, ix.Compact(ctx))
	gone.wantGone(t, s.fs)
	wantItems(t, ix, without(byID(makeItems("stays", 200)...), "stays0"), idsOf(goes)...)
}

// An item that is upserted again stands by what it is given then.
func TestUpsertGivesAnItemAnotherExpiry(t *testing.T) {
	inSegments(t, func(t *testing.T, seal func(*engine.Index)) {
		ctx := context.Background()
		clock := newTestClock()
		s := newStore(t, clock.option)
		ix := s.create("a")
		must(t, ix.Upsert(ctx, expiring(expiry, makeItem("forever", 1), makeItem("longer", 1), makeItem("shorter", 1))))
		must(t, ix.Upsert(ctx, []engine.Item{makeItem("mortal", 1)}))
		seal(ix)
		want := byID(slices.Concat([]engine.Item{makeItem("forever", 2)}, expiring(expiry+10, makeItem("longer", 2)),
			expiring(expiry-10, makeItem("shorter", 2)), expiring(expiry+10, makeItem("mortal", 2)))...)
		for _, it := range want {
			must(t, ix.Upsert(ctx, []engine.Item{it}))
		}
		wantItems(t, ix, want)
		clock.Store(expiry - 10) // no older version comes back
		wantItems(t, ix, without(want, "shorter"), "shorter")
		clock.Store(expiry)
		wantItems(t, ix, want, "shorter")
		got(ix.Purge(ctx))(t)
		wantItems(t, ix, want, "shorter")
		clock.Store(expiry + 10)
		wantItems(t, ix, without(want, "longer", "mortal"), "shorter", "longer", "mortal")
		got(ix.Purge(ctx))(t)
		wantItems(t, ix, want, "shorter", "longer", "mortal")
	})
}

// An id that is upserted again when its item has been found expired, and the record
// of that has not been written: the record must not delete the new item, whose
// number is the very one below which it deletes.
func TestAnItemThatComesBackWhileItExpiresLives(t *testing.T) {
	inSegments(t, func(t *testing.T, seal func(*engine.Index)) {
		for _, roll := range []bool{false, true} {
			ctx := context.Background()
			clock := newTestClock()
			s := newStore(t, clock.option)
			ix := s.create("a")
			must(t, ix.Upsert(ctx, expiring(expiry, makeItems("gone", 5)...)))
			must(t, ix.Upsert(ctx, expiring(expiry, makeItem("x", 1), makeItem("y", 1))))
			seal(ix)
			var old residue
			old.note(t, s, ix, []string{"x", "y", "gone1"})
			clock.Store(expiry)
			again := append(expiring(expiry+5, makeItem("y", 2)), makeItem("x", 2))
			must(t, ix.ExpireNow(ctx, func() {
				if roll {
					must(t, ix.Roll(ctx))
				}
				must(t, ix.Upsert(ctx, again))
			}))
			want := byID(again...)
			wantItems(t, ix, want, "gone1")
			image := s.fs.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{})
			wantItems(t, openStore(t, image, s.keys, clock.option).load("a"), want, "gone1")
			got(ix.Purge(ctx))(t)
			old.wantGone(t, s.fs)
			wantItems(t, ix, want, "gone1")
			sealNow(t, ix)
			must(t, ix.Compact(ctx))
			wantItems(t, ix, want, "gone1")
			s.reopen()
			wantItems(t, s.load("a"), want, "gone1")
			clock.Store(expiry + 5)
			wantItems(t, s.load("a"), byID(makeItem("x", 2)), "y")
		}
	})
}

// A look ends early when there is much, and goes on where it was.
func TestMuchThatExpiresAtOnceIsFoundPieceByPiece(t *testing.T) {
	ctx := context.Background()
	clock := newTestClock()
	s := newStore(t, clock.option)
	ix := s.create("a")
	must(t, ix.LookSize(ctx, 3, 50))
	var goes []string
	for part := range 4 {
		items := expiring(expiry+int64(part%2), makeItems(fmt.Sprintf("goes%d-", part), 400)...)
		must(t, ix.Upsert(ctx, append(items, makeItems(fmt.Sprint("stays", part), 100)...)))
		if goes = append(goes, idsOf(items)...); part < 3 {
			sealNow(t, ix)
		}
	}
	var gone residue
	gone.note(t, s, ix, goes)
	clock.Store(expiry)
	if n, more, err := ix.LookNow(ctx); err != nil || n > 50+64 || !more && n > 50 {
		t.Errorf("one look has found %d, more: %v, %v", n, more, err)
	}
	must(t, ix.ExpireNow(ctx, func() {}))
	if n := got(ix.Count(ctx))(t); n != 1200 {
		t.Errorf("Count is %d half-way, want 1200", n)
	}
	clock.Store(expiry + 1)
	got(ix.Purge(ctx))(t)
	gone.wantGone(t, s.fs)
	if n := got(ix.Count(ctx))(t); n != 400 {
		t.Errorf("Count is %d, want 400", n)
	}
	if m := s.Metrics().Indexes["a"]; m.Expired != 1600 {
		t.Errorf("%d have expired, want 1600", m.Expired)
	}
}

func TestExpiriesOutOfAllTimeAreRefused(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	ix := s.create("a")
	for _, at := range []time.Time{
		time.UnixMilli(0), time.UnixMilli(1).Add(-1), time.Date(1000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC),
		time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(300_000_000, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		it := makeItem("x", 1)
		it.ExpiresAt = at
		wantError(t, ix.Upsert(ctx, []engine.Item{makeItem("y", 1), it}), engine.ErrInvalid, "item 1", "expires at")
	}
	last := time.Date(10_000, 1, 1, 0, 0, 0, -1, time.UTC)
	kept, past := makeItem("kept", 1), makeItem("past", 1)
	kept.ExpiresAt, past.ExpiresAt = last, time.UnixMilli(1)
	must(t, ix.Upsert(ctx, []engine.Item{kept, past})) // what has expired already is taken
	kept.ExpiresAt = time.UnixMilli(engine.MaxExpiry)
	wantItems(t, ix, byID(kept), "past", "y")
}

// Nothing is asked of the store after the upsert: maintenance finds by itself what
// expires, also when the clock jumps, and erases it within PurgeWithin.
func TestAnItemThatExpiresInAnIdleStoreIsErasedInTime(t *testing.T) {
	inSegments(t, func(t *testing.T, seal func(*engine.Index)) {
		for _, jump := range []bool{false, true} {
			ctx := context.Background()
			clock := newTestClock()
			const limit = 400 * time.Millisecond
			s := newStore(t, within(limit), func(o *engine.Options) {
				if jump {
					clock.option(o)
				}
			})
			ix := s.create("a")
			at := time.Now().Add(300 * time.Millisecond)
			if jump {
				at = time.UnixMilli(expiry)
			}
			it := makeItem("goes", 1)
			it.ExpiresAt = at
			must(t, ix.Upsert(ctx, []engine.Item{makeItem("stays", 1), it}))
			seal(ix)
			var gone residue
			gone.note(t, s, ix, []string{"goes"})
			if jump {
				clock.Store(expiry + 86_400_000)
				at = time.Now()
			}
			eventually(t, time.Until(at)+limit+slack, "the item is erased", func() bool { return gone.erased(t, s.fs) })
			if !jump && time.Now().Before(at) {
				t.Error("erased before its time")
			}
			wantItems(t, ix, byID(makeItem("stays", 1)), "goes")
		}
	})
}

// A restart finds what has expired meanwhile, and what had been logged and not
// applied.
func TestExpiriesOutliveARestart(t *testing.T) {
	inSegments(t, func(t *testing.T, seal func(*engine.Index)) {
		ctx := context.Background()
		clock := newTestClock()
		first := newStore(t, clock.option)
		ix := first.create("a")
		goes := expiring(expiry, makeItems("goes", 100)...)
		must(t, ix.Upsert(ctx, append(makeItems("stays", 100), goes...)))
		seal(ix)
		var gone residue
		gone.note(t, first, ix, idsOf(goes))
		before := first.fs.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{})
		clock.Store(expiry)
		must(t, ix.ExpireNow(ctx, func() {}))
		after := first.fs.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{})
		want := byID(makeItems("stays", 100)...)

		s := openStore(t, before, first.keys, clock.option)
		ix = s.load("a")
		wantItems(t, ix, want, idsOf(goes)...)
		got(ix.Purge(ctx))(t)
		gone.wantGone(t, before)

		clock.Store(expiry - 1) // the record says so, whatever the clock
		r := openStore(t, after.CrashClone(vfs.CrashCloneCfg{}), first.keys, clock.option, readOnly)
		wantItems(t, r.load("a"), want, idsOf(goes)...)
		s = openStore(t, after, first.keys, clock.option)
		if m := s.Metrics().Indexes["a"]; !m.Waiting {
			t.Error("an expiry that was logged and not applied does not wait for a key")
		}
		ix = s.load("a")
		wantItems(t, ix, want, idsOf(goes)...)
		got(ix.Purge(ctx))(t)
		gone.wantGone(t, after)
	})
}

// A store that is open for reading hides what has expired, counts it off, and stays
// as it is to the last byte.
func TestReadOnlyHidesWhatHasExpired(t *testing.T) {
	inSegments(t, func(t *testing.T, seal func(*engine.Index)) {
		ctx := context.Background()
		clock := newTestClock()
		first := newStore(t, clock.option)
		ix := first.create("a")
		must(t, ix.Upsert(ctx, append(makeItems("stays", 100), expiring(expiry, makeItems("goes", 100)...)...)))
		seal(ix)
		image := first.fs.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{})
		before := readAll(t, image)
		clock.Store(expiry)
		s := openStore(t, image, first.keys, clock.option, readOnly)
		wantItems(t, s.load("a"), byID(makeItems("stays", 100)...), "goes0")
		if r := got(s.load("a").Check(ctx))(t); r.Rows != 100 || r.Expired != 100 {
			t.Errorf("Check: %+v", r)
		}
		clock.Store(expiry - 1) // set back, the clock shows what nobody has logged
		wantItems(t, s.load("a"), byID(append(makeItems("stays", 100), expiring(expiry, makeItems("goes", 100)...)...)...))
		s.close()
		sameFiles(t, before, readAll(t, image))
	})
}

// With no writer's keys at hand what has expired is hidden and waits; the store says
// so, and it is erased when a writer comes.
func TestAnExpiredItemWaitsForAWriter(t *testing.T) {
	inSegments(t, func(t *testing.T, seal func(*engine.Index)) {
		ctx := context.Background()
		clock := newTestClock()
		first := newStore(t, clock.option)
		ix := first.create("a")
		reader, writer := engine.NewKey(), engine.NewKey()
		must(t, ix.CreateUserKeys(ctx, userID(1), reader, engine.PermRead, first.keys["a"]))
		must(t, ix.CreateUserKeys(ctx, userID(2), writer, engine.PermWrite, first.keys["a"]))
		must(t, ix.Upsert(ctx, append(makeItems("stays", 10), expiring(expiry, makeItem("goes", 1))...)))
		seal(ix)
		var gone residue
		gone.note(t, first, ix, []string{"goes"})
		first.close()

		var waiting atomic.Int32
		s := openStore(t, first.fs, first.keys, within(20*time.Millisecond), clock.option, func(o *engine.Options) {
			o.EventListener = &engine.EventListener{Waiting: func(string) { waiting.Add(1) }}
		})
		r := got(s.LoadIndex(ctx, "a", as(userID(1), reader)...))(t)
		time.Sleep(150 * time.Millisecond)
		if m := s.Metrics().Indexes["a"]; m.Waiting || waiting.Load() > 0 {
			t.Errorf("something waits before the time: %+v", m)
		}
		clock.Store(expiry)
		want := byID(makeItems("stays", 10)...)
		wantItems(t, r, want, "goes")
		eventually(t, 5*time.Second, "the listener is told", func() bool { return waiting.Load() == 1 })
		if m := s.Metrics().Indexes["a"]; !m.Waiting || m.Err != nil {
			t.Errorf("metrics: %+v", m)
		}
		var p *engine.PendingError
		if err := s.DB.Close(); !errors.As(err, &p) || p.Err != nil {
			t.Errorf("Close answers %v", err)
		}
		s.open()
		keyless := got(s.LoadIndex(ctx, "a"))(t)
		wantItems(t, got(s.LoadIndex(ctx, "a", as(userID(1), reader)...))(t), want, "goes")
		got(keyless.Delete(ctx, []string{"unknown"}, as(userID(2), writer)...))(t) // leaves its keys
		eventually(t, 5*time.Second, "the item is erased", func() bool { return gone.erased(t, s.fs) })
	})
}

// Close without a writer's keys tells what has expired since anybody looked, and
// nothing where all that has expired is gone already.
func TestCloseTellsWhatHasExpired(t *testing.T) {
	inSegments(t, func(t *testing.T, seal func(*engine.Index)) {
		ctx := context.Background()
		clock := newTestClock()
		s := newStore(t, clock.option)
		ix := s.create("a")
		reader := engine.NewKey()
		must(t, ix.CreateUserKeys(ctx, userID(1), reader, engine.PermRead, s.keys["a"]))
		must(t, ix.Upsert(ctx, append(makeItems("stays", 10), expiring(expiry, makeItems("goes", 10)...)...)))
		must(t, ix.Upsert(ctx, expiring(expiry+5, makeItem("later", 1))))
		seal(ix)
		clock.Store(expiry)
		s.reopen() // root's keys are at hand: it erases the first ten
		got(s.LoadIndex(ctx, "a", as(userID(1), reader)...))(t)
		s.close()
		s.open()
		r := got(s.LoadIndex(ctx, "a", as(userID(1), reader)...))(t)
		wantItems(t, r, byID(append(makeItems("stays", 10), expiring(expiry+5, makeItem("later", 1))...)...), "goes1")
		clock.Store(expiry + 5)
		var p *engine.PendingError
		if err := s.DB.Close(); !errors.As(err, &p) || p.Err != nil {
			t.Errorf("Close answers %v", err)
		}
		s.open()
	})
}

// A new epoch begins with everything erased that has expired; items keep their
// expiries in it.
func TestExpiriesOutliveAnEpoch(t *testing.T) {
	inSegments(t, func(t *testing.T, seal func(*engine.Index)) {
		ctx := context.Background()
		clock := newTestClock()
		s := newStore(t, clock.option)
		ix := s.create("a")
		root, next := s.keys["a"], engine.NewKey()
		must(t, ix.Upsert(ctx, expiring(expiry, makeItems("goes", 30)...)))
		must(t, ix.Upsert(ctx, expiring(expiry+5, makeItems("later", 30)...)))
		seal(ix)
		var gone, later residue
		gone.note(t, s, ix, idsOf(makeItems("goes", 30)))
		later.note(t, s, ix, idsOf(makeItems("later", 30)))
		clock.Store(expiry)
		must(t, ix.RotateKey(ctx, root, next))
		s.keys["a"] = next
		gone.wantGone(t, s.fs)
		ix = s.load("a")
		wantItems(t, ix, byID(expiring(expiry+5, makeItems("later", 30)...)...), "goes1")
		clock.Store(expiry + 5)
		got(ix.Purge(ctx))(t)
		later.wantGone(t, s.fs)
		wantItems(t, ix, nil, "goes1", "later1")
	})
}

// An index block that cannot be read keeps what stands in it, hidden, and is told; it
// does not keep what has expired elsewhere.
func TestExpiriesBesideADamagedIndexBlock(t *testing.T) {
	ctx := context.Background()
	clock := newTestClock()
	s := newStore(t, clock.option)
	s.noCheck = true
	ix := s.create("a")
	var damaged string
	for _, name := range []string{"bad", "good"} {
		must(t, ix.Upsert(ctx, expiring(expiry, makeItems(name, 50)...)))
		sealNow(t, ix)
		if name == "bad" {
			var end uint64
			for _, r := range got(ix.SealedRows(ctx, idsOf(makeItems(name, 50))))(t) {
				damaged, end = r.Path, max(end, r.Extent.End())
			}
			f, err := s.fs.OpenReadWrite(damaged, "test")
			must(t, err)
			got(f.WriteAt([]byte{1, 2, 3, 4, 5, 6, 7, 8}, int64((end+4095)/4096*4096+100)))(t)
			must(t, f.Close())
		}
	}
	var gone residue
	gone.note(t, s, ix, idsOf(makeItems("good", 50)))
	clock.Store(expiry)
	_, err := ix.Purge(ctx)
	wantError(t, err, engine.ErrCorrupt, damaged)
	gone.wantGone(t, s.fs)
	if have := got(ix.Get(ctx, idsOf(makeItems("good", 50)), 0))(t); len(have) > 0 {
		t.Errorf("%d expired items are read", len(have))
	}
	s.closed = true
	var p *engine.PendingError
	if err := s.DB.Close(); !errors.As(err, &p) || !errors.Is(p.Err, engine.ErrCorrupt) {
		t.Errorf("Close answers %v", err)
	}
}

// What has expired is no delete's find, also of the one that bears the very number
// below which the expiry deletes.
func TestADeleteIsNotToldOfWhatHasExpired(t *testing.T) {
	inSegments(t, func(t *testing.T, seal func(*engine.Index)) {
		ctx := context.Background()
		clock := newTestClock()
		s := newStore(t, clock.option)
		ix := s.create("a")
		must(t, ix.Upsert(ctx, makeItems("lives", 3)))
		must(t, ix.Upsert(ctx, expiring(expiry, makeItems("goes", 5)...)))
		next := got(ix.Delete(ctx, []string{"unknown", "lives1"}))(t) // numbered one above what expires
		seal(ix)
		clock.Store(expiry)
		must(t, ix.ExpireNow(ctx, func() {}))
		late := got(ix.Delete(ctx, []string{"goes1", "goes2", "lives2"}))(t)
		got(ix.Purge(ctx))(t)
		for i, r := range []engine.Receipt{next, late} {
			if st := got(ix.Status(ctx, r))(t); !st.Counted || st.Rows != 1 || st.Asked != r.Count || st.State != engine.Erased {
				t.Errorf("status of delete %d: %+v, each has found one item", i, st)
			}
		}
		if m := s.Metrics().Indexes["a"]; m.Died != 7 || m.Expired != 5 || m.Deleted != 5 {
			t.Errorf("metrics: %+v", m)
		}
		wantItems(t, ix, byID(makeItem("lives0", 1)), "goes0", "goes1", "lives1")
	})
}

// A store that is put back to before its items' deaths were logged takes them from
// its ledger, by whatever clock.
func TestTheLedgerKeepsExpiries(t *testing.T) {
	inSegments(t, func(t *testing.T, seal func(*engine.Index)) {
		ctx := context.Background()
		clock := newTestClock()
		disk := vfs.NewMem()
		s := newStore(t, clock.option, keptOn(disk))
		ix := s.create("a")
		goes := expiring(expiry, makeItems("goes", 20)...)
		must(t, ix.Upsert(ctx, append(makeItems("stays", 20), goes...)))
		seal(ix)
		before := s.snapshot()
		var gone residue
		gone.note(t, s, ix, idsOf(goes))
		clock.Store(expiry)
		must(t, ix.ExpireNow(ctx, func() {}))
		must(t, ix.Upsert(ctx, []engine.Item{makeItem("goes1", 2)})) // lost with the state that is put back
		clock.Store(expiry - 1)
		got(ix.Delete(ctx, []string{"stays1"}))(t)
		s.close()

		want := without(byID(makeItems("stays", 20)...), "stays1")
		back := openStore(t, before, s.keys, clock.option, keptOn(disk))
		wantItems(t, back.load("a"), want, append(idsOf(goes), "stays1")...)
		got(back.load("a").Purge(ctx))(t)
		gone.wantGone(t, back.fs)
		must(t, back.load("a").Upsert(ctx, []engine.Item{makeItem("goes2", 3)}))
		want["goes2"] = makeItem("goes2", 3)
		back.reopen()
		wantItems(t, back.load("a"), want, "goes1", "stays1")
	})
}

// A Purge that logs what has expired in many steps does not keep a delete from its
// deadline.
func TestAPurgeOfManyExpiriesKeepsTheDeadline(t *testing.T) {
	ctx := context.Background()
	const within = 600 * time.Millisecond
	clock := newTestClock()
	var slow atomic.Bool
	mem := vfs.NewCrashableMem()
	fs := failfs.New(mem, func(_ int, op, path string) failfs.Verdict {
		if slow.Load() && op == "sync" && strings.Contains(path, "pebble") {
			time.Sleep(5 * time.Millisecond)
		}
		return failfs.Pass
	})
	var late atomic.Int64
	s := openStore(t, fs, nil, clock.option, func(o *engine.Options) {
		o.PurgeWithin = within
		o.EventListener = &engine.EventListener{Overdue: func(i engine.OverdueInfo) { late.Store(int64(i.Oldest)) }}
	})
	ix := s.create("a")
	items := makeItems("E", 400)
	for i := range items {
		items[i].ExpiresAt = time.UnixMilli(expiry)
	}
	must(t, ix.Upsert(ctx, items))
	must(t, ix.Upsert(ctx, makeItems("k", 1)))
	must(t, ix.LookSize(ctx, 1, 1)) // as 400 looks of 65,536 items are in a large index
	got(ix.Purge(ctx))(t)
	slow.Store(true)
	clock.Store(expiry)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, err := ix.Purge(ctx)
		if err != nil {
			t.Error(err)
		}
	}()
	time.Sleep(20 * time.Millisecond)
	at := time.Now()
	r := got(ix.Delete(ctx, []string{"k0"}))(t)
	for {
		st := got(ix.Status(ctx, r))(t)
		if st.State == engine.Erased {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	if took := time.Since(at); took > within*5/4 || late.Load() > 0 {
		t.Errorf("erased after %v, %v were promised (Overdue %v)", took, within, time.Duration(late.Load()))
	}
	slow.Store(false)
	<-done
}
