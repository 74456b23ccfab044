package engine_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/engine"
)

// putBacks is a store that is put back to earlier states of it, each time beside the
// newest ledger, and goes on from there.
type putBacks struct {
	*crashWorld
	t      *testing.T
	rng    *rand.Rand
	within time.Duration
	states []*putBackState
	names  int // indexes that there ever were

	times, refused, images int
}

// putBackState is a state that is kept, and what the store held then.
type putBackState struct {
	fs  *vfs.MemFS
	is  *crashModel
	seq map[string]uint64
}

func newPutBacks(t *testing.T, rng *rand.Rand, within time.Duration) *putBacks {
	mem := vfs.NewCrashableMem()
	rec, fs := newCrashRecorder(mem, rng.Uint64(), crashNever)
	p := &putBacks{crashWorld: newCrashWorld(t, rec, fs), t: t, rng: rng, within: within}
	p.tune()
	p.open()
	p.another()
	p.another()
	return p
}

// tune makes segments and memory small.
func (p *putBacks) tune() { p.opts.PurgeWithin, p.opts.MemoryLimit = p.within, 64<<10 }

// another makes one more index, of a name that there has not been.
func (p *putBacks) another() {
	p.names++
	p.create(fmt.Sprint("i", p.names))
}

// keep keeps the state as a crash would leave it now.
func (p *putBacks) keep() {
	percent := []int{0, 0, 50, 100}[p.rng.IntN(4)]
	fs := p.rec.mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rand.New(rand.NewPCG(p.rng.Uint64(), 1))})
	p.states = append(p.states, &putBackState{fs: fs, is: p.rec.now, seq: maps.Clone(p.seq)})
}

// some are a few ids, of small and of large items.
func (p *putBacks) some(most int) []string {
	ids := make(map[string]bool)
	for range 1 + p.rng.IntN(most) {
		ids[fmt.Sprintf("%c%d", "ssL"[p.rng.IntN(3)], p.rng.IntN(60))] = true
	}
	return slices.Sorted(maps.Keys(ids))
}

// step does one thing of all that changes a store, or keeps its state.
func (p *putBacks) step(changes bool) {
	names := slices.Sorted(maps.Keys(p.rec.now.indexes))
	if len(names) == 0 {
		p.another()
		return
	}
	name := names[p.rng.IntN(len(names))]
	switch n := p.rng.IntN(100); {
	case n < 45:
		p.upsert(name, p.some(12)...)
	case n < 75:
		p.delete(name, p.some(6)...)
	case n < 80:
		p.purge(name)
	case n < 84:
		p.purgeRewrite(name)
	case n < 87:
		p.compact(name)
	case n < 89:
		must(p.t, p.ix[name].Roll(context.Background()))
	case n < 91:
		p.close()
		if p.rng.IntN(2) == 0 {
			p.keep()
		}
		p.open()
	case n < 92 && changes:
		p.change(name, epochCreate(byte(1+p.rng.IntN(200)), engine.PermRead))
	case n < 93 && len(names) > 1 && p.rng.IntN(3) == 0:
		p.drop(name)
	case n < 94 && len(names) < 4:
		p.another()
	default:
		p.keep()
	}
}

// after is what a state has to show beside the newest ledger, and which of its indexes
// cannot be loaded, for it is from before a change of their keys.
func (p *putBacks) after(s *putBackState) (is *crashModel, refused []string) {
	is = s.is
	for name := range s.is.indexes {
		switch {
		case p.rec.now.indexes[name] == nil:
			is = is.without(name)
		case p.rec.now.who[name] != s.is.who[name]:
			is, refused = is.without(name), append(refused, name)
		}
	}
	for _, r := range p.rec.now.receipts {
		if is.indexes[r.index] == nil || slices.ContainsFunc(is.receipts, func(o crashReceipt) bool { return o.receipt == r.receipt }) {
			continue
		}
		is = is.with(r.index, func(items map[string]int) {
			for _, id := range r.ids {
				delete(items, id)
			}
		})
		r.least, r.most = 0, r.receipt.Count // of what the state has of them
		is = is.acknowledged(r)
	}
	return is, refused
}

// putBack puts one of the states back beside the ledger, crashes the catching up at
// some of its mutations, and goes on. It answers false when it cannot.
func (p *putBacks) putBack() bool {
	ledger := got(readFile(p.rec.mem, crashLedger))(p.t)
	at := p.rng.IntN(len(p.states))
	s := p.states[at]
	p.states = p.states[:at+1] // later ones are of another continuation
	is, refused := p.after(s)
	p.close()
	p.times++

	mem := s.fs.CrashClone(vfs.CrashCloneCfg{})
	writeFile(p.t, mem, crashLedger, ledger)
	root := got(mem.OpenDir("/"))(p.t)
	must(p.t, errors.Join(root.Sync(), root.Close()))
	rec, fs := newCrashRecorder(mem, p.rng.Uint64(), crashSample(p.rng, 6, 100))
	lost := len(is.receipts) - len(s.is.receipts)
	rec.now, rec.during = is, fmt.Sprintf("catching up with %d deletes", lost)
	p.crashWorld = p.goOn(rec, fs, s, is)
	if len(refused) > 0 {
		rec.stop()
		p.refused++
		p.refuses(refused)
		return false
	}
	p.open()
	p.workAtOnce()
	images := rec.stop()
	p.images += len(images)
	p.verifier().all(p.t, images)
	return true
}

// goOn is the world of a store that has been put back: it knows the keys and the
// sealed bytes of the one before, and where its numbers go on.
func (p *putBacks) goOn(rec *crashRecorder, fs vfs.FS, s *putBackState, is *crashModel) *crashWorld {
	old := p.crashWorld
	w := newCrashWorld(p.t, rec, fs)
	w.ever, w.notes, w.next = old.ever, old.notes, old.next
	for name, who := range is.who {
		w.keys[name], w.seq[name] = who.root, s.seq[name]
	}
	for _, r := range is.receipts { // none of a delete is given out again
		w.seq[r.index] = max(w.seq[r.index], r.receipt.Seq)
	}
	clear(w.notes.died) // numbered by what is no more
	p.crashWorld = w
	p.tune()
	return w
}

// workAtOnce does at once what makes a store catch up.
func (p *putBacks) workAtOnce() {
	ctx := context.Background()
	var wg sync.WaitGroup
	for name, ix := range p.ix {
		wg.Go(func() {
			if _, err := ix.Purge(ctx); err != nil {
				p.t.Errorf("purge of %s after it was put back: %v", name, err)
			}
		})
		wg.Go(func() {
			if n, err := ix.Count(ctx); err != nil || n != len(p.rec.now.indexes[name]) {
				p.t.Errorf("count of %s after it was put back: %d of %d, %v", name, n, len(p.rec.now.indexes[name]), err)
			}
		})
		wg.Go(func() {
			if err := ix.Compact(ctx); err != nil {
				p.t.Errorf("compact of %s after it was put back: %v", name, err)
			}
		})
	}
	wg.Wait()
}

// refuses opens a store some of whose indexes are from before a change of their keys:
// these are refused, the others are as they should be.
func (p *putBacks) refuses(refused []string) {
	ctx := context.Background()
	db := got(engine.Open(storeDir, &p.opts))(p.t)
	for _, name := range refused {
		for _, l := range p.ever[name] {
			if _, err := db.LoadIndex(ctx, name, l.opts()...); !errors.Is(err, engine.ErrRolledBack) {
				p.t.Errorf("%s is from before a change of its keys, and %v gets %v", name, l, err)
			}
		}
	}
	for name, items := range p.rec.now.indexes {
		want := make(map[string]engine.Item)
		for id, version := range items {
			want[id] = crashItem(id, version)
		}
		ix := got(db.LoadIndex(ctx, name, engine.WithIndexKey(p.keys[name])))(p.t)
		wantItems(p.t, ix, want)
		got(ix.Purge(ctx))(p.t)
	}
	mine := func(v crashVersion) bool {
		return p.rec.now.indexes[v.index] != nil && !p.rec.now.lives(v)
	}
	must(p.t, p.notes.residue(p.rec.mem, mine))
	_ = db.Close() // it says that dead bytes of what is refused wait for a key
}

// TestAStoreIsPutBackAgainAndAgain puts a store back to states from before deletes,
// again and again, each time beside its ledger, and crashes it while it catches up.
// What was deleted since stays hidden and is erased, every acknowledged delete is
// known, no number is given out again, an index that was deleted does not come back,
// and one from before a change of its keys is refused.
//
// It does so a few times; OUBLIETTE_LONG=1 begins 100 stores.
func TestAStoreIsPutBackAgainAndAgain(t *testing.T) {
	rng := newRand(t)
	stores, rounds := 1, 3
	if crashLong() {
		stores, rounds = 100, 7
	}
	times, refused, images := 0, 0, 0
	for range stores {
		p := newPutBacks(t, rand.New(rand.NewPCG(rng.Uint64(), 5)), []time.Duration{time.Hour, 20 * time.Millisecond}[rng.IntN(2)])
		changes, goesOn := rng.IntN(3) == 0, true
		for round := 0; round < rounds && goesOn && !t.Failed(); round++ {
			for range 50 {
				p.step(changes)
			}
			if len(p.states) > 0 {
				goesOn = p.putBack()
			}
		}
		if goesOn {
			p.close()
		}
		times, refused, images = times+p.times, refused+p.refused, images+p.images
		if t.Failed() {
			break
		}
	}
	t.Logf("put back %d times, refused %d times, %d images of catching up", times, refused, images)
}
