package engine_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"runtime/metrics"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// damageRoom is how much more than an undamaged store a damaged one may allocate.
const damageRoom = 64 << 20

// damageLimit is when a trial hangs. One takes some milliseconds.
const damageLimit = time.Minute

// damageSweep runs trials and counts what became of them.
type damageSweep struct {
	testing.TB
	rng   *rand.Rand
	alone sync.RWMutex // held for reading by a trial beside others
	mu    struct {
		sync.Mutex
		counts map[[2]string]*damageCount // by kind of file and what was done
		total  damageCount
		faults int
	}
}

// damageCount is what became of trials: told, unaffected, or, where that is
// permitted, of a state before calls that are lost.
type damageCount struct{ trials, told, same, lost int }

func newDamageSweep(t testing.TB) *damageSweep {
	s := &damageSweep{TB: t, rng: newRand(t)}
	s.mu.counts = make(map[[2]string]*damageCount)
	return s
}

// damageTask is one trial to be run.
type damageTask struct {
	scene  *damageScene
	damage damage
	manner damageManner
}

// manner draws one. Reading is cheap, and what a writer meets a reader has met.
func (s *damageSweep) manner(sc *damageScene) damageManner {
	ms := []damageManner{damageRead, damageRead, damageRead, damageRead, damageReadAsUser, damageWrite, damageWriteAsUser, damageOpen}
	if sc.ledger {
		ms = append(ms, damageReadUnledgered)
	}
	return ms[s.rng.IntN(len(ms))]
}

// each runs trials on both cores.
func (s *damageSweep) each(tasks func(yield func(damageTask))) {
	var wg sync.WaitGroup
	work := make(chan damageTask)
	for range 2 {
		wg.Go(func() {
			for x := range work {
				s.one(x)
			}
		})
	}
	tasks(func(x damageTask) { work <- x })
	close(work)
	wg.Wait()
}

// allocated is how many bytes the program has ever allocated.
func allocated() uint64 {
	x := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(x)
	return x[0].Value.Uint64()
}

// try runs a trial, and answers how many bytes the program has allocated meanwhile.
func (s *damageSweep) try(x damageTask, what string) (tr *damageTrial, n uint64) {
	before := allocated()
	crashTimed(s, damageLimit, what, func() {
		tr = x.scene.run(x.scene.disk(s, x.damage.files(x.scene)), x.damage, x.manner)
	})
	return tr, allocated() - before
}

// one runs a trial. The other core's trials are in what it allocates; where that is
// much it is run again, alone.
func (s *damageSweep) one(x damageTask) {
	what := fmt.Sprintf("%s, %v, %v", x.scene.name, x.damage, x.manner)
	s.alone.RLock()
	tr, n := s.try(x, what)
	s.alone.RUnlock()
	if n > damageRoom {
		s.alone.Lock()
		if _, n = s.try(x, what); n > damageRoom {
			tr.fault("%d bytes were allocated", n)
		}
		s.alone.Unlock()
	}
	s.count(tr)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(tr.faults) > 0 {
		if s.mu.faults++; s.mu.faults <= 20 {
			s.Errorf("%s:\n%s", what, strings.Join(tr.faults, "\n"))
		}
	}
}

func (s *damageSweep) count(tr *damageTrial) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := [2]string{damageKind(tr.damage.path), tr.damage.op}
	if s.mu.counts[key] == nil {
		s.mu.counts[key] = new(damageCount)
	}
	for _, c := range []*damageCount{s.mu.counts[key], &s.mu.total} {
		c.trials++
		switch {
		case len(tr.told) > 0:
			c.told++
		case tr.lost():
			c.lost++
		default:
			c.same++
		}
	}
}

// report logs what became of all trials.
func (s *damageSweep) report() {
	s.Helper()
	var b strings.Builder
	line := func(kind, op string, c *damageCount) {
		fmt.Fprintf(&b, "\n%-16s %-9s %8d trials %8d told %8d unaffected %7d lost the log's end", kind, op, c.trials, c.told, c.same, c.lost)
	}
	keys := make([][2]string, 0, len(s.mu.counts))
	for key := range s.mu.counts {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(x, y [2]string) int {
		return cmp.Or(strings.Compare(x[0], y[0]), slices.Index(damageOps, x[1])-slices.Index(damageOps, y[1]))
	})
	for _, key := range keys {
		line(key[0], key[1], s.mu.counts[key])
	}
	line("all", "", &s.mu.total)
	s.Log(b.String())
	if s.mu.faults > 0 {
		s.Errorf("%d of %d trials have faults", s.mu.faults, s.mu.total.trials)
	}
}

// Whatever is done to one file of a store — a bit flipped, its end cut off, the file
// removed, another store's put in its place, or another file of the same, or what it
// was before — whoever opens it gets an error that names it, or what was
// acknowledged; nobody waits for ever, and memory does not grow by what damaged bytes
// say. What is permitted beside is in damage_rules_test.go.
//
// With OUBLIETTE_LONG every byte of every file of one store, and of its ledger, has a
// bit flipped, and every file is cut at every length; of the other scenes a sample. Else
// one of each sort in each scene.
func TestDamageOfAFileIsToldOrChangesNothing(t *testing.T) {
	s := newDamageSweep(t)
	hit := make(map[string]int)
	s.each(func(run func(damageTask)) {
		scenes := append(newDamageScenes(t, false), newDamageScenes(t, true)...)
		for _, i := range s.rng.Perm(len(scenes)) {
			for _, g := range damageGroups(scenes[i], s.rng.IntN(8)) {
				hit[g.kind+" "+g.op]++
				all := i == 0 || i == 3 && g.kind == "ledger" // of a crashed store
				for d := range s.choose(g, all) {
					run(damageTask{scenes[i], d, s.manner(scenes[i])})
				}
			}
		}
	})
	s.report()
	for kind, ops := range map[string][]string{
		"FORMAT": {damageFlip, damageCut}, "CLEAN": {damageFlip, damageCut, damageTwin, damageOlder}, "LOCK": nil, "ledger": damageOps,
		"pebble/IDENTITY": {damageFlip, damageCut, damageTwin, damageOlder}, "pebble/LOCK": nil, "marker": nil,
		"MANIFEST": {damageFlip, damageCut}, "OPTIONS": {damageFlip, damageCut},
		"log": damageOps, "table": {damageFlip, damageCut, damageTwin, damageExchange}, "segment": damageOps,
	} {
		for _, op := range append([]string{damageRemove, damageCopy}, ops...) {
			if hit[kind+" "+op] == 0 {
				t.Errorf("no %s of a file of kind %s", op, kind)
			}
		}
	}
}

// damageSample is how many flips, and how many cuts, of files of one sort the long form
// tries where it does not try all.
const damageSample = 1000

// choose answers what is tried of a group: all, a sample, or one.
func (s *damageSweep) choose(g *damageGroup, all bool) func(yield func(damage) bool) {
	n := 1
	if crashLong() {
		n = g.n
		if !all && (g.op == damageFlip || g.op == damageCut) {
			n = min(n, damageSample)
		}
	}
	return func(yield func(damage) bool) {
		for i := range n {
			if n < g.n {
				i = s.rng.IntN(g.n)
			}
			if !yield(g.at(i)) {
				return
			}
		}
	}
}
