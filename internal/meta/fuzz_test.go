package meta

import (
	"bytes"
	"errors"
	"testing"

	"oubliette/crypto"
	"oubliette/internal/corpus"
)

// FuzzParseKeys: whatever a parser takes is byte for byte what the builder makes of
// the result, and at most one parser takes it. What begins as a prefix does lies
// before its end.
func FuzzParseKeys(f *testing.F) {
	f.Fuzz(func(t *testing.T, key []byte) {
		made := parsed(key)
		if len(made) > 1 || len(made) == 1 && !bytes.Equal(made[0], key) {
			t.Fatalf("key %x reads back as %x", key, made)
		}
		if end := PrefixEnd(key); end != nil && (bytes.Compare(end, key) <= 0 || bytes.Compare(end, append(bytes.Clone(key), 0xFF, 0xFF)) <= 0) {
			t.Fatalf("%x is no end of %x", end, key)
		}
	})
}

// parsed is what builders make of what the parsers take of a key.
func parsed(key []byte) (made [][]byte) {
	if n, ok := ParseCatalogueKey(key); ok {
		made = append(made, CatalogueKey(n))
	}
	if i, n, ok := ParseEpochKey(key); ok {
		made = append(made, EpochKey(i, n))
	}
	if i, n, ok := ParseGroupKey(key); ok {
		made = append(made, GroupKey(i, n))
	}
	if i, s, ok := ParseSegmentKey(key); ok {
		made = append(made, SegmentKey(i, s))
	}
	if i, s, ok := ParseDeadKey(key); ok {
		made = append(made, DeadKey(i, s))
	}
	return made
}

// TestSeeds holds the corpus in testdata against the keys and files of today.
func TestSeeds(t *testing.T) {
	corpus.Hold(t, "FuzzIdentity", identitySeeds(), func(s corpus.Seed) error {
		_, err := decodeIdentity("IDENTITY", s.Bytes(0))
		return err
	})
	corpus.Hold(t, "FuzzHead", headSeeds(), func(s corpus.Seed) error {
		return checkHead("file", s.Bytes(0), countUp(1), 9)
	})
	corpus.Hold(t, "FuzzParseKeys", keySeeds(), func(s corpus.Seed) error {
		if len(parsed(s.Bytes(0))) == 0 {
			return errors.New("no parser takes it")
		}
		return nil
	})
}

func identitySeeds() []corpus.Seed {
	n := exampleIdentity()
	whole := n.file()
	return []corpus.Seed{
		corpus.Valid("file", whole), corpus.Valid("one-slot", whole[:slotSize+100]),
		corpus.Hostile("cut-in-its-slots", whole[:slotSize/2]), corpus.Hostile("longer", append(bytes.Clone(whole), 0)),
		corpus.Hostile("nothing", []byte{}),
	}
}

func headSeeds() []corpus.Seed {
	whole := encodeHead(countUp(1), 9)
	return []corpus.Seed{
		corpus.Valid("head", whole), corpus.Hostile("another-number", encodeHead(countUp(1), 8)),
		corpus.Hostile("another-database", encodeHead(countUp(2), 9)), corpus.Hostile("cut", whole[:headSize-1]),
	}
}

func keySeeds() []corpus.Seed {
	index, segment := crypto.IndexID(countUp(0xA0)), crypto.SegmentID(countUp(0xB0))
	return []corpus.Seed{
		corpus.Valid("catalogue", CatalogueKey("docs")), corpus.Valid("epoch", EpochKey(index, 1)), corpus.Valid("group", GroupKey(index, 2)),
		corpus.Valid("segment", SegmentKey(index, segment)), corpus.Valid("dead", DeadKey(index, segment)),
		corpus.Hostile("empty", []byte{}), corpus.Hostile("no-name", CataloguePrefix()), corpus.Hostile("manifest", ManifestKey(index)),
		corpus.Hostile("prefix", SegmentPrefix(index)), corpus.Hostile("longer", append(SegmentKey(index, segment), 0)),
		corpus.Hostile("outcome", OutcomeKey(index, 1, 2, 3)), corpus.Hostile("ones", bytes.Repeat([]byte{0xFF}, 20)),
	}
}
