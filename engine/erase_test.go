package engine_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/engine"
)

// within sets the deadline of erasure.
func within(d time.Duration) func(*engine.Options) {
	return func(o *engine.Options) { o.PurgeWithin = d }
}

// slack is what a loaded machine may take beyond the deadline.
const slack = 3 * time.Second

// erased tells whether nothing of what was noted is left.
func (r *residue) erased(t testing.TB, fs vfs.FS) bool { return len(r.search(t, fs)) == 0 }

func TestOneDeleteInAnIdleStoreIsErasedInTime(t *testing.T) {
	ctx := context.Background()
	for _, sealed := range []bool{false, true} {
		t.Run(fmt.Sprintf("sealed=%v", sealed), func(t *testing.T) {
			var told atomic.Uint64
			s := newStore(t, within(300*time.Millisecond), func(o *engine.Options) {
				o.EventListener = &engine.EventListener{Erased: func(i engine.EraseInfo) { told.Add(i.Bytes) }}
			})
			ix := s.create("a")
			items := makeItems("k", 2000)
			must(t, ix.Upsert(ctx, items))
			if sealed {
				s.reopen()
				ix = s.load("a")
			}
			time.Sleep(400 * time.Millisecond) // what the upsert left to do is done
			var gone residue
			gone.note(t, s, ix, []string{"k77"})
			began := time.Now()
			got(ix.Delete(ctx, []string{"k77"}))(t)
			eventually(t, 300*time.Millisecond+slack, "erasing one delete", func() bool { return gone.erased(t, s.fs) })
			gone.wantGone(t, s.fs)
			if took := time.Since(began); took < 100*time.Millisecond {
				t.Errorf("erased after %v already: the test does not see what waits", took)
			}
			eventually(t, slack, "the event", func() bool { return told.Load() > 0 })
			m := s.Metrics().Indexes["a"]
			if m.Tombstones != 0 || m.PendingBytes != 0 || m.OldestChange != 0 || m.Waiting || m.Err != nil || m.BytesErased == 0 {
				t.Errorf("metrics %+v", m)
			}
			want := byID(items...)
			delete(want, "k77")
			wantItems(t, ix, want, "k77")
		})
	}
}

// Older versions of an item are erased as deleted items are.
func TestOlderVersionsAreErasedInTime(t *testing.T) {
	ctx := context.Background()
	s := newStore(t, within(200*time.Millisecond))
	ix := s.create("a")
	must(t, ix.Upsert(ctx, makeItems("k", 50)))
	var gone residue
	gone.note(t, s, ix, []string{"k1", "k2"})
	must(t, ix.Upsert(ctx, []engine.Item{makeItem("k1", 2)})) // displaced in its memtable
	must(t, ix.Roll(ctx))
	must(t, ix.Upsert(ctx, []engine.Item{makeItem("k2", 2)})) // in another one's
	eventually(t, 200*time.Millisecond+slack, "erasing older versions", func() bool { return gone.erased(t, s.fs) })
	gone.wantGone(t, s.fs)
	want := byID(makeItems("k", 50)...)
	want["k1"], want["k2"] = makeItem("k1", 2), makeItem("k2", 2)
	wantItems(t, ix, want)
	s.reopen()
	wantItems(t, s.load("a"), want)
}

// A steady load of writes must not put the erasure off.
func TestErasureKeepsItsDeadlineUnderLoad(t *testing.T) {
	ctx := context.Background()
	s := newStore(t, within(300*time.Millisecond), small)
	ix := s.create("a")
	items := makeItems("victim", 20)
	must(t, ix.Upsert(ctx, items))
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for w := range 3 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				id := fmt.Sprint(w, "-", i%300)
				if err := ix.Upsert(ctx, []engine.Item{sizedItem(id, i, 1000)}); err != nil {
					t.Errorf("upsert: %v", err)
				}
				if i%3 == 0 {
					if _, err := ix.Delete(ctx, []string{id}); err != nil {
						t.Errorf("delete: %v", err)
					}
				}
			}
		})
	}
	for i := range 4 {
		ids := idsOf(items[i*5 : i*5+5])
		var gone residue
		noteBusy(t, &gone, ix, ids)
		began := time.Now()
		got(ix.Delete(ctx, ids))(t)
		eventually(t, 300*time.Millisecond+slack, "erasing under load", func() bool { return gone.erased(t, s.fs) })
		t.Logf("erased after %v", time.Since(began).Round(time.Millisecond))
	}
	close(stop)
	wg.Wait()
}

// noteBusy notes rows that a rewrite may move meanwhile: what it notes may be
// an older place, which is erased too.
func noteBusy(t testing.TB, r *residue, ix *engine.Index, ids []string) {
	t.Helper()
	for try := 0; ; try++ {
		rows, err := ix.SealedRows(context.Background(), ids)
		if err == nil {
			for _, row := range rows {
				r.add(row.ID, row.Bytes)
			}
			return
		}
		if try == 100 {
			t.Fatal(err)
		}
	}
}

// A call that comes to nothing has written rows. They are erased, too, and by
// themselves.
func TestAbortedUpsertsLeaveNothing(t *testing.T) {
	for _, purge := range []bool{true, false} {
		t.Run(fmt.Sprintf("purge=%v", purge), func(t *testing.T) {
			ctx := context.Background()
			s := newStore(t, within(200*time.Millisecond))
			ix := s.create("a")
			kept := makeItems("kept", 3)
			must(t, ix.Upsert(ctx, kept))
			time.Sleep(300 * time.Millisecond)
			_, open, err := ix.SegmentPaths(ctx)
			must(t, err)
			if len(open) != 1 {
				t.Fatalf("%d open segments", len(open))
			}
			before := got(s.WrittenSince(open[0], 0))(t)
			aborted := 0
			for ; !t.Failed(); aborted++ {
				err := ix.Upsert(&countdown{Context: ctx, left: aborted}, makeItems("aborted", 30))
				if err == nil {
					break
				}
				wantError(t, err, context.Canceled)
			}
			if aborted < 3 {
				t.Fatalf("%d calls were aborted", aborted)
			}
			got(ix.Delete(ctx, idsOf(makeItems("aborted", 30))))(t) // the one that was not
			var gone residue
			gone.add("aborted", got(s.WrittenSince(open[0], int64(len(before))))(t))
			if len(gone.chunks) < 30*100/8 {
				t.Fatalf("%d pieces were written", len(gone.chunks))
			}
			if purge {
				got(ix.Purge(ctx))(t)
			} else {
				eventually(t, 200*time.Millisecond+slack, "erasing aborted upserts", func() bool { return gone.erased(t, s.fs) })
			}
			gone.wantGone(t, s.fs)
			wantItems(t, ix, byID(kept...), idsOf(makeItems("aborted", 30))...)
		})
	}
}

// The one aborted call, with nothing else going on: no other call may be what
// wakes maintenance.
func TestOneAbortedUpsertInAnIdleStoreIsErased(t *testing.T) {
	ctx := context.Background()
	s := newStore(t, within(200*time.Millisecond))
	ix := s.create("a")
	must(t, ix.Upsert(ctx, makeItems("kept", 3)))
	time.Sleep(300 * time.Millisecond)
	_, open, err := ix.SegmentPaths(ctx)
	must(t, err)
	before := got(s.WrittenSince(open[0], 0))(t)
	wantError(t, ix.Upsert(&countdown{Context: ctx, left: 2}, makeItems("aborted", 30)), context.Canceled)
	var gone residue
	gone.add("aborted", got(s.WrittenSince(open[0], int64(len(before))))(t))
	if len(gone.chunks) < 30*100/8 {
		t.Fatalf("%d pieces were written", len(gone.chunks))
	}
	eventually(t, 200*time.Millisecond+slack, "erasing an aborted upsert", func() bool { return gone.erased(t, s.fs) })
	gone.wantGone(t, s.fs)
}

func TestPurgeCoversWhatWasDeletedBefore(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	ix := s.create("a")
	must(t, ix.Upsert(ctx, makeItems("k", 100)))
	for i := range 10 {
		id := fmt.Sprint("k", i)
		var gone residue
		gone.note(t, s, ix, []string{id})
		r := got(ix.Delete(ctx, []string{id}))(t)
		if gone.erased(t, s.fs) {
			t.Fatal("a delete alone erases nothing yet")
		}
		cert := got(ix.Purge(ctx))(t)
		if cert.Through < r.Seq || cert.Index != ix.ID() || cert.Time.IsZero() {
			t.Errorf("certificate %+v for receipt %+v", cert, r)
		}
		gone.wantGone(t, s.fs)
		if i%3 == 0 {
			must(t, ix.Roll(ctx))
			must(t, ix.SealNow(ctx))
		}
	}
	again := got(ix.Purge(ctx))(t)
	if got(ix.Purge(ctx))(t).Bytes != again.Bytes {
		t.Error("a purge with nothing to do overwrites something")
	}
}

// The cost of a purge is the bytes that died, not the segment.
func TestPurgeWritesWhatDiedAlone(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	ix := s.create("a")
	must(t, ix.Upsert(ctx, makeItems("k", 2000)))
	s.reopen()
	ix = s.load("a")
	rows := got(ix.SealedRows(ctx, []string{"k5", "k1999"}))(t)
	got(ix.Delete(ctx, []string{"k5", "k1999"}))(t)
	cert := got(ix.Purge(ctx))(t)
	if want := rows[0].Extent.Len + rows[1].Extent.Len; cert.Bytes != want || cert.Rows != 2 {
		t.Errorf("%d bytes of %d rows overwritten, want %d of 2", cert.Bytes, cert.Rows, want)
	}
}

func TestCompactGivesSpaceBack(t *testing.T) {
	ctx := context.Background()
	s := newStore(t, small)
	ix := s.create("a")
	items := makeItems("k", 1500)
	must(t, ix.Upsert(ctx, items[:700]))
	must(t, ix.Upsert(ctx, items[700:]))
	must(t, ix.Compact(ctx))
	full := s.Metrics().Indexes["a"].DataBytes
	var gone residue
	gone.note(t, s, ix, idsOf(items[:1200]))
	got(ix.Delete(ctx, idsOf(items[:1200])))(t)
	must(t, ix.Compact(ctx))
	gone.wantGone(t, s.fs)
	m := s.Metrics().Indexes["a"]
	if m.DataBytes > full/3 || m.DeadBytes != 0 || m.OpenSegments != 0 {
		t.Errorf("%d bytes of rows before, metrics then %+v", full, m)
	}
	wantItems(t, ix, byID(items[1200:]...), "k0")
	got(ix.Delete(ctx, idsOf(items[1200:])))(t)
	must(t, ix.Compact(ctx))
	if m := s.Metrics().Indexes["a"]; m.Segments+m.OpenSegments != 0 || m.DataBytes != 0 {
		t.Errorf("an empty index: %+v", m)
	}
	wantItems(t, ix, nil, "k0", "k1400")
}

// Plain bytes never reach any file: not an item's, not an id's, not the key's.
func TestNoPlaintextInAnyFile(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	ix := s.create("a")
	b := []byte("0123456789abcdefghijklmnopqrstuv")
	key := got(engine.KeyFromBytes(b))(t)
	other := got(s.CreateIndex(ctx, "b", key, engine.IndexConfig{}))(t)
	s.keys["b"] = key
	var plain residue
	plain.add("key", b)
	for i := range 50 {
		it := sizedItem(fmt.Sprintf("a rather long id that would be found %d", i), 1, 300)
		plain.add("id", []byte(it.ID))
		plain.add("contents", it.Contents)
		plain.add("metadata", it.Metadata)
		must(t, ix.Upsert(ctx, []engine.Item{it}))
		must(t, other.Upsert(ctx, []engine.Item{it}))
		got(ix.Delete(ctx, []string{it.ID}))(t)
	}
	plain.wantGone(t, s.fs)
	must(t, other.Compact(ctx))
	plain.wantGone(t, s.fs)
	s.reopen()
	plain.wantGone(t, s.fs)
}
