package tombstone

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"oubliette/crypto"
)

// visibility is one writer, whose every call deletes all tokens of group anew
// and some fresh ones, so that tables grow, and readers beside it.
type visibility struct {
	set   *Set
	group []crypto.Token
	done  chan struct{}
}

const (
	groupTokens = 1000
	freshTokens = 300
)

func newVisibility() *visibility {
	group := Sort(uniform(rand.New(rand.NewPCG(21, 22)), groupTokens))
	return &visibility{set: NewSet(), group: group, done: make(chan struct{})}
}

// write makes the calls with sequence numbers 1 to calls.
func (v *visibility) write(calls int) {
	defer close(v.done)
	rng := rand.New(rand.NewPCG(23, 24))
	for seq := 1; seq <= calls; seq++ {
		v.set.Add(uint64(seq), Sort(append(uniform(rng, freshTokens), v.group...)))
	}
}

// untilDone runs step until the writer is done, and once more.
func (v *visibility) untilDone(step func()) {
	for {
		select {
		case <-v.done:
			step()
			return
		default:
			step()
		}
	}
}

// look looks tokens of the group up, one after the other in any order. Once one
// of them shows a call, no other may show less: every call has them all.
func (v *visibility) look(t *testing.T, rng *rand.Rand) {
	newest := uint64(0)
	v.untilDone(func() {
		tok := v.group[rng.IntN(len(v.group))]
		seq, _ := v.set.Newest(tok)
		if seq < newest {
			t.Errorf("token %x shows sequence %d after another has shown %d", tok, seq, newest)
		}
		newest = max(newest, seq)
	})
}

// lookAtAll holds every answer of All against whole calls.
func (v *visibility) lookAtAll(t *testing.T) {
	newest := uint64(0)
	v.untilDone(func() {
		all := v.set.All()
		if len(all) == 0 {
			return
		}
		seq := v.checkWhole(t, all)
		if seq < newest {
			t.Errorf("All shows sequence %d after %d", seq, newest)
		}
		newest = seq
	})
}

// checkWhole checks that all is calls 1 to some number, each whole, and answers
// that number.
func (v *visibility) checkWhole(t *testing.T, all []Tombstone) uint64 {
	calls := uint64(len(all)-groupTokens) / freshTokens
	if uint64(len(all)) != groupTokens+calls*freshTokens {
		t.Errorf("%d tombstones are not a whole number of calls", len(all))
	}
	if !slices.IsSortedFunc(all, func(a, b Tombstone) int { return compare(a.Token, b.Token) }) {
		t.Error("All is not sorted")
	}
	i := 0
	for _, tok := range v.group {
		for i < len(all) && all[i].Token != tok {
			i++
		}
		if i == len(all) || all[i].Seq != calls {
			t.Errorf("token %x of the group is not there at sequence %d", tok, calls)
			break
		}
	}
	return calls
}

func TestReadersSeeCallsAsAWhole(t *testing.T) {
	v := newVisibility()
	var readers sync.WaitGroup
	for i := range uint64(3) {
		readers.Go(func() { v.look(t, rand.New(rand.NewPCG(25, i))) })
	}
	readers.Go(func() { v.lookAtAll(t) })
	v.write(150)
	readers.Wait()
	if want := groupTokens + 150*freshTokens; v.set.Len() != want {
		t.Errorf("length %d, want %d", v.set.Len(), want)
	}
}

// A call of one token takes another way than larger ones: it is checked that
// sequence numbers only rise there, and that no token goes missing while its
// table is replaced.
func TestSingleTokensNeverGoMissing(t *testing.T) {
	set := NewSet()
	rng := rand.New(rand.NewPCG(27, 28))
	tokens := uniform(rng, 40_000)
	added := make(chan int, len(tokens))
	var readers sync.WaitGroup
	readers.Go(func() {
		back := rand.New(rand.NewPCG(29, 30))
		for i := range added {
			for _, j := range []int{i, back.IntN(i + 1)} {
				if seq, ok := set.Newest(tokens[j]); !ok || seq != uint64(j) {
					t.Errorf("token %d of %d: sequence %d %v", j, i, seq, ok)
				}
			}
		}
	})
	for i := range tokens {
		set.Add(uint64(i), []crypto.Token{tokens[i]})
		added <- i
		if i%5000 == 0 {
			set.All() // makes the writer copy tables
		}
	}
	close(added)
	readers.Wait()
}
