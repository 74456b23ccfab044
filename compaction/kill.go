package compaction

import (
	"bytes"
	"cmp"
	"slices"

	"oubliette/crypto"
	"oubliette/segment"
)

// Event is something that kills rows: a delete, a newer version, or that the time of
// a row has come.
type Event struct {
	Token  crypto.Token
	Before uint64 // rows of Token numbered below are dead
	// Call is the number of the deleting call; 0: a newer version, numbered Before, or
	// a row's time, which came when it was the newest: the row is numbered one lower.
	Call uint64
}

// at is the event's place in the history.
func (e *Event) at() uint64 {
	if e.Call == 0 {
		return e.Before
	}
	return e.Call
}

// Kills is what a set of events kills, by token.
type Kills struct {
	events []Event // by token, then in the order of the history
	tokens []crypto.Token
	starts []int32 // where each token's events begin, and the end of the last
}

// NewKills takes events, in any order, over.
func NewKills(events []Event) *Kills {
	slices.SortFunc(events, func(a, b Event) int {
		return cmp.Or(bytes.Compare(a.Token[:], b.Token[:]), cmp.Compare(a.at(), b.at()))
	})
	k := &Kills{events: events}
	for i := range events {
		if i == 0 || events[i].Token != events[i-1].Token {
			k.tokens = append(k.tokens, events[i].Token)
			k.starts = append(k.starts, int32(i))
		}
	}
	k.starts = append(k.starts, int32(len(events)))
	return k
}

// Tokens are the tokens of which something is killed, ascending.
func (k *Kills) Tokens() []crypto.Token { return k.tokens }

// Killer tells whether the row of the i-th token that is numbered seq is dead,
// and which deleting call found it alive: the one that comes first in the history
// of those that kill it. It is 0 when a newer version, or the row's time, came before any.
func (k *Kills) Killer(i int, seq uint64) (call uint64, dead bool) {
	for _, e := range k.events[k.starts[i]:k.starts[i+1]] {
		if seq < e.Before {
			return e.Call, true
		}
	}
	return 0, false
}

// Of is Killer by token.
func (k *Kills) Of(tok crypto.Token, seq uint64) (call uint64, dead bool) {
	i, ok := slices.BinarySearchFunc(k.tokens, tok, func(a, b crypto.Token) int { return bytes.Compare(a[:], b[:]) })
	if !ok {
		return 0, false
	}
	return k.Killer(i, seq)
}

// Find answers the rows of a sealed segment that the kills kill and that are
// not dead yet.
func Find(t *segment.Table, cache *segment.BlockCache, dead *Dead, kills *Kills) ([]Death, error) {
	var out []Death
	err := t.Match(kills.tokens, cache, func(i int, e segment.Entry) error {
		if call, ok := kills.Killer(i, e.Seq); ok && !dead.Contains(e.Row) {
			out = append(out, Death{Row: e.Row, Extent: e.Extent(), InIndex: true, Call: call})
		}
		return nil
	})
	return out, err
}
