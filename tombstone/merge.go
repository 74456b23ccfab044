package tombstone

import (
	"cmp"
	"slices"

	"oubliette/crypto"
)

// Merge makes one set of several, which shows what all of them show.
func Merge(sets []*Set) *Set {
	var all, expired []Tombstone
	for _, s := range sets {
		now := s.Snapshot()
		all = append(append(all, now.All()...), now.Again()...)
		expired = append(expired, now.Expired()...)
	}
	out := NewSet()
	out.addBySeq(all)
	if len(expired) > 0 {
		out.AddEach(expired)
	}
	return out
}

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
