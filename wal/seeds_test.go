package wal

import (
	"bytes"
	"testing"

	"oubliette/crypto"
	"oubliette/internal/codec"
	"oubliette/internal/corpus"
)

// TestSeeds holds the corpora in testdata against the formats of today.
func TestSeeds(t *testing.T) {
	corpus.Hold(t, "FuzzDecodeGroup", groupSeeds(t), func(s corpus.Seed) error {
		_, err := decodeGroup(s.Bytes(0), inLog)
		return err
	})
	corpus.Hold(t, "FuzzDecodeStubbed", stubbedSeeds(t), func(s corpus.Seed) error {
		_, err := DecodeStubbed(s.Bytes(0))
		return err
	})
	corpus.Hold(t, "FuzzDecodePosition", positionSeeds(), func(s corpus.Seed) error {
		d := codec.NewDecoder(s.Bytes(0))
		DecodePosition(d)
		return d.Done()
	})
}

// fixedForger makes the same groups each time. It has no database.
func fixedForger(t testing.TB) *forger {
	w := &world{
		t: t, index: crypto.IndexID{1}, epoch: 3, mapKey: fixedSecret(t, 1),
		root:  crypto.NewSigner(crypto.UserID{}, fixedSecret(t, 2)),
		alice: crypto.NewSigner(crypto.UserID{0xA1}, fixedSecret(t, 3)),
		bob:   crypto.NewSigner(crypto.UserID{0xB0}, fixedSecret(t, 4)),
	}
	return &forger{world: w, session: newSession(crypto.SessionID{5}, w.index, w.epoch, w.mapKey)}
}

// withCount is b with a number of 32 bits in a place.
func withCount(b []byte, at int, n byte) []byte {
	b = bytes.Clone(b)
	copy(b[at:], bytes.Repeat([]byte{n}, 4))
	return b
}

func groupSeeds(t testing.TB) []corpus.Seed {
	f := fixedForger(t)
	one := bytes.Clone(f.group(nil, by{f.alice, ""}))
	three := bytes.Clone(f.group(nil, by{f.alice, "two"}, by{f.bob, "three"}, by{f.alice, "four"}))
	none := bytes.Clone(f.group(func(h *header, _ []Record) { h.Epoch = 0 }, by{f.alice, "one"}))
	mixed, _, _ := f.mixed()
	newer := bytes.Clone(one)
	newer[8]++
	return []corpus.Seed{
		corpus.Valid("one", one), corpus.Valid("three", three), corpus.Valid("mixed", mixed),
		corpus.Hostile("epoch-0", none), corpus.Hostile("empty", []byte{}), corpus.Hostile("header-alone", one[:headerSize]),
		corpus.Hostile("cut", three[:len(three)-1]), corpus.Hostile("longer", append(bytes.Clone(one), 0)), corpus.Hostile("newer", newer),
		corpus.Hostile("ones", bytes.Repeat([]byte{0xFF}, headerSize+100)),
		corpus.Hostile("length-bomb", withCount(one, headerSize+recordHeader, 0xFF)),
		corpus.Hostile("signatures-bomb", withCount(one, len(one)-4-signatureSize, 0xFF)),
	}
}

func stubbedSeeds(t testing.TB) []corpus.Seed {
	f := fixedForger(t)
	one := bytes.Clone(f.group(nil, by{f.alice, ""}))
	whole, short, _ := f.mixed()
	return []corpus.Seed{
		corpus.Valid("one", one), corpus.Valid("mixed", short), corpus.Hostile("whole", whole),
		corpus.Hostile("header-alone", short[:headerSize]), corpus.Hostile("cut", short[:len(short)-1]),
		corpus.Hostile("longer", append(bytes.Clone(short), 0)), corpus.Hostile("empty", []byte{}),
	}
}

func positionSeeds() []corpus.Seed {
	encode := func(p Position) []byte {
		var e codec.Encoder
		p.Append(&e)
		return e.B
	}
	head := crypto.Hash{7}
	last := encode(Position{4, 9, head, Mark{4, head}})
	return []corpus.Seed{
		corpus.Valid("beginning", encode(Position{})), corpus.Valid("deletes", last),
		corpus.Valid("upserts-since", encode(Position{5, 12, head, Mark{4, crypto.Hash{6}}})),
		corpus.Hostile("delete-to-come", encode(Position{4, 9, head, Mark{5, head}})),
		corpus.Hostile("other-hash", encode(Position{4, 9, head, Mark{4, crypto.Hash{6}}})),
		corpus.Hostile("no-group", encode(Position{4, 9, head, Mark{0, head}})), corpus.Hostile("cut", last[:len(last)-1]),
	}
}
