package segment

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/crypto"
	"oubliette/internal/codec"
	"oubliette/internal/corpus"
)

// TestSeeds holds the corpora in testdata against the formats of today.
func TestSeeds(t *testing.T) {
	corpus.Hold(t, "FuzzPointer", pointerSeeds(), func(s corpus.Seed) error {
		d := codec.NewDecoder(s.Bytes(0))
		DecodePointer(d)
		return d.Done()
	})
	corpus.Hold(t, "FuzzHeaderSlot", slotSeeds(), func(s corpus.Seed) error {
		_, err := decodeSlot(s.Bytes(0))
		return err
	})
	corpus.Hold(t, "FuzzFooter", footerSeeds(), func(s corpus.Seed) error {
		_, _, _, err := decodeFooter(s.Bytes(0), s.Values[1].(uint64))
		return err
	})
	corpus.Hold(t, "FuzzTail", tailSeeds(), func(s corpus.Seed) error {
		_, err := findFooter(t, s.Bytes(0))
		return err
	})
	corpus.Hold(t, "FuzzIndexBlock", blockSeeds(), func(s corpus.Seed) error {
		_, err := decodeBlock(s.Bytes(0), bounds{s.Values[1].(uint32), s.Values[2].(uint64)}, nil)
		return err
	})
	corpus.Hold(t, "FuzzTop", topSeeds(), func(s corpus.Seed) error {
		_, _, err := decodeTop(s.Bytes(0), s.Values[1].(int))
		return err
	})
	corpus.Hold(t, "FuzzFilter", filterSeeds(t), func(s corpus.Seed) error {
		_, err := decodeFilter(s.Bytes(0))
		return err
	})
	corpus.Hold(t, "FuzzRowFrame", frameSeeds(), func(s corpus.Seed) error {
		f := Field(s.Values[1].(byte))
		fr, err := parseFrame(f, s.Bytes(0))
		if err == nil {
			_, err = fr.expand(nil)
		}
		return errors.Join(err, new(Content).take(f, s.Bytes(0), WantAll, new(scratch)))
	})
}

// cutAndLonger are near misses of a valid input, each with what follows it.
func cutAndLonger(name string, b []byte, rest ...any) []corpus.Seed {
	return []corpus.Seed{
		corpus.Hostile(name+"-cut", append([]any{b[:len(b)-1]}, rest...)...),
		corpus.Hostile(name+"-longer", append([]any{append(bytes.Clone(b), 0)}, rest...)...),
	}
}

func pointerSeeds() []corpus.Seed {
	encode := func(p Pointer) []byte {
		var e codec.Encoder
		p.Append(&e)
		return e.B
	}
	small := Pointer{Offset: DataStart, Len: [3]uint32{0, 0, minSealed}}
	full := Pointer{
		Row: 1<<32 - 1, Offset: 1 << 40, Len: [3]uint32{100, 200, 300}, Expires: 1_900_000_000_000,
		Commit: [3]crypto.Commitment{{1}, {2}, {3}},
	}
	late, early, far := small, small, small
	late.Expires, early.Offset = MaxExpiry+1, DataStart-1
	far.Offset, far.Len = 1<<63, [3]uint32{0, 1<<32 - 1, 1<<32 - 1}
	return append(cutAndLonger("full", encode(full)),
		corpus.Valid("head-only", encode(small)), corpus.Valid("full", encode(full)), corpus.Hostile("empty", []byte{}),
		corpus.Hostile("late-expiry", encode(late)), corpus.Hostile("in-header", encode(early)), corpus.Hostile("overflow", encode(far)))
}

func slotSeeds() []corpus.Seed {
	b := testSlot(1).encode()
	newer, padded := bytes.Clone(b), bytes.Clone(b)
	newer[8], padded[len(b)-5] = headerVersion+1, 1
	resum(newer)
	resum(padded)
	return append(cutAndLonger("whole", b), corpus.Valid("whole", b), corpus.Hostile("zeros", make([]byte, HeaderSlotSize)),
		corpus.Hostile("magic", []byte(headerMagic)), corpus.Hostile("newer", newer), corpus.Hostile("padding", padded))
}

func footerSeeds() []corpus.Seed {
	foot := footer{rows: 100, entries: 70, dataEnd: DataStart, perBlock: blockEntries, blockOff: DataStart, blocks: make([]crypto.Hash, 2)}
	foot.filter.Extent = Extent{DataStart + foot.blocksLen(), 40}
	foot.top.Extent = Extent{foot.filter.End(), 48}
	b := append(foot.body(), make([]byte, 64)...)
	bomb := bytes.Clone(b)
	copy(bomb[8+2+16+16+8+32+4+4+8+32+2+8:], []byte{0xFF, 0xFF, 0xFF, 0xFF})
	end := foot.top.End()
	return append(cutAndLonger("two-blocks", b, end), corpus.Valid("two-blocks", b, end), corpus.Hostile("below-its-parts", b, end-1),
		corpus.Hostile("head", []byte(footerMagic+"\x02\x00"), uint64(1<<40)), corpus.Hostile("empty", []byte{}, uint64(0)),
		corpus.Hostile("length-bomb", bomb, end))
}

// findFooter looks for a footer in a file that ends so.
func findFooter(t testing.TB, rest []byte) (FooterRef, error) {
	fs := vfs.NewMem()
	writeFile(t, fs, "f", append(append(testSlot(1).encode(), make([]byte, HeaderSlotSize)...), rest...))
	file, err := Open(fs, "f", Identity{})
	if err != nil {
		t.Fatal(err)
	}
	defer file.Release()
	return FindFooter(file)
}

func tailSeeds() []corpus.Seed {
	foot := []byte("what a footer says is looked at later")
	whole := append(bytes.Clone(foot), tail(foot)...)
	long := append(bytes.Clone(foot), tail(make([]byte, 500))...)
	return append(cutAndLonger("whole", whole), corpus.Valid("whole", whole), corpus.Hostile("length-bomb", long),
		corpus.Hostile("empty", []byte{}), corpus.Hostile("tail-alone", tail(make([]byte, 500))))
}

func blockSeeds() []corpus.Seed {
	var e codec.Encoder
	for i := range 3 {
		appendEntry(&e, &Entry{Token: crypto.Token{byte(i)}, Seq: 7, Pointer: Pointer{Row: uint32(i), Offset: DataStart, Len: [3]uint32{0, 0, minSealed}}})
	}
	rows, end := uint32(3), uint64(DataStart+100)
	swapped := append(bytes.Clone(e.B[entrySize:]), e.B[:entrySize]...)
	return append(cutAndLonger("three", e.B, rows, end), corpus.Valid("three", e.B, rows, end), corpus.Hostile("order", swapped, rows, end),
		corpus.Hostile("row-outside", e.B, uint32(2), end), corpus.Hostile("extent-outside", e.B, rows, uint64(DataStart+10)),
		corpus.Hostile("empty", []byte{}, uint32(0), uint64(0)), corpus.Hostile("zeros", make([]byte, entrySize), uint32(1), uint64(1<<62)))
}

func topSeeds() []corpus.Seed {
	plain := encodeTop([]fence{{first: crypto.Token{1}}, {first: crypto.Token{1}}, {first: crypto.Token{2}}})
	expiring := encodeTop([]fence{{crypto.Token{1}, 5}, {crypto.Token{2}, 0}})
	return append(cutAndLonger("plain", plain, 3), corpus.Valid("plain", plain, 3), corpus.Valid("expiring", expiring, 2),
		corpus.Valid("empty", []byte{}, 0), corpus.Hostile("more-blocks", plain, 999),
		corpus.Hostile("order", encodeTop([]fence{{crypto.Token{2}, 5}, {crypto.Token{1}, 0}}), 2))
}

func filterSeeds(t *testing.T) (out []corpus.Seed) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct {
		name string
		keys int
	}{{"none", 0}, {"one", 1}, {"two", 2}, {"five", 5}, {"many", 300}} {
		keys := make([]uint64, c.keys)
		for i := range keys {
			keys[i] = rng.Uint64()
		}
		fuse, err := buildFilter(keys)
		if err != nil {
			t.Fatal(err)
		}
		b := fuse.encode()
		out = append(out, corpus.Valid(c.name, b, uint64(c.keys)))
		out = append(out, cutAndLonger(c.name, b, uint64(c.keys))...)
	}
	return out
}

func frameSeeds() []corpus.Seed {
	raw := appendFrame(nil, []byte("short"), Contents)
	bomb := appendFrame(nil, make([]byte, 1<<20), Contents)
	c, v, h := byte(Contents), byte(Vector), byte(Head)
	return append(cutAndLonger("raw", raw, c),
		corpus.Valid("raw", raw, c), corpus.Valid("compressed", appendFrame(nil, make([]byte, 5000), Contents), c),
		corpus.Valid("vector", appendFrame(nil, appendVector(nil, []float32{1, 2, 3}), Vector), v),
		corpus.Valid("head", appendFrame(nil, appendHead(nil, "id", []byte("{}")), Head), h),
		corpus.Valid("head-without-metadata", appendFrame(nil, appendHead(nil, "id", nil), Head), h),
		corpus.Hostile("odd-vector", appendFrame(nil, []byte("12345"), Vector), v), corpus.Hostile("no-id", appendFrame(nil, []byte{0, 0, 0}, Head), h),
		corpus.Hostile("two-frames", append(bytes.Clone(bomb), bomb[frameOverhead:]...), c),
		corpus.Hostile("length-bomb", []byte{codecZstd, 0xff, 0xff, 0xff, 0xff, 0x28, 0xb5, 0x2f, 0xfd}, c),
		corpus.Hostile("unknown-codec", append([]byte{9}, raw[1:]...), c))
}
