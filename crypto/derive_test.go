package crypto

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"testing"
)

type deriveCase struct {
	Secret, Salt hexBytes
	Label        string
	Context      []hexBytes
	Want         hexBytes
}

func (c deriveCase) context() [][]byte {
	out := make([][]byte, len(c.Context))
	for i, x := range c.Context {
		out[i] = x
	}
	return out
}

func TestDeriveGivesTheVectors(t *testing.T) {
	for i, c := range load[struct{ Cases []deriveCase }](t, "derive.json").Cases {
		got := Derive(secret(t, c.Secret), c.Salt, c.Label, c.context()...)
		if !bytes.Equal(got.Reveal(), c.Want) {
			t.Errorf("case %d: %x, want %x", i, got.Reveal(), c.Want)
		}
	}
}

// RFC 5869: PRK = HMAC(salt, IKM), a missing salt being zeros; T(1) =
// HMAC(PRK, info ‖ 0x01) is the whole output of 32 bytes.
func TestDeriveIsHKDFByHand(t *testing.T) {
	mac := func(key, msg []byte) []byte {
		m := hmac.New(sha256.New, key)
		m.Write(msg)
		return m.Sum(nil)
	}
	key, salt := fill(7), fill(9)
	info := []byte("\x05\x00\x00\x00label\x02\x00\x00\x00ab\x00\x00\x00\x00\x01\x00\x00\x00c")
	for _, s := range [][]byte{nil, salt[:]} {
		extractKey := s
		if extractKey == nil {
			extractKey = make([]byte, 32)
		}
		want := mac(mac(extractKey, key[:]), append(bytes.Clone(info), 1))
		got := Derive(secret(t, key[:]), s, "label", []byte("ab"), nil, []byte("c"))
		if !bytes.Equal(got.Reveal(), want) {
			t.Errorf("salt %x: %x, want %x", s, got.Reveal(), want)
		}
	}
}

func TestDeriveBindsWhereEachStringEnds(t *testing.T) {
	key := fill(1)
	s := secret(t, key[:])
	b := func(x string) []byte { return []byte(x) }
	all := []Secret{
		Derive(s, nil, "ab"), Derive(s, nil, "a", b("b")), Derive(s, nil, "", b("ab")),
		Derive(s, nil, "a", b("b"), nil), Derive(s, nil, "a", nil, b("b")),
		Derive(s, nil, "a", b("bc")), Derive(s, nil, "a", b("b"), b("c")),
		Derive(s, b("x"), "ab"), Derive(Derive(s, nil, "ab"), nil, "ab"),
		Derive(s, nil, "a", b("\x01\x00\x00\x00b")),
	}
	for i := range all {
		for j := range i {
			if all[i].Equal(all[j]) {
				t.Errorf("derivations %d and %d are one", i, j)
			}
		}
	}
}

func TestDeriveLeavesItsSecretAsItIs(t *testing.T) {
	s := NewSecret()
	before := s.Clone()
	d := Derive(s, nil, "label")
	d.Wipe()
	if !s.Equal(before) {
		t.Error("wiping what was derived changed the secret")
	}
}
