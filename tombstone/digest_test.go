package tombstone

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"testing"

	"oubliette/crypto"
)

func TestDigestIsTheHashOfLabelSaltAndTokens(t *testing.T) {
	salt := [32]byte{0: 7, 31: 9}
	tokens := Sort(uniform(rand.New(rand.NewPCG(9, 10)), 1000))
	h := sha256.New()
	h.Write([]byte("oubliette/receipt/tokens/v1"))
	h.Write(salt[:])
	for _, tok := range tokens {
		h.Write(tok[:])
	}
	if got, want := Digest(salt, tokens).String(), fmt.Sprintf("%x", h.Sum(nil)); got != want {
		t.Fatalf("got %s, want %s", got, want)
	}
}

// The vector was made with coreutils:
//
//	{ printf oubliette/receipt/tokens/v1; head -c 32 /dev/zero; head -c 16 /dev/zero; } | sha256sum
func TestDigestKeepsItsKnownValue(t *testing.T) {
	const want = "e8498d37bd2a2c756887e1b00e337f8fed4be532ac87a682f33f214130dc2113"
	if got := Digest([32]byte{}, []crypto.Token{{}}).String(); got != want {
		t.Fatalf("got %s, want %s", got, want)
	}
}

func TestDigestDependsOnSaltAndEveryToken(t *testing.T) {
	seen := map[crypto.Hash]string{}
	for name, d := range map[string]crypto.Hash{
		"plain":       Digest([32]byte{}, []crypto.Token{{1}, {2}}),
		"other salt":  Digest([32]byte{1}, []crypto.Token{{1}, {2}}),
		"one less":    Digest([32]byte{}, []crypto.Token{{1}}),
		"other token": Digest([32]byte{}, []crypto.Token{{1}, {3}}),
		"none":        Digest([32]byte{}, nil),
	} {
		if other, ok := seen[d]; ok {
			t.Errorf("%q and %q have one digest", name, other)
		}
		seen[d] = name
	}
}
