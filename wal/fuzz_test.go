package wal

import (
	"bytes"
	"crypto/sha256"
	"testing"

	"oubliette/internal/codec"
	"oubliette/internal/corpus"
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
	f.Fuzz(func(t *testing.T, b []byte) {
		var g *sealedGroup
		var err error
		corpus.Bound(t, len(b), 4, func() { g, err = decodeGroup(b, inLog) })
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

// encodeStubbed is what a decoded group was decoded from.
func encodeStubbed(g *sealedGroup) []byte {
	var e codec.Encoder
	g.header.append(&e)
	for i := range g.records {
		r := &g.records[i]
		e.U8(uint8(r.Kind))
		e.Raw(r.User[:])
		e.U64(r.Seq)
		if r.Kind.deletes() {
			e.Blob(r.Payload)
		} else {
			e.Raw(r.Payload)
		}
	}
	return append(e.B, encodeSealed(&sealedGroup{signatures: g.signatures})[headerSize:]...)
}

// FuzzDecodeStubbed: whatever decodes has one encoding, deletes something, and
// leads behind itself.
func FuzzDecodeStubbed(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		var s *Stubbed
		var err error
		corpus.Bound(t, len(b), 4, func() { s, err = DecodeStubbed(b) })
		if err != nil {
			return
		}
		if again := encodeStubbed(s.g); !bytes.Equal(again, b) {
			t.Fatalf("encodes to\n%x from\n%x", again, b)
		}
		at := s.Position()
		if at.LastDelete != (Mark{at.Group, at.Head}) || at.Seq < s.FirstSeq() || s.LastDelete().Group >= at.Group {
			t.Fatalf("a group at %+v", at)
		}
	})
}

// FuzzDecodePosition: a position that is taken has one encoding.
func FuzzDecodePosition(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		d := codec.NewDecoder(b)
		p := DecodePosition(d)
		if d.Err() != nil {
			return
		}
		var e codec.Encoder
		if p.Append(&e); !bytes.Equal(e.B, b[:d.Offset()]) {
			t.Fatalf("encodes to\n%x from\n%x", e.B, b[:d.Offset()])
		}
	})
}
