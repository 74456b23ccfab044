package engine

import (
	"crypto/rand"
	"time"

	"oubliette/crypto"
	"oubliette/tombstone"
)

// Receipt says what a Delete covers. A call without ids has the zero Receipt.
type Receipt struct {
	Index   crypto.IndexID
	Session crypto.SessionID // the run of the log
	Seq     uint64           // the call's sequence number
	Group   uint64           // of the log, that the call is in
	Head    crypto.Hash      // of the log's chain, with the call in it
	Time    time.Time
	User    UserID
	Count   int // distinct ids, known to the index or not

	// Digest is SHA-256 over Salt and the ids' sorted tokens: who holds the
	// index key, the ids and the salt can check it; to others it says nothing
	// of the ids.
	Salt   [32]byte
	Digest crypto.Hash
}

// Certificate says what has been erased when a Purge returns.
type Certificate struct {
	Index    crypto.IndexID
	Through  uint64 // every delete up to this sequence number is off the disk
	Time     time.Time
	Rows     uint64 // rows found and erased since the state was loaded
	Bytes    uint64 // of them, overwritten
	Segments int    // live segments
	Unlinked uint64 // segment files destroyed and removed since then
	// Rewritten: the segments that held what was deleted have been rewritten, too.
	Rewritten bool
}

// digest fills what the receipt says of the ids.
func (r *Receipt) digest(sorted []crypto.Token) {
	rand.Read(r.Salt[:]) // never fails: crypto/rand ends the process instead
	r.Count = len(sorted)
	r.Digest = tombstone.Digest(r.Salt, sorted)
}
