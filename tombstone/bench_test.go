package tombstone

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"oubliette/crypto"
)

const million = 1_000_000

// holder is what Set and runs have in common.
type holder interface {
	Add(uint64, []crypto.Token)
	Newest(crypto.Token) (uint64, bool)
}

var holders = []struct {
	name string
	make func() holder
}{
	{"set", func() holder { return NewSet() }},
	{"runs", func() holder { return newRuns() }},
}

// perToken reports the time of one iteration divided by n.
func perToken(b *testing.B, n int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/token")
}

// batches makes a million tokens in sorted calls of n each.
func batches(n int) [][]crypto.Token {
	tokens := uniform(rand.New(rand.NewPCG(33, 34)), million)
	var out [][]crypto.Token
	for call := range slices.Chunk(tokens, n) {
		out = append(out, Sort(call))
	}
	return out
}

func BenchmarkSort(b *testing.B) {
	ways := []struct {
		name string
		sort func([]crypto.Token)
	}{
		{"sort", func(t []crypto.Token) { Sort(t) }},
		{"slices", func(t []crypto.Token) { slices.SortFunc(t, compare) }},
	}
	for _, n := range []int{100, 10_000, 100_000, million} {
		tokens := uniform(rand.New(rand.NewPCG(35, 36)), n)
		work := make([]crypto.Token, n)
		for _, way := range ways {
			b.Run(fmt.Sprintf("%s/%d", way.name, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					copy(work, tokens)
					way.sort(work)
				}
				perToken(b, n)
			})
		}
	}
}

// BenchmarkAdd fills an empty holder with a million tokens in calls of one
// size: growth and merges are in the figure, and so is a look at the clock for
// each call. worst-µs is the longest call.
func BenchmarkAdd(b *testing.B) {
	for _, n := range []int{1, 1000, 10_000, 100_000, million} {
		calls := batches(n)
		for _, h := range holders {
			b.Run(fmt.Sprintf("%s/%d", h.name, n), func(b *testing.B) {
				b.ReportAllocs()
				var worst time.Duration
				for b.Loop() {
					worst = max(worst, fill(h.make(), calls))
				}
				perToken(b, million)
				b.ReportMetric(float64(worst.Microseconds()), "worst-µs")
			})
		}
	}
}

// fill adds calls and answers how long the longest took.
func fill(h holder, calls [][]crypto.Token) (worst time.Duration) {
	last := time.Now()
	for seq, call := range calls {
		h.Add(uint64(seq), call)
		now := time.Now()
		worst, last = max(worst, now.Sub(last)), now
	}
	return worst
}

// BenchmarkNewest looks tokens up among a million that came in calls of one
// size: those that are there, and others.
func BenchmarkNewest(b *testing.B) {
	absent := uniform(rand.New(rand.NewPCG(37, 38)), million)
	for _, n := range []int{1, 1000, million} {
		calls := batches(n)
		present := slices.Concat(calls...)
		rng := rand.New(rand.NewPCG(39, 40))
		rng.Shuffle(million, func(i, j int) { present[i], present[j] = present[j], present[i] })
		for _, h := range holders {
			filled := h.make()
			fill(filled, calls)
			b.Run(fmt.Sprintf("%s/%d/present", h.name, n), func(b *testing.B) { lookUp(b, filled, present) })
			b.Run(fmt.Sprintf("%s/%d/absent", h.name, n), func(b *testing.B) { lookUp(b, filled, absent) })
		}
	}
}

var found int

func lookUp(b *testing.B, h holder, tokens []crypto.Token) {
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if _, ok := h.Newest(tokens[i]); ok {
			found++
		}
		if i++; i == len(tokens) {
			i = 0
		}
	}
}

// BenchmarkNewestWhileAdding looks tokens up while one goroutine adds calls of
// 100,000 tokens without a pause, each time to a set that gets a million.
func BenchmarkNewestWhileAdding(b *testing.B) {
	if runtime.GOMAXPROCS(0) < 2 {
		b.Skip("needs two cores")
	}
	calls := batches(100_000)
	absent := uniform(rand.New(rand.NewPCG(41, 42)), million)
	set, stop, stopped := NewSet(), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for seq := 0; ; seq++ {
			select {
			case <-stop:
				return
			default:
				set.Add(uint64(seq), calls[seq%len(calls)])
			}
		}
	}()
	lookUp(b, set, absent)
	close(stop)
	<-stopped
}

func BenchmarkAll(b *testing.B) {
	for _, n := range []int{10_000, million} {
		set := NewSet()
		fill(set, batches(n)[:1])
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				set.All()
			}
			perToken(b, n)
		})
	}
}

func BenchmarkDigest(b *testing.B) {
	tokens := batches(10_000)[0]
	b.ReportAllocs()
	for b.Loop() {
		Digest([32]byte{}, tokens)
	}
	perToken(b, len(tokens))
}
