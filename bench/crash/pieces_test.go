package crash

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

func randomRun(n int) []byte {
	rnd := rand.New(rand.NewPCG(1, uint64(n)))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rnd.Uint32())
	}
	return b
}

// The doc of the package says how much may survive unseen.
func TestWhatSurvivesHoldsAWholePiece(t *testing.T) {
	const most = pieceStep + pieceSize - 1
	for _, size := range []int{pieceMin, 31, 32, 33, most - 1, most, 1000, 5000} {
		run := randomRun(size)
		pieces := appendPieces(nil, run)
		for at := 0; at < size; at++ {
			part := run[at:min(at+most, size)]
			if len(part) < most && at > 0 {
				break
			}
			if !holdsOne(part, pieces) {
				t.Fatalf("of a run of %d bytes those from %d to %d hold no piece", size, at, at+len(part))
			}
		}
	}
}

func holdsOne(part []byte, pieces [][]byte) bool {
	for _, p := range pieces {
		if bytes.Contains(part, p) {
			return true
		}
	}
	return false
}

func TestShortAndEvenRunsAreNoPieces(t *testing.T) {
	for _, run := range [][]byte{nil, randomRun(pieceMin - 1), make([]byte, 4096), bytes.Repeat([]byte{0xff}, 100)} {
		if p := appendPieces(nil, run); len(p) > 0 {
			t.Errorf("%d pieces of %d bytes", len(p), len(run))
		}
	}
}
