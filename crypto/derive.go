package crypto

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
)

// Derive makes a new secret from one by HKDF-SHA-256 (RFC 5869). The info is
// the label and every context string, each behind its length, so that no two
// different lists encode alike.
func Derive(secret Secret, salt []byte, label string, context ...[]byte) Secret {
	b, err := hkdf.Key(sha256.New, secret.Reveal(), salt, string(bind(label, context...)), KeySize)
	if err != nil {
		panic("hkdf of 32 bytes cannot fail: " + err.Error())
	}
	return secretOf((*[KeySize]byte)(b))
}

// bind encodes a label and context strings injectively: each behind its length
// in four bytes.
func bind(label string, context ...[]byte) []byte {
	out := binary.LittleEndian.AppendUint32(nil, uint32(len(label)))
	out = append(out, label...)
	for _, c := range context {
		out = binary.LittleEndian.AppendUint32(out, uint32(len(c)))
		out = append(out, c...)
	}
	return out
}

// le64 is v in eight bytes, little-endian: the form in which epochs are bound.
func le64(v uint64) []byte { return binary.LittleEndian.AppendUint64(nil, v) }
