package tombstone

import (
	"sort"

	"oubliette/crypto"
)

// call is the tokens of one Add on their way into the tables. It is immutable,
// and storing its pointer makes the whole of it visible at once.
type call struct {
	tokens []crypto.Token // strictly ascending
	mark   uint64         // sequence number plus one, as in a slot
}

// bytes is the memory that the tokens take, and will take in the tables besides: who
// watches the set's memory is not to wait for them to be there.
func (c *call) bytes() int64 {
	return int64(len(c.tokens)) * (int64(tokenSize) + rowSize + 2*entrySize)
}

// find is the call's mark when tok is one of its tokens, otherwise 0. It is a
// binary search, O(log n) for tokens of any distribution.
func (c *call) find(tok *crypto.Token) uint64 {
	i := sort.Search(len(c.tokens), func(i int) bool { return !less(&c.tokens[i], tok) })
	if i < len(c.tokens) && c.tokens[i] == *tok {
		return c.mark
	}
	return 0
}

// sameShard is how many of tokens, from the first on, belong to its shard.
func sameShard(tokens []crypto.Token) int {
	for i := range tokens {
		if tokens[i][0] != tokens[0][0] {
			return i
		}
	}
	return len(tokens)
}
