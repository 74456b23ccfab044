package tombstone

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"oubliette/crypto"
	"pgregory.net/rapid"
)

// checkAgainst holds every answer of s against m, and for the tokens of absent
// that nothing is found.
func checkAgainst(t interface{ Fatalf(string, ...any) }, s *Set, m model, absent []crypto.Token) {
	for tok, want := range m {
		if seq, ok := s.Newest(tok); !ok || seq != want {
			t.Fatalf("token %x: sequence %d %v, want %d", tok, seq, ok, want)
		}
	}
	for _, tok := range absent {
		if seq, ok := s.Newest(tok); ok && m[tok] != seq {
			t.Fatalf("token %x found at %d, but it was never added", tok, seq)
		}
	}
	if s.Len() != len(m) {
		t.Fatalf("length %d, want %d", s.Len(), len(m))
	}
	if got, want := s.All(), m.all(); !slices.Equal(got, want) {
		t.Fatalf("All answers %d tombstones, want %d", len(got), len(want))
	}
}

func TestSetAgreesWithAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, m := NewSet(), model{}
		var snapshots [][2][]Tombstone // what All said, and a copy of it
		pool := rapid.SliceOfN(anyToken(), 1, 60).Draw(t, "pool")
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		t.Repeat(map[string]func(*rapid.T){
			"add from the pool": func(t *rapid.T) {
				seq := rapid.Uint64Range(0, 50).Draw(t, "seq")
				tokens := rapid.SliceOfN(rapid.SampledFrom(pool), 0, 20).Draw(t, "tokens")
				m.add(seq, tokens)
				s.Add(seq, Sort(tokens))
			},
			"add fresh ones": func(t *rapid.T) {
				seq := rapid.Uint64Range(0, math.MaxUint64-1).Draw(t, "seq")
				tokens := uniform(rng, rapid.IntRange(1, 300).Draw(t, "n"))
				m.add(seq, tokens)
				s.Add(seq, Sort(tokens))
			},
			"All": func(t *rapid.T) {
				all := s.All()
				snapshots = append(snapshots, [2][]Tombstone{all, slices.Clone(all)})
			},
			"": func(t *rapid.T) {
				checkAgainst(t, s, m, pool)
				for _, pair := range snapshots {
					if !slices.Equal(pair[0], pair[1]) {
						t.Fatalf("an answer of All changed after it was given")
					}
				}
			},
		})
	})
}

func TestSetHoldsManyTokensHoweverTheyCome(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	const total = 60_000
	absent := uniform(rng, 1000)
	for _, batch := range []int{1, 100, 10_000, total} {
		s, m := NewSet(), model{}
		for seq := uint64(1); len(m) < total; seq++ {
			tokens := Sort(uniform(rng, batch))
			m.add(seq, tokens)
			s.Add(seq, tokens)
		}
		checkAgainst(t, s, m, absent)
	}
}

func TestSkewedTokensAreNeverWrongNorSlow(t *testing.T) {
	for at := 0; at <= 8; at++ {
		s, m := NewSet(), model{}
		tokens := skewed(at, 20_000)
		m.add(1, tokens)
		s.Add(1, slices.Clone(tokens[:12_000]))
		for i := 12_000; i < 20_000; i += 10 {
			s.Add(1, slices.Clone(tokens[i:i+10]))
		}
		checkAgainst(t, s, m, skewed(at, 20_100)[20_000:])
		if steps := meanProbe(s, tokens); steps > 20 {
			t.Errorf("tokens that differ from byte %d on take %.1f steps to find", at, steps)
		}
	}
}

// meanProbe is how many entries are looked at, on average, to find a token: at
// most 2.5 are expected of a good hash in an index that is three quarters full.
func meanProbe(s *Set, tokens []crypto.Token) float64 {
	steps := 0
	for i := range tokens {
		t := s.shards[tokens[i][0]].Load()
		at := t.home(t.tag(&tokens[i]))
		for t.row(int(uint32(t.index[at])-1)).token != tokens[i] {
			at = (at + 1) % len(t.index)
			steps++
		}
		steps++
	}
	return float64(steps) / float64(len(tokens))
}

func TestNewestKeepsTheHighestSequence(t *testing.T) {
	s := NewSet()
	a, b := crypto.Token{1}, crypto.Token{2}
	s.Add(5, []crypto.Token{a, b})
	s.Add(9, []crypto.Token{a})
	s.Add(7, []crypto.Token{a, b})
	s.Add(0, []crypto.Token{{3}})
	for tok, want := range map[crypto.Token]uint64{a: 9, b: 7, {3}: 0} {
		if seq, ok := s.Newest(tok); !ok || seq != want {
			t.Errorf("token %x: %d %v, want %d", tok, seq, ok, want)
		}
	}
	if _, ok := s.Newest(crypto.Token{}); ok {
		t.Error("the zero token is found in a set that does not have it")
	}
}

// While a call is on its way into the tables, a token in it may be there
// already with a higher number.
func TestIncomingCallDoesNotHideAHigherSequence(t *testing.T) {
	s := NewSet()
	a, b := crypto.Token{1}, crypto.Token{2}
	s.Add(9, []crypto.Token{a})
	s.incoming.Store(&call{tokens: []crypto.Token{a, b}, mark: 4 + 1})
	for tok, want := range map[crypto.Token]uint64{a: 9, b: 4} {
		if seq, ok := s.Newest(tok); !ok || seq != want {
			t.Errorf("token %x: %d %v, want %d", tok, seq, ok, want)
		}
	}
}

func TestAddSortsWhatIsNotSorted(t *testing.T) {
	s, m := NewSet(), model{}
	tokens := uniform(rand.New(rand.NewPCG(13, 14)), 500)
	tokens = append(tokens, tokens[:100]...)
	m.add(3, tokens)
	s.Add(3, tokens)
	checkAgainst(t, s, m, nil)
}

func TestAddRefusesTheSequenceItCannotHold(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Fatal("sequence 2^64-1 was taken")
		}
	}()
	NewSet().Add(math.MaxUint64, []crypto.Token{{1}})
}

// Whatever a set's size, from ten thousand on a pending tombstone takes little, and not
// more where its tables have just grown.
func TestBytesATokenStayFew(t *testing.T) {
	rng := rand.New(rand.NewPCG(21, 22))
	s := NewSet()
	least, most := math.Inf(1), 0.0
	for n := 0; n < 2_000_000; {
		n += 10_000
		s.Add(uint64(n), Sort(uniform(rng, 10_000)))
		s.settle()
		each := float64(s.Bytes()) / float64(n)
		least, most = min(least, each), max(most, each)
	}
	t.Logf("%.1f to %.1f bytes a token", least, most)
	if least < 32 || most > 48 {
		t.Errorf("%.1f to %.1f bytes a token, 32 to 48 expected", least, most)
	}
}

// What Bytes says is what the runtime allocated for the set, within the room
// that a map of shards may waste.
func TestBytesIsTheMemoryOfTheSet(t *testing.T) {
	rng := rand.New(rand.NewPCG(15, 16))
	s := NewSet()
	empty := s.Bytes()
	for seq := range uint64(50) {
		s.Add(seq, Sort(uniform(rng, 2000)))
	}
	again := Sort(uniform(rng, 2000))
	s.Add(50, again)
	s.Add(51, slices.Clone(again)) // leaves blocks that no row is in
	s.All()
	s.Add(52, Sort(uniform(rng, 2000))) // copies every table
	s.settle()
	held := empty + 2000*tombstoneSize
	for i := range s.shards {
		t := s.shards[i].Load()
		held += int64(cap(t.rows)*8 + cap(t.index)*8)
		for _, b := range t.rows {
			if b != nil {
				held += blockSize
			}
		}
	}
	if s.Bytes() != held {
		t.Fatalf("Bytes says %d, the tables hold %d", s.Bytes(), held)
	}
	if perToken := float64(held) / float64(s.Len()); perToken < 32 || perToken > 48 {
		t.Fatalf("%.1f bytes a token, 32 to 48 expected", perToken)
	}
}

func TestRepeatedDeletesTakeNoMoreThanTheirNote(t *testing.T) {
	tokens := Sort(uniform(rand.New(rand.NewPCG(17, 18)), 20_000))
	s := NewSet()
	s.Add(1, slices.Clone(tokens))
	s.settle()
	before := s.Bytes()
	for seq := uint64(2); seq < 20; seq++ {
		s.Add(seq, slices.Clone(tokens))
	}
	s.settle()
	notes := int64(18 * 20_000 * 24)
	if s.Bytes() > before*5/4+notes || s.Bytes() < notes || s.Len() != 20_000 {
		t.Fatalf("%d bytes after one delete of each token, %d after twenty; length %d", before, s.Bytes(), s.Len())
	}
}

func TestNewestAllocatesNothing(t *testing.T) {
	s := NewSet()
	tokens := Sort(uniform(rand.New(rand.NewPCG(19, 20)), 1000))
	s.Add(1, slices.Clone(tokens))
	i := 0
	if n := testing.AllocsPerRun(1000, func() { s.Newest(tokens[i%1000]); i++ }); n != 0 {
		t.Fatalf("%v allocations a look-up", n)
	}
}
