package crypto

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

// pemType is the label of a PEM block with a SubjectPublicKeyInfo (RFC 7468,
// section 13).
const pemType = "PUBLIC KEY"

// maxKeyPEM bounds what ParsePEM looks at, in bytes. A key's text has 113.
const maxKeyPEM = 1024

// PEM is the key as people and files pass it on, and as openssl reads it: a
// SubjectPublicKeyInfo (RFC 8410) in PEM (RFC 7468).
func (k VerifyKey) PEM() []byte {
	der, err := x509.MarshalPKIXPublicKey(ed25519.PublicKey(k[:]))
	if err != nil {
		panic("an Ed25519 key always encodes: " + err.Error())
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: der})
}

// ParsePEM reads what PEM prints: one Ed25519 key, with nothing but white space
// around it. A key of small order is refused (see [VerifyKey.Weak]).
func ParsePEM(text []byte) (VerifyKey, error) {
	if len(text) > maxKeyPEM {
		return VerifyKey{}, fmt.Errorf("public key of %d bytes, at most %d", len(text), maxKeyPEM)
	}
	text = bytes.TrimSpace(text)
	block, _ := pem.Decode(text)
	switch {
	case block == nil:
		return VerifyKey{}, errors.New("public key: not PEM")
	case block.Type != pemType:
		return VerifyKey{}, fmt.Errorf("public key: PEM block %q, not %q", block.Type, pemType)
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return VerifyKey{}, fmt.Errorf("public key: %w", err)
	}
	pub, ok := parsed.(ed25519.PublicKey)
	if !ok {
		return VerifyKey{}, fmt.Errorf("public key: of type %T, not Ed25519", parsed)
	}
	k := VerifyKey(pub)
	// pem.Decode skips what it does not understand.
	lines := bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
	switch {
	case !bytes.Equal(lines, bytes.TrimSpace(k.PEM())):
		return VerifyKey{}, errors.New("public key: something beside the key in the PEM text")
	case k.Weak():
		return VerifyKey{}, errors.New("public key: of small order")
	}
	return k, nil
}
