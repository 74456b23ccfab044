package codec

import (
	"bytes"
	"encoding/binary"
	"testing"

	"oubliette/internal/corpus"
)

// FuzzDecoder runs a program of reads over an input: the first half of the
// bytes says what is read, the second is what is read from. No program reads
// past the input, goes backwards, or reads behind an error.
func FuzzDecoder(f *testing.F) {
	f.Fuzz(func(t *testing.T, program, in []byte) {
		d := NewDecoder(in)
		for _, op := range program {
			before, failed := d.Offset(), d.Err()
			var got []byte
			elem := int(op/9) + 1
			switch op % 9 {
			case 0:
				d.U8()
			case 1:
				d.U16()
			case 2:
				d.U32()
			case 3:
				d.U64()
			case 4:
				got = d.Raw(elem)
			case 5:
				if got = d.Blob(elem); len(got) > elem {
					t.Fatalf("a blob of %d bytes, at most %d allowed", len(got), elem)
				}
			case 6:
				if n := d.Count(elem); n*elem > d.Remaining() {
					t.Fatalf("%d elements of %d bytes in %d", n, elem, d.Remaining())
				}
			case 7:
				d.Copy(make([]byte, elem))
			case 8:
				if v := d.Uvarint(); d.Err() == nil && !bytes.Equal(binary.AppendUvarint(nil, v), in[before:d.Offset()]) {
					t.Fatalf("%d is read from %x", v, in[before:d.Offset()])
				}
			}
			if d.Offset() < before || d.Offset() > len(in) || d.Offset()+d.Remaining() != len(in) {
				t.Fatalf("from %d to %d of %d", before, d.Offset(), len(in))
			}
			if failed != nil && (d.Offset() != before || d.Err() != failed || got != nil) {
				t.Fatalf("read on behind %v", failed)
			}
			if got != nil && !bytes.Equal(got, in[d.Offset()-len(got):d.Offset()]) {
				t.Fatal("bytes of another place")
			}
		}
		if d.Done() == nil && d.Offset() != len(in) {
			t.Fatal("done before the end")
		}
	})
}

// TestSeeds holds the corpus in testdata against the reads of today: what is valid is
// read to its end.
func TestSeeds(t *testing.T) {
	corpus.Hold(t, "FuzzDecoder", decoderSeeds(), func(s corpus.Seed) error {
		d := NewDecoder(s.Bytes(1))
		for _, op := range s.Bytes(0) {
			switch op {
			case 0:
				d.U8()
			case 1:
				d.U16()
			case 2:
				d.U32()
			case 3:
				d.U64()
			case 4:
				d.Raw(1)
			case 5:
				d.Blob(1)
			case 6:
				d.Count(1)
			case 7:
				d.Copy(make([]byte, 1))
			case 8:
				d.Uvarint()
			}
		}
		return d.Done()
	})
}

func decoderSeeds() []corpus.Seed {
	ones := []byte{0xFF, 0xFF, 0xFF, 0xFF}
	var each Encoder
	each.U8(1)
	each.U16(2)
	each.U32(3)
	each.U64(4)
	each.Raw([]byte{5})
	each.Blob([]byte{6})
	each.U32(1) // a count, of one element behind it
	each.Raw([]byte{7, 0x80, 1})
	program := []byte{0, 1, 2, 3, 4, 5, 6, 7, 8}
	return []corpus.Seed{
		corpus.Valid("each", program, each.B), corpus.Valid("nothing", []byte{}, []byte{}), corpus.Hostile("more", []byte{}, ones),
		corpus.Hostile("cut", program, each.B[:len(each.B)-1]), corpus.Hostile("blob-bomb", []byte{5}, ones),
		corpus.Hostile("count-bomb", []byte{6}, append(bytes.Clone(ones), 1)), corpus.Hostile("long-uvarint", []byte{8}, []byte{0x80, 0}),
		corpus.Hostile("uvarint-overflow", []byte{8}, append(bytes.Repeat(ones, 2), 0xFF, 2)),
	}
}
