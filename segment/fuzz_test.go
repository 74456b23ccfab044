package segment

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/crypto"
	"oubliette/internal/codec"
)

func FuzzPointer(f *testing.F) {
	f.Add([]byte{})
	for _, p := range []Pointer{
		{Offset: DataStart, Len: [3]uint32{0, 0, minSealed}},
		{Row: 1<<32 - 1, Offset: 1 << 40, Len: [3]uint32{100, 200, 300}, Commit: [3]crypto.Commitment{{1}, {2}, {3}}},
		{Offset: DataStart, Len: [3]uint32{0, 0, minSealed}, Expires: 1_900_000_000_000},
		{Offset: DataStart, Len: [3]uint32{0, 0, minSealed}, Expires: MaxExpiry + 1},
		{Offset: DataStart - 1, Len: [3]uint32{0, 0, minSealed}},
		{Offset: 1 << 63, Len: [3]uint32{0, 1<<32 - 1, 1<<32 - 1}},
	} {
		var e codec.Encoder
		p.Append(&e)
		f.Add(e.B)
	}
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

func FuzzHeaderSlot(f *testing.F) {
	f.Add(testSlot(1).encode())
	f.Add(make([]byte, HeaderSlotSize))
	f.Add([]byte(headerMagic))
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

func FuzzFooter(f *testing.F) {
	foot := footer{rows: 100, entries: 70, dataEnd: DataStart, perBlock: blockEntries, blockOff: DataStart, blocks: make([]crypto.Hash, 2)}
	foot.filter.Extent = Extent{DataStart + foot.blocksLen(), 40}
	foot.top.Extent = Extent{foot.filter.End(), 48}
	f.Add(append(foot.body(), make([]byte, 64)...), foot.top.End())
	f.Add([]byte(footerMagic+"\x02\x00"), uint64(1<<40))
	f.Add([]byte{}, uint64(0))
	f.Fuzz(func(t *testing.T, b []byte, end uint64) {
		foot, body, _, err := decodeFooter(b, end)
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

func FuzzTail(f *testing.F) {
	f.Add(tail(nil))
	f.Add(tail(make([]byte, 500)))
	f.Fuzz(func(t *testing.T, b []byte) {
		fs := vfs.NewMem()
		writeFile(t, fs, "f", append(append(testSlot(1).encode(), make([]byte, HeaderSlotSize)...), b...))
		file, err := Open(fs, "f", Identity{})
		if err != nil {
			t.Fatal(err)
		}
		defer file.Release()
		ref, err := FindFooter(file)
		if err == nil && (ref.Off < DataStart || ref.Off+ref.Len+tailSize != uint64(DataStart+len(b))) {
			t.Fatalf("footer %+v in a file of %d bytes", ref, DataStart+len(b))
		}
	})
}

func FuzzIndexBlock(f *testing.F) {
	var e codec.Encoder
	for i := range 3 {
		appendEntry(&e, &Entry{Token: crypto.Token{byte(i)}, Pointer: Pointer{Row: uint32(i), Offset: DataStart, Len: [3]uint32{0, 0, minSealed}}})
	}
	f.Add(e.B, uint32(3), uint64(DataStart+100))
	f.Add(make([]byte, entrySize+1), uint32(1), uint64(1<<62))
	f.Add([]byte{}, uint32(0), uint64(0))
	f.Fuzz(func(t *testing.T, b []byte, rows uint32, end uint64) {
		entries, err := decodeBlock(b, bounds{rows, end}, nil)
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

func FuzzTop(f *testing.F) {
	f.Add(encodeTop([]fence{{first: crypto.Token{1}}, {first: crypto.Token{1}}, {first: crypto.Token{2}}}), 3)
	f.Add(encodeTop([]fence{{crypto.Token{1}, 5}, {crypto.Token{2}, 0}}), 2)
	f.Add([]byte{}, 0)
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

func FuzzFilter(f *testing.F) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{0, 1, 2, 5, 300} {
		keys := make([]uint64, n)
		for i := range keys {
			keys[i] = rng.Uint64()
		}
		fuse, err := buildFilter(keys)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(fuse.encode(), uint64(n))
	}
	f.Fuzz(func(t *testing.T, b []byte, key uint64) {
		fuse, err := decodeFilter(b)
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

func FuzzRowFrame(f *testing.F) {
	f.Add(appendFrame(nil, []byte("short"), Contents), uint8(Contents))
	f.Add(appendFrame(nil, make([]byte, 5000), Contents), uint8(Contents))
	f.Add(appendFrame(nil, appendVector(nil, []float32{1, 2, 3}), Vector), uint8(Vector))
	f.Add(appendFrame(nil, appendHead(nil, "id", []byte("{}")), Head), uint8(Head))
	f.Add(appendFrame(nil, appendHead(nil, "id", nil), Head), uint8(Head))
	bomb := appendFrame(nil, make([]byte, 1<<20), Contents)
	f.Add(append(bomb, bomb[frameOverhead:]...), uint8(Contents))
	f.Add([]byte{codecZstd, 0xff, 0xff, 0xff, 0xff, 0x28, 0xb5, 0x2f, 0xfd}, uint8(Contents))
	f.Fuzz(func(t *testing.T, b []byte, field uint8) {
		k := Field(field % NumFields)
		fr, err := parseFrame(k, b)
		if err != nil {
			return
		}
		if fr.rawLen > maxRaw(k) {
			t.Fatalf("%d bytes were announced and taken", fr.rawLen)
		}
		raw, err := fr.expand(nil)
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
