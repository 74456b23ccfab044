package crypto

import (
	"bytes"
	"fmt"
	"testing"
)

// anchorVectors were sealed by another implementation.
type anchorVectors struct {
	Index hexBytes
	Cases []anchorVector
}

type anchorVector struct {
	Key, User, Salt, Root hexBytes
	Epoch                 uint64
	Record, Plain, Sealed hexBytes
}

func (c *anchorVector) anchor() Anchor {
	return Anchor{Root: VerifyKey(c.Root), Epoch: c.Epoch, Record: Hash(c.Record)}
}

func TestAnchorGivesTheVectors(t *testing.T) {
	v := load[anchorVectors](t, "anchor.json")
	index := IndexID(v.Index)
	for i := range v.Cases {
		c := &v.Cases[i]
		key, user := secret(t, c.Key), UserID(c.User)
		if got := sealAnchor(key, index, user, bytes.Clone(c.Salt), c.Plain); !bytes.Equal(got, c.Sealed) {
			t.Errorf("case %d: %x, want %x", i, got, c.Sealed)
		}
		got, err := OpenAnchor(key, index, user, c.Sealed)
		if err != nil || got != c.anchor() {
			t.Errorf("case %d: %+v, %v, want %+v", i, got, err, c.anchor())
		}
	}
}

// The vectors say what a user sees of the records in epoch.json.
func TestAnchorVectorsAreOfTheEpochVectors(t *testing.T) {
	records := load[epochVectors](t, "epoch.json")
	for i, c := range load[anchorVectors](t, "anchor.json").Cases {
		raw := records.First
		if c.Epoch == 2 {
			raw = records.Second
		}
		r := decodeEpoch(t, raw)
		if want := (Anchor{Root: r.Root, Epoch: r.Epoch, Record: Sum(raw)}); c.anchor() != want {
			t.Errorf("case %d: %+v, want %+v", i, c.anchor(), want)
		}
	}
}

func TestSealingAnAnchorDrawsASalt(t *testing.T) {
	key, index, user := NewSecret(), NewIndexID(), UserID{1}
	want := Anchor{Root: VerifyKey{2}, Epoch: 3, Record: Hash{4}}
	a, b := SealAnchor(key, index, user, want), SealAnchor(key, index, user, want)
	if len(a) != SealedAnchorSize || len(b) != SealedAnchorSize {
		t.Errorf("%d and %d bytes, want %d", len(a), len(b), SealedAnchorSize)
	}
	if bytes.Equal(a[:anchorSalt], b[:anchorSalt]) || bytes.Equal(a[anchorSalt:], b[anchorSalt:]) {
		t.Error("two seals share a salt or a ciphertext")
	}
	for _, sealed := range [][]byte{a, b} {
		if got, err := OpenAnchor(key, index, user, sealed); err != nil || got != want {
			t.Errorf("%+v, %v, want %+v", got, err, want)
		}
	}
}

func TestAnchorOpensNowhereElse(t *testing.T) {
	v := load[anchorVectors](t, "anchor.json")
	c, index := &v.Cases[0], IndexID(v.Index)
	key, user, other := secret(t, c.Key), UserID(c.User), index
	other[0] ^= 1
	refused := func(what string, key Secret, index IndexID, user UserID, sealed []byte) {
		t.Helper()
		if a, err := OpenAnchor(key, index, user, sealed); err == nil || a != (Anchor{}) {
			t.Errorf("%s: opens as %+v, error %v", what, a, err)
		}
	}
	refused("another index", key, other, user, c.Sealed)
	refused("another user", key, index, UserID{0x22}, c.Sealed)
	refused("root", key, index, UserID{}, c.Sealed)
	refused("another key", NewSecret(), index, user, c.Sealed)
	refused("another user's anchor", key, index, user, v.Cases[2].Sealed)
	flips(c.Sealed, func(at int, b []byte) { refused(fmt.Sprint("flipped at byte ", at), key, index, user, b) })
	for n := range c.Sealed {
		refused("cut", key, index, user, c.Sealed[:n])
	}
	refused("grown", key, index, user, append(bytes.Clone(c.Sealed), 0))
}

// Sealed by the user itself, so the version alone refuses it.
func TestAnchorOfAnotherVersionIsRefused(t *testing.T) {
	v := load[anchorVectors](t, "anchor.json")
	c, index := &v.Cases[0], IndexID(v.Index)
	for _, version := range []byte{0, 2, 255} {
		plain := bytes.Clone(c.Plain)
		plain[0] = version
		sealed := sealAnchor(secret(t, c.Key), index, UserID(c.User), bytes.Clone(c.Salt), plain)
		if a, err := OpenAnchor(secret(t, c.Key), index, UserID(c.User), sealed); err == nil {
			t.Errorf("version %d: opens as %+v", version, a)
		}
	}
}
