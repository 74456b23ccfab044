package crypto

import (
	"crypto/cipher"
	"encoding/binary"

	"golang.org/x/crypto/chacha20poly1305"
)

// Overhead is how many bytes a seal adds: the Poly1305 tag.
const Overhead = chacha20poly1305.Overhead

// NonceSize is the length of a nonce in bytes.
const NonceSize = chacha20poly1305.NonceSize

// NewAEAD is ChaCha20-Poly1305 (RFC 8439) under key. It keeps a copy of the key
// that cannot be wiped; drop it to let the collector have it.
func NewAEAD(key Secret) cipher.AEAD {
	a, err := chacha20poly1305.New(key.Reveal())
	if err != nil {
		panic("a secret is 32 bytes: " + err.Error())
	}
	return veiledAEAD{veiled(&a)}
}

// veiledAEAD is a cipher that does not print its key.
type veiledAEAD struct{ v veil[cipher.AEAD] }

func (veiledAEAD) NonceSize() int { return NonceSize }
func (veiledAEAD) Overhead() int  { return Overhead }

func (a veiledAEAD) Seal(dst, nonce, plaintext, associated []byte) []byte {
	return (*a.v.get()).Seal(dst, nonce, plaintext, associated)
}

func (a veiledAEAD) Open(dst, nonce, sealed, associated []byte) ([]byte, error) {
	return (*a.v.get()).Open(dst, nonce, sealed, associated)
}

// CounterNonce is the nonce of counter n: little-endian in bytes 0 to 7, zeros
// behind. It is safe exactly as long as n is used once under its key; every
// caller says why that holds.
func CounterNonce(n uint64) (nonce [NonceSize]byte) {
	binary.LittleEndian.PutUint64(nonce[:], n)
	return nonce
}
