package engine

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"oubliette/crypto"
	"oubliette/internal/corpus"
	"oubliette/internal/fault"
)

// FuzzFormat: of all bytes one FORMAT file is taken, and every other is foreign, newer
// or damaged: one of the three.
func FuzzFormat(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		err := checkFormat("FORMAT", b)
		if bytes.Equal(b, encodeFormat()) != (err == nil) {
			t.Fatalf("%x: %v", b, err)
		}
		causes := 0
		for _, cause := range []error{ErrForeign, ErrNewer, ErrDamaged} {
			if errors.Is(err, cause) {
				causes++
			}
		}
		if err != nil && (causes != 1 || !errors.Is(err, ErrCorrupt)) {
			t.Fatalf("%x: %v has %d causes", b, err, causes)
		}
	})
}

// FuzzDecodePlacement: a placement that is taken has one encoding, a dimension that
// there may be, and rows of the number that is given.
func FuzzDecodePlacement(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte, seq uint64) {
		var p *placement
		var err error
		corpus.Bound(t, len(b), 8, func() { p, err = decodePlacement(b, seq) })
		if err != nil {
			return
		}
		if !bytes.Equal(p.encode(), b) || p.dimension > MaxDimension {
			t.Fatalf("encodes to\n%x from\n%x", p.encode(), b)
		}
		for i := range p.parts {
			for k := range p.parts[i].entries {
				if got := p.parts[i].entries[k].Seq; got != seq {
					t.Fatalf("a row is numbered %d in record %d", got, seq)
				}
			}
		}
	})
}

// FuzzParseSegmentName: a name that is taken is the one that its segment's file has.
func FuzzParseSegmentName(f *testing.F) {
	f.Fuzz(func(t *testing.T, name string) {
		if id, ok := parseSegmentName(name); ok && id.String()+segmentSuffix != name {
			t.Fatalf("%q is taken for segment %s", name, id)
		}
	})
}

// TestSeedsOfFormats holds the corpora in testdata against the formats of today.
func TestSeedsOfFormats(t *testing.T) {
	corpus.Hold(t, "FuzzFormat", formatSeeds(), func(s corpus.Seed) error { return checkFormat("FORMAT", s.Bytes(0)) })
	corpus.Hold(t, "FuzzDecodePlacement", placementSeeds(), func(s corpus.Seed) error {
		_, err := decodePlacement(s.Bytes(0), s.Values[1].(uint64))
		return err
	})
	corpus.Hold(t, "FuzzParseSegmentName", segmentNameSeeds(), func(s corpus.Seed) error {
		if _, ok := parseSegmentName(s.Values[0].(string)); !ok {
			return fault.ErrForeign
		}
		return nil
	})
}

func formatSeeds() []corpus.Seed {
	b := encodeFormat()
	newer, changed := bytes.Clone(b), bytes.Clone(b)
	newer[8]++
	changed[len(b)-1]++
	return []corpus.Seed{
		corpus.Valid("format", b), corpus.Hostile("newer", newer), corpus.Hostile("changed", changed), corpus.Hostile("empty", []byte{}),
		corpus.Hostile("cut", b[:len(b)-1]), corpus.Hostile("longer", append(bytes.Clone(b), 0)), corpus.Hostile("version-0", append([]byte(formatMagic), 0, 0)),
		corpus.Hostile("clean", encodeClean(crypto.Hash{1})),
	}
}

func placementSeeds() []corpus.Seed {
	b := fixedPlacement().encode()
	parts, rows := bytes.Clone(b), bytes.Clone(b)
	binary.LittleEndian.PutUint32(parts[5:], 1<<31)
	binary.LittleEndian.PutUint32(rows[placementHead+16:], 1<<31)
	wide := bytes.Clone(b)
	binary.LittleEndian.PutUint32(wide[1:], MaxDimension+1)
	none := (&placement{}).encode()
	n := uint64(43)
	return []corpus.Seed{
		corpus.Valid("two-segments", b, n), corpus.Valid("nothing", none, n), corpus.Hostile("parts-bomb", parts, n), corpus.Hostile("rows-bomb", rows, n),
		corpus.Hostile("cut", b[:len(b)-1], n), corpus.Hostile("longer", append(bytes.Clone(b), 0), n), corpus.Hostile("dimension", wide, n),
		corpus.Hostile("newer", append([]byte{placementVersion + 1}, b[1:]...), n), corpus.Hostile("empty", []byte{}, n),
	}
}

func segmentNameSeeds() []corpus.Seed {
	name := crypto.SegmentID{1, 0xAB}.String() + segmentSuffix
	return []corpus.Seed{
		corpus.Valid("segment", name), corpus.Hostile("upper", strings.ToUpper(name)), corpus.Hostile("digits", strings.Replace(name, "ab", "AB", 1)),
		corpus.Hostile("no-suffix", strings.TrimSuffix(name, segmentSuffix)), corpus.Hostile("short", name[1:]), corpus.Hostile("empty", ""),
	}
}
