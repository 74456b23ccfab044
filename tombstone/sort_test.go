package tombstone

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"oubliette/crypto"
	"pgregory.net/rapid"
)

// sortedByBytes is the plain way to what Sort promises.
func sortedByBytes(tokens []crypto.Token) []crypto.Token {
	out := slices.Clone(tokens)
	slices.SortFunc(out, func(a, b crypto.Token) int { return bytes.Compare(a[:], b[:]) })
	return slices.Compact(out)
}

func TestSortAgreesWithPlainSortAtEveryLength(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	lengths := []int{0, 1, 2, 3, 63, 64, 65, 127, 128, 255, 256, 257, 1000, 4096, 10_000, 100_000}
	for _, n := range lengths {
		tokens := uniform(rng, n)
		want := sortedByBytes(tokens)
		if got := Sort(tokens); !slices.Equal(got, want) {
			t.Fatalf("%d uniform tokens (PCG seed 1, 2): wrong order or content", n)
		}
	}
}

func TestSortCopesWithSkewedTokens(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for at := 0; at <= 8; at++ {
		tokens := skewed(at, 5000)
		want := slices.Clone(tokens)
		rng.Shuffle(len(tokens), func(i, j int) { tokens[i], tokens[j] = tokens[j], tokens[i] })
		if got := Sort(tokens); !slices.Equal(got, want) {
			t.Fatalf("tokens that differ from byte %d on (PCG seed 3, 4): wrong order", at)
		}
	}
}

func TestSortDropsDuplicatesInPlace(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	distinct := uniform(rng, 3000)
	tokens := slices.Concat(distinct, distinct[:1000], distinct[:500])
	want := sortedByBytes(tokens)
	got := Sort(tokens)
	if !slices.Equal(got, want) || len(got) != 3000 {
		t.Fatalf("%d tokens left of 3000 distinct ones (PCG seed 5, 6)", len(got))
	}
	if &got[0] != &tokens[0] {
		t.Fatal("the result is not in the array it was given")
	}
}

func TestSortAgreesWithPlainSortOnAnyTokens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tokens := rapid.SliceOfN(anyToken(), 0, 400).Draw(t, "tokens")
		want := sortedByBytes(tokens)
		if got := Sort(tokens); !slices.Equal(got, want) {
			t.Fatalf("got %x, want %x", got, want)
		}
	})
}

// anyToken draws tokens from few enough byte values that duplicates and long
// common prefixes are frequent.
func anyToken() *rapid.Generator[crypto.Token] {
	return rapid.Custom(func(t *rapid.T) (tok crypto.Token) {
		fill := rapid.SampledFrom([]byte{0, 1, 0x7f, 0xff}).Draw(t, "fill")
		for i := range tok {
			tok[i] = fill
		}
		at := rapid.SampledFrom([]int{0, 1, 7, 8, 15}).Draw(t, "at")
		tok[at] = rapid.Byte().Draw(t, "byte")
		return tok
	})
}
