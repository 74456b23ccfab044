package main

import (
	"fmt"
	"math"
	"math/rand/v2"

	"oubliette/engine"
)

// source makes the demo's items, the same for a number whenever it is asked:
// nothing has to be held in memory to compare with.
type source interface {
	item(i int) engine.Item
	describe() string
}

// madeItems are items like those of a search over documents: a unit vector as
// an embedding is one, text, and metadata of about 200 bytes.
type madeItems struct {
	seed      uint64
	dimension int
	contents  int // bytes
}

func (m *madeItems) describe() string { return fmt.Sprintf("made from seed %d", m.seed) }

func (m *madeItems) item(i int) engine.Item {
	rng := rand.New(rand.NewPCG(m.seed, uint64(i)))
	return engine.Item{
		ID:       fmt.Sprintf("document-%07d", i),
		Vector:   unitVector(rng, m.dimension),
		Contents: prose(rng, m.contents),
		Metadata: fmt.Appendf(nil,
			`{"title": "%s %s %s", "author": "%s", "page": %d, "language": "en", "hash": "%016x%016x%016x", "source": "https://example.org/%s/%08x"}`,
			word(rng), word(rng), word(rng), word(rng), rng.IntN(400), rng.Uint64(), rng.Uint64(), rng.Uint64(), word(rng), rng.Uint32()),
	}
}

// unitVector is a random direction: normally distributed components, divided by
// their length.
func unitVector(rng *rand.Rand, dimension int) []float32 {
	v := make([]float32, dimension)
	var sum float64
	for i := range v {
		x := rng.NormFloat64()
		v[i] = float32(x)
		sum += x * x
	}
	length := float32(math.Sqrt(sum))
	for i := range v {
		v[i] /= length
	}
	return v
}

var words = [...]string{
	"archive", "balance", "candle", "delete", "ember", "forget", "garden", "harbour",
	"island", "journal", "kettle", "lantern", "memory", "nothing", "orchard", "paper",
	"quarry", "river", "shadow", "timber", "under", "vanish", "winter", "yonder",
}

func word(rng *rand.Rand) string { return words[rng.IntN(len(words))] }

// prose is text of exactly n bytes; numbers among the words keep it from
// compressing away.
func prose(rng *rand.Rand, n int) []byte {
	b := make([]byte, 0, n+24)
	for len(b) < n {
		b = append(b, word(rng)...)
		if rng.IntN(3) == 0 {
			b = fmt.Appendf(b, " %d", rng.Uint32())
		}
		b = append(b, ' ')
	}
	return b[:n:n]
}
