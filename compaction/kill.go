package compaction

import (
	"bytes"
	"slices"

	"oubliette/crypto"
	"oubliette/segment"
	"oubliette/tombstone"
)

// Kill: rows of Token numbered below Before are dead.
type Kill struct {
	Token  crypto.Token
	Before uint64
}

// Kills merges tombstones and newer versions (in any order) into one kill a
// token, sorted by token. A version at S kills what is below S, as a tombstone
// at S does, so the higher of the two says it all.
func Kills(tombstones []tombstone.Tombstone, versions []Kill) []Kill {
	out := make([]Kill, 0, len(tombstones)+len(versions))
	for _, t := range tombstones {
		out = append(out, Kill{t.Token, t.Seq})
	}
	out = append(out, versions...)
	slices.SortFunc(out, compareKills)
	n := 0
	for i := range out {
		if n > 0 && out[n-1].Token == out[i].Token {
			out[n-1].Before = max(out[n-1].Before, out[i].Before)
			continue
		}
		out[n] = out[i]
		n++
	}
	return out[:n]
}

// Find answers the rows of a sealed segment that the kills kill and that are
// not dead yet. kills is sorted by token; tokens is the tokens of kills, in
// the same order.
func Find(t *segment.Table, cache *segment.BlockCache, dead *Dead, kills []Kill, tokens []crypto.Token) ([]Death, error) {
	var out []Death
	err := t.Match(tokens, cache, func(i int, e segment.Entry) error {
		if e.Seq < kills[i].Before && !dead.Contains(e.Row) {
			out = append(out, Death{Row: e.Row, Extent: e.Extent(), InIndex: true})
		}
		return nil
	})
	return out, err
}

// Tokens are the tokens of kills, in their order.
func Tokens(kills []Kill) []crypto.Token {
	out := make([]crypto.Token, len(kills))
	for i := range kills {
		out[i] = kills[i].Token
	}
	return out
}

func compareKills(a, b Kill) int { return bytes.Compare(a.Token[:], b.Token[:]) }
