package wal

import (
	"bytes"
	"crypto/sha256"
	"testing"

	"oubliette/crypto"
	"oubliette/internal/codec"
)

// encodeSealed is what a decoded group was decoded from.
func encodeSealed(g *sealedGroup) []byte {
	var e codec.Encoder
	g.header.append(&e)
	for i := range g.records {
		r := &g.records[i]
		e.U8(uint8(r.Kind))
		e.Raw(r.User[:])
		e.U64(r.Seq)
		e.Blob(r.Payload)
	}
	e.U32(uint32(len(g.signatures)))
	for i := range g.signatures {
		e.Raw(g.signatures[i].user[:])
		e.Raw(g.signatures[i].sig[:])
	}
	return e.B
}

// FuzzDecodeGroup: whatever decodes has one encoding, bounded figures, and the
// hash that a reader of the page would compute.
func FuzzDecodeGroup(f *testing.F) {
	w := &world{
		t: f, index: crypto.IndexID{1}, epoch: 3, mapKey: crypto.NewSecret(),
		alice: crypto.NewSigner(crypto.UserID{0xA1}, crypto.NewSecret()),
		bob:   crypto.NewSigner(crypto.UserID{0xB0}, crypto.NewSecret()),
	}
	fg := w.forger()
	one := bytes.Clone(fg.group(nil, by{w.alice, ""}))
	three := bytes.Clone(fg.group(nil, by{w.alice, "two"}, by{w.bob, "three"}, by{w.alice, "four"}))
	none := bytes.Clone(fg.group(func(h *header, _ []Record) { h.Epoch = 0 }, by{w.alice, "one"}))
	for _, b := range [][]byte{nil, one, three, none, one[:headerSize], three[:len(three)-1], append(bytes.Clone(one), 0), bytes.Repeat([]byte{0xFF}, headerSize+100)} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		g, err := decodeGroup(b, inLog)
		if err != nil {
			return
		}
		if again := encodeSealed(g); !bytes.Equal(again, b) {
			t.Fatalf("encodes to\n%x from\n%x", again, b)
		}
		if len(g.records) != int(g.Count) || len(g.signatures) == 0 || len(g.signatures) > len(g.records) {
			t.Fatalf("%d records counted as %d, with %d signatures", len(g.records), g.Count, len(g.signatures))
		}
		hashed := b[:headerSize:headerSize]
		at := headerSize
		for i := range g.records {
			sum := sha256.Sum256(g.records[i].Payload)
			hashed = append(append(hashed, b[at:at+recordHeader]...), sum[:]...)
			at += recordHeader + 4 + len(g.records[i].Payload)
		}
		if sha256.Sum256(hashed) != g.sum {
			t.Fatal("the hash is not that of header and records")
		}
	})
}
