package tombstone

import (
	"cmp"
	"slices"

	"oubliette/crypto"
)

// Merge makes one set of several, which shows what all of them show.
func Merge(sets []*Set) *Set {
	var all []Tombstone
	for _, s := range sets {
		now := s.Snapshot()
		all = append(append(all, now.All()...), now.Again()...)
	}
	out := NewSet()
	out.addBySeq(all)
	return out
}

// AddEach takes tombstones with sequence numbers of their own, as an expiry record
// holds them. Readers see those of one number as a whole, but not all of them
// together. The slice stays as it is.
func (s *Set) AddEach(each []Tombstone) { s.addBySeq(slices.Clone(each)) }

// addBySeq adds what has one number in one call. It sorts all.
func (s *Set) addBySeq(all []Tombstone) {
	slices.SortFunc(all, func(a, b Tombstone) int { return cmp.Compare(a.Seq, b.Seq) })
	for len(all) > 0 {
		n := 1
		for n < len(all) && all[n].Seq == all[0].Seq {
			n++
		}
		tokens := make([]crypto.Token, n)
		for i := range tokens {
			tokens[i] = all[i].Token
		}
		s.Add(all[0].Seq, Sort(tokens))
		all = all[n:]
	}
}
