package crypto

import (
	"crypto/rand"
	"encoding/hex"
)

// IndexID names an index for good: random, so that an index made again under
// the name of a deleted one shares nothing with it.
type IndexID [16]byte

// SegmentID names a segment file: random, never used again.
type SegmentID [16]byte

// SessionID names one run of a log: random, never used again.
type SessionID [16]byte

// UserID names a principal of an index. The zero value is root.
type UserID [16]byte

// Hash is a SHA-256.
type Hash [32]byte

// NewIndexID draws a fresh id.
func NewIndexID() (id IndexID) { rand.Read(id[:]); return id }

// NewSegmentID draws a fresh id.
func NewSegmentID() (id SegmentID) { rand.Read(id[:]); return id }

// NewSessionID draws a fresh id.
func NewSessionID() (id SessionID) { rand.Read(id[:]); return id }

// String is the id in hex.
func (id IndexID) String() string { return hex.EncodeToString(id[:]) }

// String is the id in hex.
func (id SegmentID) String() string { return hex.EncodeToString(id[:]) }

// String is the id in hex.
func (id SessionID) String() string { return hex.EncodeToString(id[:]) }

// String is the id in hex, or "root".
func (id UserID) String() string {
	if id == (UserID{}) {
		return "root"
	}
	return hex.EncodeToString(id[:])
}

// String is the hash in hex.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }
