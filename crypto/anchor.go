package crypto

import (
	"crypto/rand"
	"fmt"

	"oubliette/internal/codec"
)

// Anchor is what a user has seen of root: the key that root signs with, and the
// newest epoch. A user cannot derive root's key; without an anchor, whoever
// writes the files could put a record of its own in the place of root's, for
// the users' public halves stand there in the clear.
type Anchor struct {
	Root   VerifyKey
	Epoch  uint64
	Record Hash // of that epoch's record, as stored
}

const (
	anchorVersion = 1
	anchorSalt    = 32
	anchorPlain   = 1 + 32 + 8 + 32
	// SealedAnchorSize is the length of a sealed anchor in bytes.
	SealedAnchorSize = anchorSalt + anchorPlain + Overhead
)

// SealAnchor seals an anchor under the user's own key. The nonce is zero: the
// sealing key is derived with 32 random bytes of salt for this one message.
func SealAnchor(userKey Secret, index IndexID, user UserID, a Anchor) []byte {
	out := make([]byte, anchorSalt, SealedAnchorSize)
	rand.Read(out) // never fails: crypto/rand ends the process instead
	e := codec.Encoder{B: make([]byte, 0, anchorPlain)}
	e.U8(anchorVersion)
	e.Raw(a.Root[:])
	e.U64(a.Epoch)
	e.Raw(a.Record[:])
	return sealAnchor(userKey, index, user, out, e.B)
}

func sealAnchor(userKey Secret, index IndexID, user UserID, salt, plain []byte) []byte {
	key := Derive(userKey, salt, labelAnchor, index[:], user[:])
	defer key.Wipe()
	nonce := CounterNonce(0)
	return NewAEAD(key).Seal(salt, nonce[:], plain, bind(labelAnchor, index[:], user[:]))
}

// OpenAnchor opens what SealAnchor made.
func OpenAnchor(userKey Secret, index IndexID, user UserID, sealed []byte) (a Anchor, err error) {
	if len(sealed) != SealedAnchorSize {
		return a, fmt.Errorf("anchor of %d bytes, not %d", len(sealed), SealedAnchorSize)
	}
	key := Derive(userKey, sealed[:anchorSalt], labelAnchor, index[:], user[:])
	defer key.Wipe()
	nonce := CounterNonce(0)
	b, err := NewAEAD(key).Open(nil, nonce[:], sealed[anchorSalt:], bind(labelAnchor, index[:], user[:]))
	if err != nil {
		return a, errUnsealed
	}
	d := codec.NewDecoder(b)
	if v := d.U8(); v != anchorVersion {
		d.Fail("anchor version %d, this build reads %d", v, anchorVersion)
	}
	d.Copy(a.Root[:])
	a.Epoch = d.U64()
	d.Copy(a.Record[:])
	return a, d.Done()
}
