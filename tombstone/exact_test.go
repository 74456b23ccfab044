package tombstone

import (
	"math/rand/v2"
	"slices"
	"testing"

	"oubliette/crypto"
)

// heldBy is the memory of a set's tables.
func heldBy(s *Set) int64 {
	held := NewSet().Bytes() + int64(len(s.mu.again))*tombstoneSize
	for i := range s.shards {
		t := s.shards[i].Load()
		if t == nil {
			continue
		}
		held += int64(len(t.rows)*8 + len(t.index)*8)
		for _, b := range t.rows {
			if b != nil {
				held += blockSize
			}
		}
	}
	return held
}

// Calls of all sizes, numbers out of order, the same tokens again and again: look-ups,
// snapshots held to the end, counts and bytes are those of a map.
func TestASetIsAMapWhateverComes(t *testing.T) {
	for seed := range uint64(15) {
		rng := rand.New(rand.NewPCG(seed, 7))
		pool := uniform(rng, 6000)
		s := NewSet()
		model := map[crypto.Token]uint64{}
		all := map[Tombstone]int{}
		type snap struct {
			s     Snapshot
			model map[crypto.Token]uint64
			n     int
		}
		var snaps []snap
		count := 0
		seq := uint64(0)
		order := make([]uint64, 150)
		for i := range order {
			order[i] = uint64(i + 1)
		}
		for i := 5; i < len(order); i += 7 { // unique, now and then out of order
			order[i], order[i-3] = order[i-3], order[i]
		}
		for range 150 {
			seq++
			var n int
			switch rng.IntN(4) {
			case 0:
				n = 1
			case 1:
				n = 1 + rng.IntN(500)
			case 2:
				n = 512 + rng.IntN(3000)
			case 3:
				n = rng.IntN(3)
			}
			set := map[crypto.Token]bool{}
			for range n {
				set[pool[rng.IntN(len(pool))]] = true
			}
			var toks []crypto.Token
			for k := range set {
				toks = append(toks, k)
			}
			toks = Sort(toks)
			q := order[seq-1]
			for _, k := range toks {
				if all[Tombstone{k, q}] == 0 {
					count++
				}
				all[Tombstone{k, q}]++
				model[k] = max(model[k], q)
			}
			s.Add(q, slices.Clone(toks))
			for range 5 {
				k := pool[rng.IntN(len(pool))]
				got, ok := s.Newest(k)
				want, has := model[k]
				if ok != has || got != want {
					t.Fatalf("newest %d %v want %d %v", got, ok, want, has)
				}
			}
			if rng.IntN(6) == 0 {
				m := make(map[crypto.Token]uint64, len(model))
				for k, v := range model {
					m[k] = v
				}
				snaps = append(snaps, snap{s.Snapshot(), m, count})
			}
			if rng.IntN(3) == 0 {
				s.settle()
				if s.Bytes() != heldBy(s) {
					t.Fatalf("seed %d: Bytes %d held %d", seed, s.Bytes(), heldBy(s))
				}
				if s.Len() != len(model) {
					t.Fatalf("Len %d want %d", s.Len(), len(model))
				}
			}
		}
		for _, x := range snaps {
			a := x.s.All()
			if len(a) != len(x.model) {
				t.Fatalf("snapshot %d want %d", len(a), len(x.model))
			}
			for _, ts := range a {
				if x.model[ts.Token] != ts.Seq {
					t.Fatal("snapshot differs")
				}
			}
			if got := len(a) + len(x.s.Again()); got != x.n {
				t.Fatalf("again: %d want %d", got, x.n)
			}
		}
	}
}
