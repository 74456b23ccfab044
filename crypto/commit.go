package crypto

import (
	"crypto/hmac"
	"crypto/sha256"
)

// Commitment is SHA-256 of sealed bytes, truncated to 16 bytes. It stands in
// signed records beside the place of the bytes. A Poly1305 tag alone would not
// do: who knows the key can make another ciphertext with the same tag. 16 bytes
// leave 128 bits against a second preimage, which is what a reader who wants to
// pass other bytes as a writer's would need.
type Commitment [16]byte

// Commit commits to sealed bytes.
func Commit(sealed []byte) (c Commitment) {
	h := sha256.Sum256(sealed)
	copy(c[:], h[:])
	return c
}

// Sum is SHA-256 of b.
func Sum(b []byte) Hash { return sha256.Sum256(b) }

// CommitDEK commits to a data key: HMAC-SHA-256 under the key itself over what
// it is for. It is binding (HMAC with keys of one fixed length is collision
// resistant) and, the key being random, says nothing about it.
func CommitDEK(dek Secret, index IndexID, segment SegmentID) (h Hash) {
	m := hmac.New(sha256.New, dek.Reveal())
	m.Write(bind(labelDEKCommit, index[:], segment[:]))
	m.Sum(h[:0])
	return h
}
