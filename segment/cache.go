package segment

import (
	lru "github.com/hashicorp/golang-lru/v2"

	"oubliette/crypto"
)

// blockMemory is what a cached block is counted as, in bytes: 64 decoded
// entries and the cache's own bookkeeping.
const blockMemory = 7 << 10

// blockKey names a block for good: an index that was written again has another
// footer.
type blockKey struct {
	segment crypto.SegmentID
	footer  crypto.Hash
	block   int
}

// BlockCache keeps opened index blocks of any number of segments, the least
// recently used leave first. It is safe for concurrent use. A nil cache keeps
// nothing.
type BlockCache struct {
	lru *lru.Cache[blockKey, []Entry]
}

// NewBlockCache keeps at most so many bytes of blocks; for fewer than one
// block's it answers nil.
func NewBlockCache(bytes int64) *BlockCache {
	n := int(min(bytes/blockMemory, 1<<30))
	if n <= 0 {
		return nil
	}
	c, err := lru.New[blockKey, []Entry](n)
	if err != nil {
		panic("lru of a positive size: " + err.Error())
	}
	return &BlockCache{c}
}

func (c *BlockCache) get(k blockKey) ([]Entry, bool) {
	if c == nil {
		return nil, false
	}
	return c.lru.Get(k)
}

func (c *BlockCache) put(k blockKey, entries []Entry) {
	if c != nil {
		c.lru.Add(k, entries)
	}
}

// Forget drops a segment's blocks. It looks at every key of the cache.
func (c *BlockCache) Forget(segment crypto.SegmentID) {
	if c == nil {
		return
	}
	for _, k := range c.lru.Keys() {
		if k.segment == segment {
			c.lru.Remove(k)
		}
	}
}
