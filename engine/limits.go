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
	// MaxUpsertRecord bounds what one Upsert writes to the log: 49 bytes a row
	// and 20 for each of its vector and contents, so about 280,000 full items a
	// call, and 510,000 with nothing but an id and metadata.
	MaxUpsertRecord = wal.MaxPayload
)
