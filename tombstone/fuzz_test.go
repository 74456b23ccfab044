package tombstone

import (
	"bytes"
	"testing"

	"oubliette/crypto"
	"oubliette/internal/corpus"
)

// FuzzDecodeRecord: what is taken has one encoding: the bytes that were read.
func FuzzDecodeRecord(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		var tokens []crypto.Token
		var err error
		corpus.Bound(t, len(b), 4, func() { tokens, err = DecodeRecord(b) })
		if err != nil {
			return
		}
		if again := AppendRecord(nil, tokens); string(again) != string(b) {
			t.Fatalf("%x decodes, and encodes to %x", b, again)
		}
	})
}

// FuzzDecodeExpiry: what is taken has one encoding, and no number above that of its
// record.
func FuzzDecodeExpiry(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte, seq uint64) {
		var pairs []Tombstone
		var err error
		corpus.Bound(t, len(b), 4, func() { pairs, err = DecodeExpiry(b, seq) })
		if err != nil {
			return
		}
		if again := AppendExpiry(nil, pairs); string(again) != string(b) {
			t.Fatalf("%x decodes, and encodes to %x", b, again)
		}
		for _, p := range pairs {
			if p.Seq == 0 || p.Seq > seq {
				t.Fatalf("number %d under %d was taken", p.Seq, seq)
			}
		}
	})
}

// TestSeeds holds the corpora in testdata against the formats of today.
func TestSeeds(t *testing.T) {
	corpus.Hold(t, "FuzzDecodeRecord", recordSeeds(), func(s corpus.Seed) error {
		_, err := DecodeRecord(s.Bytes(0))
		return err
	})
	corpus.Hold(t, "FuzzDecodeExpiry", expirySeeds(), func(s corpus.Seed) error {
		_, err := DecodeExpiry(s.Bytes(0), s.Values[1].(uint64))
		return err
	})
}

func recordSeeds() []corpus.Seed {
	a, b := crypto.Token{1}, crypto.Token{2}
	two := AppendRecord(nil, []crypto.Token{a, b})
	return []corpus.Seed{
		corpus.Valid("zeros", AppendRecord(nil, []crypto.Token{{}})), corpus.Valid("two", two),
		corpus.Hostile("empty", []byte{}), corpus.Hostile("none", rawRecord(1, 0, 0)), corpus.Hostile("order", rawRecord(1, 0, 2, b, a)),
		corpus.Hostile("twice", rawRecord(1, 0, 2, a, a)), corpus.Hostile("length-bomb", rawRecord(1, 0, 1<<31, a)),
		corpus.Hostile("newer", rawRecord(2, 0, 1, a)), corpus.Hostile("flags", rawRecord(1, 1, 1, a)),
		corpus.Hostile("cut", two[:len(two)-1]), corpus.Hostile("longer", append(bytes.Clone(two), 0)),
	}
}

func expirySeeds() []corpus.Seed {
	a, b := Tombstone{crypto.Token{1}, 3}, Tombstone{crypto.Token{2}, 4}
	two := AppendExpiry(nil, []Tombstone{a, b})
	return []corpus.Seed{
		corpus.Valid("zeros", AppendExpiry(nil, []Tombstone{{Seq: 1}}), uint64(1)), corpus.Valid("two", two, uint64(4)),
		corpus.Hostile("to-come", two, uint64(3)), corpus.Hostile("empty", []byte{}, uint64(1)),
		corpus.Hostile("order", rawExpiry(1, 0, 2, b, a), uint64(9)), corpus.Hostile("number-0", rawExpiry(1, 0, 1, Tombstone{}), uint64(9)),
		corpus.Hostile("length-bomb", rawExpiry(1, 0, 1<<31, a), uint64(9)), corpus.Hostile("newer", rawExpiry(2, 0, 1, a), uint64(9)),
		corpus.Hostile("cut", two[:len(two)-1], uint64(4)), corpus.Hostile("longer", append(bytes.Clone(two), 0), uint64(4)),
	}
}
