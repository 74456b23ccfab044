package crypto

import (
	"bytes"
	"encoding/hex"
	"reflect"
	"strings"
	"testing"
)

func TestSecretFromBytesTakesThirtyTwoBytesThatAreNotZeros(t *testing.T) {
	for n := range 70 {
		b := bytes.Repeat([]byte{1}, n)
		s, err := SecretFromBytes(b)
		if (err == nil) != (n == KeySize) {
			t.Errorf("%d bytes: %v", n, err)
		}
		if err == nil && !bytes.Equal(s.Reveal(), b) {
			t.Errorf("%x, want %x", s.Reveal(), b)
		}
	}
	if s, err := SecretFromBytes(make([]byte, KeySize)); err == nil || !s.IsZero() {
		t.Error("zeros pass for a key")
	}
}

func TestSecretFromBytesCopies(t *testing.T) {
	b := bytes.Repeat([]byte{5}, KeySize)
	s, err := SecretFromBytes(b)
	if err != nil {
		t.Fatal(err)
	}
	clear(b)
	if !bytes.Equal(s.Reveal(), bytes.Repeat([]byte{5}, KeySize)) {
		t.Error("the caller's bytes are the secret's")
	}
}

func TestParseSecretReadsHexadecimalDigitsOfEitherCase(t *testing.T) {
	digits := "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF"
	s, err := ParseSecret(digits)
	if err != nil || hex.EncodeToString(s.Reveal()) != strings.ToLower(digits) {
		t.Errorf("%v, or other bytes", err)
	}
}

// An error is logged, and what was almost a key may be most of one.
func TestParseSecretErrorsNeverQuoteTheInput(t *testing.T) {
	good := "c0ffee33445566778899aabbccddeeffc0ffee33445566778899aabbccddeeff"
	inputs := []string{
		"", good[:63], good + "0", good[:62], " " + good[1:], good[:63] + "g", "zz" + good[2:],
		good[:32] + "é" + good[34:], strings.Repeat("0", 64), "0x" + good[2:], strings.Repeat("q", 64),
	}
	for _, in := range inputs {
		s, err := ParseSecret(in)
		if err == nil || !s.IsZero() {
			t.Errorf("%q passes for a key", in)
			continue
		}
		for i := range max(len(in)-2, 0) {
			// Three characters in a row may stand in the text by chance.
			if w := in[i : i+3]; w != "000" && strings.Contains(strings.ToLower(err.Error()), w) {
				t.Errorf("error %q quotes %q of the input", err, w)
			}
		}
		if strings.ContainsAny(err.Error(), "qé\"'") {
			t.Errorf("error %q quotes the input", err)
		}
	}
}

func TestSecretIsNotComparable(t *testing.T) {
	for _, typ := range []reflect.Type{reflect.TypeFor[Secret](), reflect.TypeFor[Grant]()} {
		if typ.Comparable() {
			t.Errorf("%s compiles with ==", typ)
		}
	}
}

func TestEqualComparesBytes(t *testing.T) {
	a := NewSecret()
	wiped := NewSecret()
	wiped.Wipe()
	if !a.Equal(a) || !a.Equal(a.Clone()) || a.Equal(NewSecret()) {
		t.Error("Equal does not compare bytes")
	}
	flips(a.Reveal(), func(at int, b []byte) {
		if a.Equal(secretOf((*[KeySize]byte)(b))) {
			t.Errorf("equal although byte %d differs", at)
		}
	})
	for i, nothing := range []Secret{{}, wiped} {
		if a.Equal(nothing) || nothing.Equal(a) || !nothing.Equal(Secret{}) || !nothing.Equal(wiped) {
			t.Errorf("case %d: nothing equals something, or not nothing", i)
		}
	}
}

func TestWipeReachesCopiesButNotClones(t *testing.T) {
	s := NewSecret()
	shared, clone, b := s, s.Clone(), s.Reveal()
	want := bytes.Clone(b)
	s.Wipe()
	if !bytes.Equal(b, make([]byte, KeySize)) || !shared.IsZero() || !s.IsZero() {
		t.Error("Wipe left bytes behind")
	}
	if clone.IsZero() || !bytes.Equal(clone.Reveal(), want) {
		t.Error("Wipe reached the clone")
	}
	s.Wipe() // again, and on nothing
	Secret{}.Wipe()
	if !(Secret{}).Clone().IsZero() {
		t.Error("a clone of nothing is something")
	}
}

// What is sealed under the zeros that Wipe leaves is sealed under no key.
func TestSecretThatHoldsNothingPanicsRatherThanReveal(t *testing.T) {
	wiped := NewSecret()
	wiped.Wipe()
	for _, s := range []Secret{{}, wiped} {
		mustPanic(t, func() { s.Reveal() })
		mustPanic(t, func() { NewAEAD(s) })
		mustPanic(t, func() { Derive(s, nil, "label") })
		mustPanic(t, func() { CommitDEK(s, IndexID{}, SegmentID{}) })
		mustPanic(t, func() { NewSigner(UserID{}, s) })
	}
}

func TestGrantWipeReachesEveryKey(t *testing.T) {
	g := Grant{NewSecret(), NewSecret(), NewSecret()}
	g.Wipe()
	if !g.ID.IsZero() || !g.Map.IsZero() || !g.Third.IsZero() {
		t.Error("a key is left")
	}
	Grant{}.Wipe()
}

func TestFreshSecretsAndIDsDiffer(t *testing.T) {
	seen := map[string]bool{}
	for range 2 {
		i, s, e := NewIndexID(), NewSegmentID(), NewSessionID()
		for _, b := range [][]byte{NewSecret().Reveal(), i[:], s[:], e[:]} {
			if seen[string(b)] || isZero(b) {
				t.Errorf("%x is drawn twice, or is zeros", b)
			}
			seen[string(b)] = true
		}
	}
}

func TestIDsPrintAsHexadecimalDigits(t *testing.T) {
	want := "0a" + strings.Repeat("00", 15)
	for _, got := range []string{IndexID{10}.String(), SegmentID{10}.String(), SessionID{10}.String(), UserID{10}.String()} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := (UserID{}).String(); got != "root" {
		t.Errorf("%q, want root", got)
	}
	if got := (Hash{10}).String(); got != want+strings.Repeat("00", 16) {
		t.Errorf("%q", got)
	}
}
