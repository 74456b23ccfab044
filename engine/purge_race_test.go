package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"oubliette/engine"
	"oubliette/segment"
)

// An id that has been deleted is upserted again while the purge looks for its
// row: the row is displaced in its memtable and not found there any more. The
// certificate says that it is gone, so it has to be.
func TestPurgeErasesARowWhoseIDComesBackMeanwhile(t *testing.T) {
	ctx := context.Background()
	gate := newFaultGate(func(op errorfs.Op) bool { return op.Kind == errorfs.OpFileReadAt && faultSegment(op) })
	mem := vfs.NewCrashableMem()
	s := openStore(t, errorfs.Wrap(mem, gate), nil, func(o *engine.Options) { o.CacheSize = 1 })
	ix := s.create("a")
	items := makeItems("sealed", 20)
	must(t, ix.Upsert(ctx, items))
	must(t, ix.Roll(ctx))
	must(t, ix.SealNow(ctx))
	must(t, ix.Upsert(ctx, []engine.Item{makeItem("x", 1)})) // into the active segment
	var gone residue
	gone.note(t, s, ix, []string{"x", "sealed1"})
	r := got(ix.Delete(ctx, []string{"x", "sealed1"}))(t)
	type answer struct {
		cert engine.Certificate
		err  error
	}
	done := make(chan answer, 1)
	gate.shut.Store(true)
	go func() {
		cert, err := ix.Purge(ctx)
		done <- answer{cert, err}
	}()
	<-gate.reached // the tombstones are cut off, and the sealed segment is looked through
	err := ix.Upsert(ctx, []engine.Item{makeItem("x", 2)})
	close(gate.open)
	must(t, err)
	a := <-done
	must(t, a.err)
	if a.cert.Through < r.Seq {
		t.Errorf("the certificate covers %d calls, the delete is number %d", a.cert.Through, r.Seq)
	}
	gone.wantGone(t, mem)
	want := without(byID(append(items, makeItem("x", 2))...), "sealed1")
	wantItems(t, ix, want, "sealed1")
}

// halfMoved is an index in the middle of a rewrite that maintenance has begun.
// Rows that it had copied were deleted, and a Purge has come in between two of
// its steps and answered; the next step waits at its first row.
type halfMoved struct {
	*store
	ix   *engine.Index
	mem  *vfs.MemFS
	old  map[string]bool // paths of the segments that are rewritten
	want map[string]engine.Item
	dead []string // the ids that were deleted meanwhile
	gone residue  // rows of dead, and the copies of them that had been made

	bad    atomic.Bool   // writes into the old segments fail
	failed chan error    // of rewrites
	ended  chan struct{} // a rewrite has come to its end
	goOn   func()        // lets the rewrite go on
}

func newHalfMoved(t *testing.T) *halfMoved {
	ctx := context.Background()
	h := &halfMoved{
		mem: vfs.NewCrashableMem(), old: make(map[string]bool), want: make(map[string]engine.Item),
		failed: make(chan error, 100), ended: make(chan struct{}, 100),
	}
	var steps atomic.Int64
	var path atomic.Value // of the new file
	copies := func(op errorfs.Op) bool {
		if op.Kind != errorfs.OpFileWriteAt || !faultSegment(op) || h.old[op.Path] || op.Offset < segment.DataStart {
			return false
		}
		info, err := h.mem.Stat(op.Path)
		return err == nil && op.Offset >= info.Size() // else it overwrites
	}
	copying := newFaultGate(func(op errorfs.Op) bool { // holds the fourth step
		if copies(op) && steps.Add(1) == 4 {
			path.Store(op.Path)
			return true
		}
		return false
	})
	next := newFaultGate(copies)
	bad := errorfs.InjectorFunc(func(op errorfs.Op) error {
		if h.bad.Load() && op.Kind == errorfs.OpFileWriteAt && h.old[op.Path] {
			return errors.New("bad block")
		}
		return nil
	})
	var purging atomic.Bool
	fs := errorfs.Wrap(errorfs.Wrap(errorfs.Wrap(h.mem, bad), copying), next)
	h.store = openStore(t, fs, nil, small, func(o *engine.Options) {
		o.EventListener = &engine.EventListener{
			Erased:    func(engine.EraseInfo) { next.shut.Store(purging.Load()) },
			Rewritten: func(engine.RewriteInfo) { h.ended <- struct{}{} },
			Failed: func(step string, err error) {
				if step == "rewrite" {
					h.failed <- err
				}
			},
		}
	})
	first := sync.OnceFunc(func() { close(copying.open) })
	h.goOn = sync.OnceFunc(func() { close(next.open) })
	t.Cleanup(func() { first(); h.goOn() }) // or Close would wait
	h.ix = h.create("a")
	before := h.segments(t, 16)
	must(t, h.ix.StepSize(ctx, 1)) // a segment a step
	copying.shut.Store(true)
	got(h.ix.Delete(ctx, before))(t)
	got(h.ix.Purge(ctx))(t)                                 // most of every segment is dead
	got(h.ix.Delete(ctx, []string{"wakes maintenance"}))(t) // which rewrites them
	h.reached(t, copying)
	h.noteCopies(t, path.Load().(string))
	got(h.ix.Delete(ctx, h.dead))(t)
	purging.Store(true)
	purged := make(chan error, 1)
	go func() {
		_, err := h.ix.Purge(ctx)
		purged <- err
	}()
	time.Sleep(50 * time.Millisecond) // it waits for the step to end
	first()
	must(t, <-purged)
	h.reached(t, next)
	return h
}

// segments fills segments of six rows each. The first four are to die before the
// rewrite, and are answered, the fifth while it is under way.
func (h *halfMoved) segments(t *testing.T, n int) (before []string) {
	t.Helper()
	ctx := context.Background()
	for seg := range n {
		items := bigItems(fmt.Sprintf("%02d.", seg), 6, 6000)
		must(t, h.ix.Upsert(ctx, items))
		must(t, h.ix.Roll(ctx))
		before, h.dead = append(before, idsOf(items[:4])...), append(h.dead, items[4].ID)
		h.want[items[5].ID] = items[5]
	}
	must(t, h.ix.SealNow(ctx))
	sealed, _, err := h.ix.SegmentPaths(ctx)
	must(t, err)
	for _, path := range sealed {
		h.old[path] = true
	}
	h.gone.note(t, h.store, h.ix, h.dead)
	return before
}

// noteCopies notes every other row of the new file, the copies of the rows that
// are to die.
func (h *halfMoved) noteCopies(t *testing.T, path string) {
	t.Helper()
	size := int(got(h.ix.SealedRows(context.Background(), h.dead[:1]))(t)[0].Extent.Len)
	b := got(h.WrittenSince(path, segment.DataStart))(t)
	if len(b) == 0 || len(b)%(2*size) != 0 {
		t.Fatalf("%d bytes have been copied, a row has %d", len(b), size)
	}
	for i := 0; i < len(b); i += 2 * size {
		h.gone.add("a copy", b[i:i+size])
	}
	if h.gone.search(t, h.mem)["a copy"] == 0 {
		t.Fatal("the search does not find the copies")
	}
}

func (h *halfMoved) reached(t *testing.T, g *faultGate) {
	t.Helper()
	select {
	case <-g.reached:
	case <-time.After(10 * time.Second):
		t.Fatal("the rewrite does not come to the next row")
	}
}

// Rows that are deleted and purged between two steps of a rewrite stand in its
// new file as well, which no manifest lists yet: the certificate covers them.
func TestPurgeErasesTheCopiesOfARewriteUnderWay(t *testing.T) {
	h := newHalfMoved(t)
	h.gone.wantGone(t, h.mem)
	wantItems(t, h.ix, h.want, h.dead...)
	h.goOn()
	crashTimed(t, 10*time.Second, "the rewrite", func() { <-h.ended })
	wantItems(t, h.ix, h.want, h.dead...)
	h.reopen()
	h.gone.wantGone(t, h.mem)
	wantItems(t, h.load("a"), h.want, h.dead...)
}

// A rewrite whose inputs cannot be destroyed at once has come to its end all the
// same: what has died in its new segment on the way waits to be overwritten, and
// is with the next purge.
func TestDeadRowsOfARewriteAreErasedBesideInputsThatStay(t *testing.T) {
	ctx := context.Background()
	h := newHalfMoved(t)
	h.bad.Store(true)
	h.goOn()
	var err error
	crashTimed(t, 10*time.Second, "the rewrite", func() { err = <-h.failed })
	if !strings.Contains(err.Error(), "bad block") {
		t.Errorf("a rewrite whose inputs cannot be destroyed: %v", err)
	}
	if _, err := h.ix.Purge(ctx); err == nil || !strings.Contains(err.Error(), "bad block") {
		t.Errorf("Purge beside inputs that cannot be destroyed: %v", err)
	}
	if m := h.Metrics().Indexes["a"]; m.Segments != 1 || m.DeadBytes == 0 || m.PendingBytes != 0 {
		t.Errorf("after a purge: %+v", m)
	}
	h.gone.wantGone(t, h.mem)
	h.bad.Store(false)
	got(h.ix.Purge(ctx))(t)
	for path := range readAll(t, h.mem) {
		if h.old[path] {
			t.Errorf("%s is left after a purge", path)
		}
	}
	h.gone.wantGone(t, h.mem)
	wantItems(t, h.ix, h.want, h.dead...)
}
