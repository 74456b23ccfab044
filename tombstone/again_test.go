package tombstone

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"oubliette/crypto"
)

// TestNoDeleteOfATokenIsForgotten: All and Again together are every delete of
// every token, once, and so they are after Merge. A snapshot knows nothing of what
// came after it.
func TestNoDeleteOfATokenIsForgotten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var want []Tombstone
		var sets []*Set
		seq := uint64(0)
		for range rapid.IntRange(1, 3).Draw(t, "sets") {
			set := NewSet()
			sets = append(sets, set)
			for range rapid.IntRange(0, 12).Draw(t, "calls") {
				seq++
				var tokens []crypto.Token
				for range rapid.IntRange(1, 5).Draw(t, "tokens") {
					tokens = append(tokens, crypto.Token{rapid.Byte().Draw(t, "shard") % 2, rapid.Byte().Draw(t, "token") % 4})
				}
				tokens = Sort(tokens)
				for _, tok := range tokens {
					want = append(want, Tombstone{Token: tok, Seq: seq})
				}
				set.Add(seq, slices.Clone(tokens))
			}
		}
		snapshots := make([]Snapshot, 0, len(sets))
		for _, s := range sets {
			snapshots = append(snapshots, s.Snapshot())
		}
		merged := Merge(sets)
		for _, s := range sets { // a later delete of everything
			for shard := range byte(2) {
				for b := range byte(4) {
					s.Add(1000, []crypto.Token{{shard, b}})
				}
			}
		}
		if got := all(snapshots...); !same(got, want) {
			t.Fatalf("snapshots hold %v, want %v", got, want)
		}
		if got := all(merged.Snapshot()); !same(got, want) {
			t.Fatalf("merged: %v, want %v", got, want)
		}
	})
}

func all(snapshots ...Snapshot) (out []Tombstone) {
	for _, s := range snapshots {
		out = append(append(out, s.All()...), s.Again()...)
	}
	return out
}

func same(a, b []Tombstone) bool {
	order := func(x, y Tombstone) int {
		if c := slices.Compare(x.Token[:], y.Token[:]); c != 0 {
			return c
		}
		return int(x.Seq) - int(y.Seq)
	}
	slices.SortFunc(a, order)
	slices.SortFunc(b, order)
	return slices.Equal(a, b)
}
