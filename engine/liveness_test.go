package engine_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"oubliette/engine"
)

// bigItems are n items of size bytes that do not compress.
func bigItems(prefix string, n, size int) []engine.Item {
	r := rand.NewChaCha8([32]byte{1})
	items := make([]engine.Item, n)
	for i := range items {
		items[i] = engine.Item{ID: fmt.Sprint(prefix, i), Contents: make([]byte, size)}
		r.Read(items[i].Contents)
	}
	return items
}

// A rewrite that takes longer than deletes may wait comes to its end all the
// same: it goes on where it was when they have been erased.
func TestARewriteComesToItsEndBesideSteadyDeletes(t *testing.T) {
	ctx := context.Background()
	var rewritten atomic.Int64
	s := newStore(t, within(20*time.Millisecond), func(o *engine.Options) {
		o.NoSync = true
		o.EventListener = &engine.EventListener{Rewritten: func(engine.RewriteInfo) { rewritten.Add(1) }}
	})
	ix := s.create("a")
	items := bigItems("k", 60, 1<<20)
	for i := range items {
		must(t, ix.Upsert(ctx, items[i:i+1]))
	}
	must(t, ix.Roll(ctx))
	must(t, ix.SealNow(ctx))
	var gone residue
	gone.note(t, s, ix, idsOf(items[:1]))
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
				// Unknown ids, and now and then a row of the segment that is moved.
				got(ix.Delete(ctx, []string{fmt.Sprint("k", 40+i%10), "unknown"}))(t)
			}
		}
	})
	got(ix.Delete(ctx, idsOf(items[:34])))(t)
	eventually(t, 30*time.Second, "the segment is rewritten", func() bool { return rewritten.Load() > 0 })
	close(stop)
	wg.Wait()
	must(t, ix.Compact(ctx))
	if m := s.Metrics().Indexes["a"]; m.DeadBytes != 0 {
		t.Errorf("%d of %d bytes are dead after Compact", m.DeadBytes, m.DataBytes)
	}
	gone.wantGone(t, s.fs)
}

// Purge and writers at the memory limit wait for one step of a rewrite, not for
// all that there is to rewrite.
func TestPurgeAndWritersGetInBetweenRewrites(t *testing.T) {
	ctx := context.Background()
	var slow atomic.Bool
	var rewritten atomic.Int64
	s := newStore(t, func(o *engine.Options) {
		o.SegmentSize, o.NoSync, o.MemoryLimit = 1<<20, true, 64<<10
		o.EventListener = &engine.EventListener{Rewritten: func(engine.RewriteInfo) {
			if rewritten.Add(1); slow.Load() {
				time.Sleep(100 * time.Millisecond) // a slow disk
			}
		}}
	})
	ix := s.create("a")
	var doomed []string
	for seg := range 40 {
		items := bigItems(fmt.Sprint(seg, "."), 40, 33<<10)
		must(t, ix.Upsert(ctx, items))
		must(t, ix.Roll(ctx))
		doomed = append(doomed, idsOf(items[:22])...)
	}
	must(t, ix.SealNow(ctx))
	slow.Store(true)
	got(ix.Delete(ctx, doomed))(t)
	got(ix.Purge(ctx))(t)
	eventually(t, 10*time.Second, "rewriting begins", func() bool { return rewritten.Load() > 0 })
	began := time.Now()
	got(ix.Purge(ctx))(t)
	for i := range 3 {
		must(t, ix.Upsert(ctx, makeItems(fmt.Sprint("w", i), 1000)))
	}
	took, all := time.Since(began), rewritten.Load()
	if took > 3*time.Second || all >= 20 {
		t.Errorf("a purge and three upserts took %v, behind %d rewrites", took, all)
	}
	slow.Store(false)
}

// The certificate counts each row once, and rows of failed calls not at all.
func TestCertificateCountsEachDeadRowOnce(t *testing.T) {
	ctx := context.Background()
	s := newStore(t, func(o *engine.Options) { o.NoSync = true })
	ix := s.create("a")
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
				id := fmt.Sprint("k", w, ".", i%3)
				must(t, ix.Upsert(ctx, []engine.Item{{ID: id}}))
				if i%2 == 0 {
					got(ix.Delete(ctx, []string{id}))(t)
				}
			}
		})
	}
	for end := time.Now().Add(time.Second); time.Now().Before(end); {
		got(ix.Purge(ctx))(t)
	}
	close(stop)
	wg.Wait()
	cert := got(ix.Purge(ctx))(t)
	upserted, live := s.Metrics().Indexes["a"].Upserted, uint64(got(ix.Count(ctx))(t))
	if cert.Rows != upserted-live {
		t.Errorf("%d rows found dead, %d were upserted and %d live", cert.Rows, upserted, live)
	}
}

// A Compact that its caller gives up says nothing about the segments.
func TestACancelledCompactPutsNothingToRest(t *testing.T) {
	ctx := context.Background()
	var cancel atomic.Pointer[context.CancelFunc]
	inject := errorfs.InjectorFunc(func(op errorfs.Op) error {
		if c := cancel.Load(); c != nil && strings.HasSuffix(op.Path, ".seg") && op.Kind == errorfs.OpFileWriteAt {
			(*c)()
		}
		return nil
	})
	s := openStore(t, errorfs.Wrap(vfs.NewCrashableMem(), inject), nil, within(50*time.Millisecond))
	ix := s.create("a")
	items := bigItems("k", 100, 100_000)
	must(t, ix.Upsert(ctx, items))
	must(t, ix.Roll(ctx))
	must(t, ix.SealNow(ctx))
	got(ix.Delete(ctx, idsOf(items[:45])))(t)
	got(ix.Purge(ctx))(t)
	ending, stop := context.WithCancel(ctx)
	cancel.Store(&stop)
	wantError(t, ix.Compact(ending), context.Canceled)
	cancel.Store(nil)
	got(ix.Delete(ctx, idsOf(items[45:60])))(t) // more than half is dead now
	eventually(t, 5*time.Second, "the segment is rewritten", func() bool {
		m := s.Metrics().Indexes["a"]
		return m.DeadBytes*2 < m.DataBytes
	})
}

// While applying fails, the tombstones that wait do not become more and more
// sets for every look-up to go through.
func TestTombstonesThatWaitStayInFewSets(t *testing.T) {
	ctx := context.Background()
	var broken atomic.Bool
	inject := errorfs.InjectorFunc(func(op errorfs.Op) error {
		if broken.Load() && strings.HasSuffix(op.Path, ".seg") && op.Kind == errorfs.OpFileReadAt {
			return errors.New("disk does not read")
		}
		return nil
	})
	s := openStore(t, errorfs.Wrap(vfs.NewCrashableMem(), inject), nil)
	must(t, s.create("a").Upsert(ctx, makeItems("k", 200)))
	s.reopen()
	ix := s.load("a")
	broken.Store(true)
	for i := range 30 {
		got(ix.Delete(ctx, []string{fmt.Sprint("k", i)}))(t)
		if _, err := ix.Purge(ctx); err == nil {
			t.Fatal("a purge beside a disk that does not read")
		}
	}
	if n := got(ix.TombstoneSets(ctx))(t); n > 6 {
		t.Errorf("%d sets of tombstones", n)
	}
	broken.Store(false)
	want := byID(makeItems("k", 200)...)
	for i := range 30 {
		delete(want, fmt.Sprint("k", i))
	}
	got(ix.Purge(ctx))(t)
	wantItems(t, ix, want, "k0", "k29")
}

// A call whose record would be too large because its rows come to stand in many
// segments is refused before a row is written.
func TestARecordOfTooManyPartsIsRefusedBeforeItIsWritten(t *testing.T) {
	ctx := context.Background()
	s := newStore(t, small)
	ix := s.create("a")
	body := make([]byte, 330)
	items := make([]engine.Item, engine.MaxUpsertRecord/69-20)
	for i := range items {
		items[i] = engine.Item{ID: fmt.Sprint(i), Contents: body}
	}
	wantError(t, ix.Upsert(ctx, items), engine.ErrTooLarge, "bytes of log")
	if m := s.Metrics().Indexes["a"]; m.DataBytes != 0 {
		t.Errorf("%d bytes have been written", m.DataBytes)
	}
}

// What a failed call has written counts as dead once, also after a crash.
func TestDeadBytesCountOnceAcrossACrash(t *testing.T) {
	ctx := context.Background()
	var cancel atomic.Pointer[context.CancelFunc]
	inject := errorfs.InjectorFunc(func(op errorfs.Op) error {
		if c := cancel.Load(); c != nil && strings.HasSuffix(op.Path, ".seg") && op.Kind == errorfs.OpFileWriteAt {
			(*c)()
		}
		return nil
	})
	mem := vfs.NewCrashableMem()
	s := openStore(t, errorfs.Wrap(mem, inject), nil)
	ix := s.create("a")
	must(t, ix.Upsert(ctx, makeItems("k", 60)))
	ending, stop := context.WithCancel(ctx)
	cancel.Store(&stop)
	wantError(t, ix.Upsert(ending, makeItems("l", 35)), context.Canceled)
	cancel.Store(nil)
	got(ix.Purge(ctx))(t)
	before := s.Metrics().Indexes["a"]
	crashed := openStore(t, mem.CrashClone(vfs.CrashCloneCfg{}), s.keys)
	ix = crashed.load("a")
	got(ix.Purge(ctx))(t)
	after := crashed.Metrics().Indexes["a"]
	if before.DeadBytes == 0 || after.DeadBytes != before.DeadBytes || after.DataBytes != before.DataBytes {
		t.Errorf("dead %d of %d bytes before the crash, %d of %d after it", before.DeadBytes, before.DataBytes, after.DeadBytes, after.DataBytes)
	}
}
