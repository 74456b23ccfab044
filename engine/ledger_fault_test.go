package engine_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/engine"
	"oubliette/internal/latchfs/failfs"
)

// lagging is a store that was put back to before two deletes, of two runs of its log,
// and the ledger that has them.
type lagging struct {
	*store
	old      *vfs.MemFS
	ledger   []byte
	receipts []engine.Receipt
	lost     []string // deleted since
	want     map[string]engine.Item
	noted    residue
}

func newLagging(t *testing.T) *lagging {
	ctx := context.Background()
	disk := vfs.NewMem()
	l := &lagging{store: newStore(t, keptOn(disk)), lost: []string{"k1", "o1", "k2", "o2", "o3"}}
	ix := l.create("a")
	must(t, ix.Upsert(ctx, makeItems("k", 30)))
	must(t, ix.Roll(ctx))
	must(t, ix.SealNow(ctx))
	must(t, ix.Upsert(ctx, makeItems("o", 30)))
	l.old = l.snapshot()
	l.noted.note(t, l.store, ix, l.lost)
	l.receipts = append(l.receipts, got(ix.Delete(ctx, l.lost[:2]))(t))
	l.reopen()
	l.receipts = append(l.receipts, got(l.load("a").Delete(ctx, l.lost[2:]))(t))
	l.close()
	l.ledger = got(readFile(disk, "/deletes.ledger"))(t)
	l.want = byID(slices.Concat(makeItems("k", 30), makeItems("o", 30))...)
	for _, id := range append(l.lost, "k29") {
		delete(l.want, id)
	}
	return l
}

// TestCatchingUpSurvivesFailures fails mutations of store and ledger while a store that
// was put back takes its deletes from the ledger. None of them is shown meanwhile;
// when the fault is over all are erased, each is known by its receipt with what it
// found, and what was deleted on top of them stays deleted.
//
// It takes a sample of the mutations; OUBLIETTE_LONG=1 takes every one.
func TestCatchingUpSurvivesFailures(t *testing.T) {
	rng := newRand(t)
	l := newLagging(t)
	runs := 0
	for _, how := range []failfs.Verdict{failfs.Refuse, failfs.Late, failfs.Short} {
		for _, inLedger := range []bool{false, true} {
			for point := rng.IntN(stepOf(20)); !t.Failed(); point += 1 + rng.IntN(stepOf(45)) {
				if !l.meets(t, how, inLedger, point) {
					break
				}
				runs++
			}
		}
	}
	if t.Logf("%d runs have met a fault", runs); runs == 0 {
		t.Error("no run has met a fault")
	}
}

// meets lets catching up meet a fault, and holds the store against what it should be
// afterwards. It answers false when there is no such mutation.
func (l *lagging) meets(t *testing.T, how failfs.Verdict, inLedger bool, point int) bool {
	t.Helper()
	mem, disk := l.old.CrashClone(vfs.CrashCloneCfg{}), vfs.NewCrashableMem()
	writeFile(t, disk, "/deletes.ledger", l.ledger)
	var met atomic.Bool
	fail := func(n int, op, path string) failfs.Verdict {
		if n != point || op == "close" || strings.HasPrefix(op, "stat") {
			return failfs.Pass
		}
		met.Store(true)
		return how
	}
	o := l.opts
	o.FS = mem
	keptOn(disk)(&o)
	faulty := failfs.New(mem, fail)
	if o.FS = faulty; inLedger {
		o.FS, faulty = mem, failfs.New(disk, fail)
		keptOn(faulty)(&o)
	}
	crashTimed(t, 30*time.Second, "catching up", func() { l.catchUp(t, &o) })
	o.FS = mem
	keptOn(disk)(&o)
	if err := l.settled(t, mem, &o); err != nil {
		t.Errorf("verdict %d, in the ledger %v, mutation %d: %v", how, inLedger, point, err)
	}
	return met.Load() || point < faulty.Count()
}

// catchUp opens the store, purges and deletes, as far as that goes.
func (l *lagging) catchUp(t *testing.T, o *engine.Options) {
	ctx := context.Background()
	db, err := engine.Open(storeDir, o)
	if err != nil {
		return
	}
	defer db.Close() // it may tell of what is left
	ix, err := db.LoadIndex(ctx, "a", engine.WithIndexKey(l.keys["a"]))
	if err != nil {
		return
	}
	if items, err := ix.Get(ctx, l.lost, 0); err != nil || len(items) > 0 {
		t.Errorf("%d items that the ledger deletes are shown: %v", len(items), err)
	}
	_, _ = ix.Purge(ctx)
	if _, err := ix.Delete(ctx, []string{"k29"}); err != nil {
		return
	}
	if items, err := ix.Get(ctx, []string{"k29"}, 0); err != nil || len(items) > 0 {
		t.Errorf("what was deleted on top is shown: %v", err)
	}
	l.acknowledged(t, ix)
}

// acknowledged fails the test when a receipt is not known.
func (l *lagging) acknowledged(t *testing.T, ix *engine.Index) {
	for _, r := range l.receipts {
		if st, err := ix.Status(context.Background(), r); !errors.Is(err, engine.ErrFailed) && (err != nil || st.State == engine.Unknown) {
			t.Errorf("delete %d is %v: %v", r.Seq, st.State, err)
		}
	}
}

// settled holds a store against what it should be when the fault is over.
func (l *lagging) settled(t *testing.T, mem *vfs.MemFS, o *engine.Options) error {
	ctx := context.Background()
	db, err := engine.Open(storeDir, o)
	if err != nil {
		return err
	}
	ix, err := db.LoadIndex(ctx, "a", engine.WithIndexKey(l.keys["a"]))
	if err != nil {
		return errors.Join(err, db.Close())
	}
	got(ix.Delete(ctx, []string{"k29"}))(t)
	wantItems(t, ix, l.want, l.lost...)
	got(ix.Purge(ctx))(t)
	for _, r := range l.receipts {
		if st := got(ix.Status(ctx, r))(t); st.State != engine.Erased || !st.Counted || st.Rows != r.Count {
			t.Errorf("delete %d of %d ids is %v, counted %v, found %d", r.Seq, r.Count, st.State, st.Counted, st.Rows)
		}
	}
	l.noted.wantGone(t, mem)
	got(ix.Check(ctx))(t)
	return db.Close()
}
