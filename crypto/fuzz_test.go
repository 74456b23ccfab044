package crypto

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"oubliette/internal/codec"
	"oubliette/internal/corpus"
)

// FuzzParsePEM: a key that is taken is not weak, and prints so that it is read again.
func FuzzParsePEM(f *testing.F) {
	f.Fuzz(func(t *testing.T, text []byte) {
		k, err := ParsePEM(text)
		if err != nil {
			return
		}
		if again, err := ParsePEM(k.PEM()); err != nil || again != k || k.Weak() {
			t.Errorf("%x prints and parses to %x, %v", k, again, err)
		}
	})
}

// FuzzDecodeEpochRecord: what decodes has one encoding. A signature cannot be guessed
// by mutation, so the fields are decoded without it, too.
func FuzzDecodeEpochRecord(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		var r *EpochRecord
		var err error
		if corpus.Bound(t, len(b), 4, func() { r, err = DecodeEpochRecord(b) }); err == nil {
			if again := append(append(r.body(), r.Succession[:]...), r.Signature[:]...); !bytes.Equal(again, b) {
				t.Error("decodes and encodes otherwise")
			}
		}
		if len(b) < 10 {
			return
		}
		d, r := codec.NewDecoder(b[10:]), new(EpochRecord)
		if corpus.Bound(t, len(b), 4, func() { r.decode(d) }); d.Done() != nil {
			return
		}
		if again := append(append(r.body(), r.Succession[:]...), r.Signature[:]...); !bytes.Equal(again[10:], b[10:]) {
			t.Error("fields decode and encode otherwise")
		}
		_ = r.Check() // whatever it says, it does not panic
	})
}

// FuzzDecodeGrant: a grant that is taken has one encoding, and an error no keys beside
// it.
func FuzzDecodeGrant(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		g, err := decodeGrant(b)
		if err != nil {
			if !g.ID.IsZero() || !g.Map.IsZero() || !g.Third.IsZero() {
				t.Error("keys beside an error")
			}
			return
		}
		if !bytes.Equal(g.encode(), b) {
			t.Errorf("%x decodes and encodes to %x", b, g.encode())
		}
	})
}

// FuzzParseSecret: a key is 64 hexadecimal digits that are not all zeros, and no error
// shows any of them.
func FuzzParseSecret(f *testing.F) {
	f.Fuzz(func(t *testing.T, digits string) {
		s, err := ParseSecret(digits)
		raw, bad := hex.DecodeString(digits)
		if want := bad == nil && len(raw) == KeySize && !isZero(raw); want != (err == nil) {
			t.Fatalf("%q: %v", digits, err)
		}
		again, rawErr := SecretFromBytes(raw)
		if bad == nil && (rawErr == nil) != (err == nil) {
			t.Fatalf("%q as bytes: %v", digits, rawErr)
		}
		if err == nil {
			if !bytes.Equal(s.Reveal(), raw) || !again.Equal(s) {
				t.Fatalf("%q is read as another key", digits)
			}
			return
		}
		if !s.IsZero() || len(digits) > 8 && strings.Contains(err.Error(), digits) {
			t.Fatalf("%q: a key beside an error, or in it: %v", digits, err)
		}
	})
}

// FuzzParseReaderPublic: a public half that is taken has one encoding, and sealing to
// it does not panic.
func FuzzParseReaderPublic(f *testing.F) {
	dek := NewSecret()
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParseReaderPublic(b)
		if err != nil {
			return
		}
		if !bytes.Equal(p.Bytes(), b) {
			t.Fatal("a public half has two encodings")
		}
		if sealed, err := SealDEK(p, DEKInfo{}, dek); err == nil && len(sealed) != SealedDEKSize {
			t.Fatalf("sealed to %d bytes", len(sealed))
		}
	})
}

// FuzzOpenAnchor seals what comes, so that what is behind the seal is reached: an
// anchor that is taken has one encoding.
func FuzzOpenAnchor(f *testing.F) {
	key, index, user := NewSecret(), IndexID{1}, UserID{2}
	f.Fuzz(func(t *testing.T, plain []byte) {
		a, err := OpenAnchor(key, index, user, sealAnchor(key, index, user, make([]byte, anchorSalt), plain))
		if err != nil {
			return
		}
		var e codec.Encoder
		e.U8(anchorVersion)
		e.Raw(a.Root[:])
		e.U64(a.Epoch)
		e.Raw(a.Record[:])
		if !bytes.Equal(e.B, plain) {
			t.Fatalf("%x opens as %+v", plain, a)
		}
	})
}

// FuzzOpenSealed: of all bytes only those open that were sealed, under each key that
// something is sealed under.
func FuzzOpenSealed(f *testing.F) {
	opens := sealedOpeners(f)
	f.Fuzz(func(t *testing.T, b []byte, which byte) {
		o := &opens[int(which)%len(opens)]
		var err error
		corpus.Bound(t, len(b), 4, func() { err = o.open(b) })
		if want := bytes.Equal(b, o.sealed); want != (err == nil) {
			t.Fatalf("%s: %x: %v", o.name, b, err)
		}
	})
}

// opener opens one kind of what is sealed; sealed is what it opens.
type opener struct {
	name   string
	sealed []byte
	open   func([]byte) error
}

// sealedOpeners are those of the vectors.
func sealedOpeners(t testing.TB) []opener {
	v, anchors := loadSealed(t), load[anchorVectors](t, "anchor.json")
	reader, grant, anchor := readerKey(t, secret(t, v.ReaderSeed)), &v.Grants[0], &anchors.Cases[0]
	principal, mapKey, userKey := v.principal(t, grant), secret(t, v.MapKey), secret(t, anchor.Key)
	return []opener{
		{"data-key", v.DEKSealed, func(b []byte) error { _, err := OpenDEK(reader, v.dekInfo(), b); return err }},
		{"grant", grant.Sealed, func(b []byte) error { _, err := OpenGrant(principal, v.grantInfo(grant), b); return err }},
		{"anchor", anchor.Sealed, func(b []byte) error {
			_, err := OpenAnchor(userKey, IndexID(anchors.Index), UserID(anchor.User), b)
			return err
		}},
		{"map-link", v.MapLink, func(b []byte) error { _, err := FollowMapKey(mapKey, IndexID(v.Index), v.Epoch, b); return err }},
	}
}
