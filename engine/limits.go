package engine

import (
	"oubliette/crypto"
	"oubliette/segment"
	"oubliette/tombstone"
	"oubliette/wal"
)

// What the store takes. Beyond a limit a call answers ErrTooLarge before it
// allocates for it, and nothing is changed.
const (
	MaxID        = segment.MaxID        // bytes of an id; at least 1
	MaxDimension = segment.MaxDimension // elements of a vector
	MaxContents  = segment.MaxContents  // bytes of contents
	MaxMetadata  = segment.MaxMetadata  // bytes of metadata
	MaxIDs       = tombstone.MaxTokens  // ids a call
	MaxName      = crypto.MaxName       // bytes of an index's name
	// MaxExpiry is the latest ExpiresAt of an item, in milliseconds since 1970: the
	// last one of the year 9999. The earliest is 1.
	MaxExpiry = segment.MaxExpiry
	// MaxUpsertRecord bounds what one Upsert writes to the log: 49 bytes a row,
	// 20 for each of its vector and contents and 8 for its expiry, so about 280,000
	// full items a call, and 510,000 with nothing but an id and metadata.
	MaxUpsertRecord = wal.MaxPayload
)
