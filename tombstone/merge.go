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
	slices.SortFunc(all, func(a, b Tombstone) int { return cmp.Compare(a.Seq, b.Seq) })
	out := NewSet()
	for len(all) > 0 {
		n := 1
		for n < len(all) && all[n].Seq == all[0].Seq {
			n++
		}
		tokens := make([]crypto.Token, n)
		for i := range tokens {
			tokens[i] = all[i].Token
		}
		out.Add(all[0].Seq, Sort(tokens))
		all = all[n:]
	}
	return out
}
