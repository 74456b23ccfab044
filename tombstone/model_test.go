package tombstone

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"

	"oubliette/crypto"
)

// uniform makes n tokens as the token function would: uniformly random, in no
// order.
func uniform(rng *rand.Rand, n int) []crypto.Token {
	tokens := make([]crypto.Token, n)
	for i := range tokens {
		binary.LittleEndian.PutUint64(tokens[i][:8], rng.Uint64())
		binary.LittleEndian.PutUint64(tokens[i][8:], rng.Uint64())
	}
	return tokens
}

// skewed makes n distinct tokens, ascending, that agree in everything but the
// eight bytes from at on.
func skewed(at, n int) []crypto.Token {
	tokens := make([]crypto.Token, n)
	for i := range tokens {
		for j := range tokens[i] {
			tokens[i][j] = 0xa5
		}
		binary.BigEndian.PutUint64(tokens[i][at:], uint64(i))
	}
	return tokens
}

// model is what a Set is held against.
type model map[crypto.Token]uint64

func (m model) add(seq uint64, tokens []crypto.Token) {
	for _, t := range tokens {
		if old, ok := m[t]; !ok || old < seq {
			m[t] = seq
		}
	}
}

func (m model) all() []Tombstone {
	out := make([]Tombstone, 0, len(m))
	for t, seq := range m {
		out = append(out, Tombstone{t, seq})
	}
	slices.SortFunc(out, func(a, b Tombstone) int { return compare(a.Token, b.Token) })
	return out
}
