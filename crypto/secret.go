package crypto

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// KeySize is the length of every symmetric key and of every seed, in bytes.
const KeySize = 32

// Secret is 32 bytes that must not leak. It prints and logs as "[secret]",
// refuses to marshal and does not compile with ==; as an unexported field of a
// struct that is printed it shows an address. Copies share the bytes: Wipe on
// one wipes all, Clone makes a secret of its own. The zero value is no secret.
type Secret struct {
	_ [0]func() // not comparable
	v veil[[KeySize]byte]
}

// NewSecret draws 32 random bytes.
func NewSecret() Secret {
	b := new([KeySize]byte)
	rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return secretOf(b)
}

// SecretFromBytes copies b, which must be 32 bytes long and not all zeros.
func SecretFromBytes(b []byte) (Secret, error) {
	if len(b) != KeySize {
		return Secret{}, fmt.Errorf("a key is %d bytes, not %d", KeySize, len(b))
	}
	if isZero(b) {
		return Secret{}, errors.New("a key of zeros is no key")
	}
	c := [KeySize]byte(b)
	return secretOf(&c), nil
}

// secretOf takes b over.
func secretOf(b *[KeySize]byte) Secret { return Secret{v: veiled(b)} }

// ParseSecret reads 64 hexadecimal digits. Its errors never quote the input.
func ParseSecret(digits string) (Secret, error) {
	if len(digits) != 2*KeySize {
		return Secret{}, fmt.Errorf("a key is %d hexadecimal digits, not %d", 2*KeySize, len(digits))
	}
	b, err := hex.DecodeString(digits)
	defer clear(b) // in part filled also behind an error
	if err != nil {
		return Secret{}, errors.New("a key is hexadecimal digits only")
	}
	return SecretFromBytes(b)
}

// Reveal answers the bytes themselves, not a copy. It is the one accessor:
// every use of it is a place where a secret could leak. It panics when s holds
// nothing, which no checked path does: what is sealed under the zeros that Wipe
// leaves behind is sealed under a key that everybody knows.
func (s Secret) Reveal() []byte {
	if s.IsZero() {
		panic("secret used that was never set, or after Wipe")
	}
	return s.v.get()[:]
}

// IsZero tells whether s holds nothing: it was never set, or has been wiped.
func (s Secret) IsZero() bool {
	b := s.v.get()
	return b == nil || isZero(b[:])
}

// Equal compares in constant time. Secrets that hold nothing are equal to one
// another alone.
func (s Secret) Equal(t Secret) bool {
	if s.IsZero() || t.IsZero() {
		return s.IsZero() && t.IsZero()
	}
	return subtle.ConstantTimeCompare(s.Reveal(), t.Reveal()) == 1
}

// Clone copies the bytes.
func (s Secret) Clone() Secret {
	b := s.v.get()
	if b == nil {
		return Secret{}
	}
	c := *b
	return secretOf(&c)
}

// Wipe overwrites the bytes. Go may have copied them elsewhere (stack growth);
// what can be wiped is.
func (s Secret) Wipe() {
	if b := s.v.get(); b != nil {
		clear(b[:])
	}
}

const redacted = "[secret]"

// String never shows the bytes.
func (s Secret) String() string { return redacted }

// GoString never shows the bytes.
func (s Secret) GoString() string { return redacted }

// Format never shows the bytes, whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue never shows the bytes.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText refuses: a secret goes into no document.
func (s Secret) MarshalText() ([]byte, error) { return nil, errors.New("a secret does not marshal") }

// MarshalBinary refuses: a secret goes into no document.
func (s Secret) MarshalBinary() ([]byte, error) {
	return nil, errors.New("a secret does not marshal")
}
