package segment

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"oubliette/crypto"
	"oubliette/internal/codec"
	"oubliette/internal/corpus"
)

// FuzzPointer: what is taken lies in a row area, and has one encoding.
func FuzzPointer(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		d := codec.NewDecoder(b)
		p := DecodePointer(d)
		if d.Err() != nil {
			wantEqual(t, "pointer of bad input", p, Pointer{})
			return
		}
		if x := p.Extent(); x.Off < DataStart || x.End() > maxDataEnd || x.Len < minSealed {
			t.Fatalf("extent %+v was taken", x)
		}
		var e codec.Encoder
		p.Append(&e)
		if !bytes.Equal(e.B, b[:d.Offset()]) {
			t.Fatal("a pointer has two encodings")
		}
	})
}

// FuzzHeaderSlot: a slot that is taken has one encoding.
func FuzzHeaderSlot(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		// Without a fitting checksum the fuzzer would not get far.
		if len(b) == HeaderSlotSize {
			b = bytes.Clone(b)
			resum(b)
		}
		s, err := decodeSlot(b)
		if err == nil && !bytes.Equal(s.encode(), b) {
			t.Fatal("a slot has two encodings")
		}
	})
}

// FuzzFooter: a footer that is taken has one encoding, and its parts lie side by
// side below its end.
func FuzzFooter(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte, end uint64) {
		var foot *footer
		var body []byte
		var err error
		corpus.Bound(t, len(b), 4, func() { foot, body, _, err = decodeFooter(b, end) })
		if err != nil {
			return
		}
		if !bytes.Equal(foot.body(), body) || len(body)+64 != len(b) {
			t.Fatal("a footer has two encodings")
		}
		for n := range foot.blocks {
			if x := foot.block(n); x.Len <= crypto.Overhead || x.Len > blockSize || x.End() > foot.filter.Off {
				t.Fatalf("block %d is at %+v", n, x)
			}
		}
		if foot.top.End() > end || foot.dataEnd > foot.blockOff {
			t.Fatal("parts overlap")
		}
	})
}

// FuzzTail: a footer that is found by the tail ends where the tail begins.
func FuzzTail(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		ref, err := findFooter(t, b)
		if err == nil && (ref.Off < DataStart || ref.Off+ref.Len+tailSize != uint64(DataStart+len(b))) {
			t.Fatalf("footer %+v in a file of %d bytes", ref, DataStart+len(b))
		}
	})
}

// FuzzIndexBlock: a block that is taken has one encoding and is in order.
func FuzzIndexBlock(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte, rows uint32, end uint64) {
		var entries []Entry
		var err error
		corpus.Bound(t, len(b), 4, func() { entries, err = decodeBlock(b, bounds{rows, end}, nil) })
		if err != nil {
			return
		}
		var e codec.Encoder
		for i := range entries {
			appendEntry(&e, &entries[i])
		}
		if !bytes.Equal(e.B, b) || len(entries) == 0 {
			t.Fatal("a block has two encodings")
		}
		if !slices.IsSortedFunc(entries, func(a, b Entry) int { return compareEntries(&a, &b) }) {
			t.Fatal("a block is out of order")
		}
	})
}

// FuzzTop: a fence that is taken has one encoding.
func FuzzTop(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte, blocks int) {
		top, expires, err := decodeTop(b, max(0, blocks)%1000)
		if err != nil {
			return
		}
		fences := make([]fence, len(top))
		for i := range top {
			if fences[i].first = top[i]; expires != nil {
				fences[i].expires = expires[i]
			}
		}
		if !bytes.Equal(encodeTop(fences), b) {
			t.Fatal("a fence has two encodings")
		}
	})
}

// FuzzFilter: a filter that is taken has one encoding, and asking it reads nothing
// outside of it.
func FuzzFilter(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte, key uint64) {
		var fuse filter
		var err error
		corpus.Bound(t, len(b), 4, func() { fuse, err = decodeFilter(b) })
		if err != nil {
			return
		}
		if !bytes.Equal(fuse.encode(), b) {
			t.Fatal("a filter has two encodings")
		}
		rng := rand.New(rand.NewPCG(key, 1))
		for range 50 {
			var tok crypto.Token
			copy(tok[:], randomBytes(rng, 8))
			fuse.mayContain(tok) // never out of range
		}
	})
}

// FuzzRowFrame: a field expands to what its frame announces, within its limit, and a
// head has one encoding.
func FuzzRowFrame(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte, field uint8) {
		k := Field(field % NumFields)
		fr, err := parseFrame(k, b)
		if err != nil {
			return
		}
		if fr.rawLen > maxRaw(k) {
			t.Fatalf("%d bytes were announced and taken", fr.rawLen)
		}
		// What it announces is within its field's limit, and authenticated before.
		var raw []byte
		corpus.Bound(t, fr.rawLen+len(b), 4, func() { raw, err = fr.expand(nil) })
		if err == nil && len(raw) != fr.rawLen {
			t.Fatalf("%d bytes announced, %d came", fr.rawLen, len(raw))
		}
		var c Content
		if err := c.take(k, b, WantAll, new(scratch)); err != nil || k != Head {
			return
		}
		if c.ID == "" || len(c.ID) > MaxID || len(c.Metadata) > MaxMetadata {
			t.Fatalf("id of %d bytes, metadata of %d", len(c.ID), len(c.Metadata))
		}
		if !bytes.Equal(appendHead(nil, c.ID, c.Metadata), raw) {
			t.Fatal("a head has two encodings")
		}
	})
}
