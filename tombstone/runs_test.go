package tombstone

import (
	"math/bits"
	"math/rand/v2"
	"testing"

	"oubliette/crypto"
)

// runs is the other way to hold tombstones that Set was measured against: a map
// for what came last, and immutable sorted runs of growing size that are merged
// with one another when they are of like size. It is kept for the benchmarks,
// and does as little as can be asked: no locks, one goroutine.
type runs struct {
	front map[crypto.Token]uint64
	runs  []sortedRun // older and larger ones first
}

type sortedRun []Tombstone

// frontMax is where the map is emptied into a run.
const frontMax = 4096

func newRuns() *runs { return &runs{front: map[crypto.Token]uint64{}} }

func (r *runs) Add(seq uint64, sorted []crypto.Token) {
	if len(sorted)+len(r.front) <= frontMax {
		for _, t := range sorted {
			r.front[t] = max(r.front[t], seq)
		}
		return
	}
	r.flush()
	run := make(sortedRun, len(sorted))
	for i, t := range sorted {
		run[i] = Tombstone{t, seq}
	}
	r.push(run)
}

// flush makes the map a run.
func (r *runs) flush() {
	if len(r.front) == 0 {
		return
	}
	tokens := make([]crypto.Token, 0, len(r.front))
	for t := range r.front {
		tokens = append(tokens, t)
	}
	run := make(sortedRun, len(tokens))
	for i, t := range Sort(tokens) {
		run[i] = Tombstone{t, r.front[t]}
	}
	clear(r.front)
	r.push(run)
}

// push appends a run and merges while the last is at least half as large as the
// one before it: at most log2(n) runs are left.
func (r *runs) push(run sortedRun) {
	for n := len(r.runs); n > 0 && len(run) >= len(r.runs[n-1])/2; n-- {
		run = merge(r.runs[n-1], run)
		r.runs = r.runs[:n-1]
	}
	r.runs = append(r.runs, run)
}

func merge(a, b sortedRun) sortedRun {
	out := make(sortedRun, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		switch x, y := &a[0], &b[0]; {
		case less(&x.Token, &y.Token):
			out, a = append(out, *x), a[1:]
		case less(&y.Token, &x.Token):
			out, b = append(out, *y), b[1:]
		default:
			out = append(out, Tombstone{x.Token, max(x.Seq, y.Seq)})
			a, b = a[1:], b[1:]
		}
	}
	return append(append(out, a...), b...)
}

func (r *runs) Newest(t crypto.Token) (uint64, bool) {
	seq, ok := r.front[t]
	for _, run := range r.runs {
		if i := run.search(&t); i < len(run) && run[i].Token == t {
			seq, ok = max(seq, run[i].Seq), true
		}
	}
	return seq, ok
}

// search is where t is or would be. Uniform tokens stand near where their
// leading bits say; from there the step doubles until t is passed, and a binary
// search ends it.
func (r sortedRun) search(t *crypto.Token) int {
	guess, _ := bits.Mul64(lead(t), uint64(len(r)))
	lo, hi := int(guess), int(guess)
	for step := 8; lo > 0 && !less(&r[lo-1].Token, t); step *= 2 {
		hi, lo = lo, max(0, lo-step)
	}
	for step := 8; hi < len(r) && less(&r[hi].Token, t); step *= 2 {
		lo, hi = hi, min(len(r), hi+step)
	}
	for lo < hi {
		if mid := int(uint(lo+hi) / 2); less(&r[mid].Token, t) {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

func TestRunsAgreeWithAMap(t *testing.T) {
	rng := rand.New(rand.NewPCG(31, 32))
	r, m := newRuns(), model{}
	for seq, n := range []int{1, 5000, 100, 4000, 20_000, 1, 3000, 9000, 5000, 2000} {
		tokens := Sort(append(uniform(rng, n), skewed(8, n/2)...))
		m.add(uint64(seq), tokens)
		r.Add(uint64(seq), tokens)
	}
	for tok, want := range m {
		if seq, ok := r.Newest(tok); !ok || seq != want {
			t.Fatalf("token %x: %d %v, want %d (PCG seed 31, 32)", tok, seq, ok, want)
		}
	}
	for _, tok := range append(uniform(rng, 1000), skewed(8, 20_000)[10_000:]...) {
		if _, ok := r.Newest(tok); ok {
			t.Fatalf("token %x is found and was never added (PCG seed 31, 32)", tok)
		}
	}
}
