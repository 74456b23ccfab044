package crypto

import (
	"crypto/hpke"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// ReaderPublicSize is the length of a public key of the hybrid KEM, in bytes:
// ML-KEM-768's 1,184 and X25519's 32.
const ReaderPublicSize = 1216

// hpkeOverhead: the encapsulated key (ML-KEM-768's 1,088 and X25519's 32) and
// the AEAD's tag.
const hpkeOverhead = 1088 + 32 + Overhead

var (
	// errUnsealed: a sealed message did not open. It says no more on purpose.
	errUnsealed = errors.New("seal does not open under this key")
	// errNoKEM: the caller holds no such key, as who may only write has no
	// reader key.
	errNoKEM = errors.New("no KEM key at hand")
)

func kem() hpke.KEM   { return hpke.MLKEM768X25519() }
func kdf() hpke.KDF   { return hpke.HKDFSHA256() }
func aead() hpke.AEAD { return hpke.ChaCha20Poly1305() }

// ReaderPublic is the public half of a KEM key pair: it seals and cannot open.
type ReaderPublic struct{ k hpke.PublicKey }

// ParseReaderPublic reads the half back from its 1,216 bytes.
func ParseReaderPublic(b []byte) (ReaderPublic, error) {
	k, err := kem().NewPublicKey(b)
	if err != nil {
		return ReaderPublic{}, fmt.Errorf("KEM public key: %w", err)
	}
	return ReaderPublic{k}, nil
}

// Bytes is the half's serialisation, 1,216 bytes.
func (p ReaderPublic) Bytes() []byte { return p.k.Bytes() }

// Hash names the half: SHA-256 of its serialisation.
func (p ReaderPublic) Hash() Hash { return Sum(p.Bytes()) }

// ReaderKey is the private half of a KEM key pair. crypto/hpke holds it in
// expanded form and cannot wipe it: drop it to let the collector have it. The
// zero value is no key, and opens nothing.
type ReaderKey struct{ v veil[hpke.PrivateKey] }

// NewReaderKey expands a random 32-byte seed into a key pair, as X-Wing does
// (draft-connolly-cfrg-xwing-kem, section 5.2). The seed stays the caller's to
// wipe.
func NewReaderKey(seed Secret) (ReaderKey, error) {
	k, err := kem().NewPrivateKey(seed.Reveal())
	if err != nil {
		return ReaderKey{}, fmt.Errorf("KEM private key: %w", err)
	}
	return ReaderKey{veiled(&k)}, nil
}

// IsZero tells whether there is no key.
func (r ReaderKey) IsZero() bool { return r.v.get() == nil }

// Public is the half that may be known. It is the zero value where there is no
// key.
func (r ReaderKey) Public() ReaderPublic {
	if r.IsZero() {
		return ReaderPublic{}
	}
	return ReaderPublic{(*r.v.get()).PublicKey()}
}

// String never shows the key.
func (r ReaderKey) String() string { return redacted }

// Format never shows the key, whatever the verb.
func (r ReaderKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue never shows the key.
func (r ReaderKey) LogValue() slog.Value { return slog.StringValue(redacted) }

// sealTo seals one message to a public key. Each call encapsulates a fresh key,
// so HPKE's nonce 0 is used once under it. A public key whose X25519 half is of
// small order is refused here, by crypto/ecdh.
func sealTo(pub ReaderPublic, info, plaintext []byte) ([]byte, error) {
	if pub.k == nil {
		return nil, errNoKEM
	}
	return hpke.Seal(pub.k, kdf(), aead(), info, plaintext)
}

// openWith opens what sealTo made of a message of size bytes.
func openWith(key ReaderKey, info, sealed []byte, size int) ([]byte, error) {
	if key.IsZero() {
		return nil, errNoKEM
	}
	if len(sealed) != size+hpkeOverhead {
		return nil, errUnsealed
	}
	b, err := hpke.Open(*key.v.get(), kdf(), aead(), info, sealed)
	if err != nil {
		return nil, errUnsealed
	}
	return b, nil
}
