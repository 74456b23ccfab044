package archive

import (
	"bytes"
	"encoding/binary"
	"testing"

	"oubliette/crypto"
	"oubliette/internal/corpus"
)

// FuzzRead: no stream makes the reader panic, hand over more than there was, or call
// one whole that the writer would not write so. A checksum is not come by through
// mutation, so what comes is read a second time with every one set right.
func FuzzRead(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		readAgain(t, b)
		readAgain(t, setRight(b))
	})
}

func readAgain(t *testing.T, b []byte) {
	var out bytes.Buffer
	s := &again{w: NewWriter(&out)}
	r := bytes.NewReader(b)
	var err error
	// The reader takes one frame at a time, of at most so many bytes.
	if corpus.Bound(t, len(b)+maxPayload, 8, func() { err = Read(r, s) }); err != nil {
		return
	}
	if err := s.w.Close(); err != nil {
		t.Fatal(err)
	}
	if read := b[:len(b)-r.Len()]; !bytes.Equal(read, out.Bytes()) {
		t.Fatalf("read %x, which is written %x", read, out.Bytes())
	}
}

// again writes what it is told.
type again struct{ w *Writer }

func (a *again) Piece(s Segment, off uint64, b []byte) error { return a.w.Piece(s, off, b) }
func (a *again) File(s Segment, length uint64) error         { return a.w.File(s, length) }
func (a *again) Record(key, value []byte) error              { return a.w.Record(key, value) }

// setRight is a stream with fitting checksums, as far as its frames go; a last frame
// says what came before it.
func setRight(b []byte) []byte {
	b = bytes.Clone(b)
	if len(b) < headSize {
		return b
	}
	binary.LittleEndian.PutUint32(b[headSize-sumSize:], checksum(b[:headSize-sumSize]))
	frames := uint64(0)
	for at := headSize; len(b)-at >= frameHead; frames++ {
		head := b[at:][:frameHead]
		n := int(binary.LittleEndian.Uint32(head[1:]))
		binary.LittleEndian.PutUint32(head[frameHead-sumSize:], checksum(head[:frameHead-sumSize]))
		if n > len(b)-at-frameHead-sumSize {
			break
		}
		payload := b[at+frameHead:][:n]
		if head[0] == kindEnd && n == 8+8+32 {
			sum := crypto.Sum(b[:at])
			copy(payload[16:], sum[:])
			binary.LittleEndian.PutUint64(payload, frames)
			binary.LittleEndian.PutUint64(payload[8:], uint64(at))
		}
		at += frameHead + n + sumSize
		binary.LittleEndian.PutUint32(b[at-sumSize:], checksum(payload))
	}
	return b
}

// TestSeeds holds the corpus in testdata against the format of today.
func TestSeeds(t *testing.T) {
	corpus.Hold(t, "FuzzRead", readSeeds(t), func(s corpus.Seed) error {
		return Read(bytes.NewReader(s.Bytes(0)), new(told))
	})
}

func readSeeds(t testing.TB) []corpus.Seed {
	b, _ := example(t)
	long, _ := write(t, func(w *Writer, _ *told) {
		if err := w.Record([]byte("key"), bytes.Repeat([]byte("value"), 50)); err != nil {
			t.Fatal(err)
		}
	})
	empty, _ := write(t, func(*Writer, *told) {})
	changed, newer := bytes.Clone(b), bytes.Clone(b)
	changed[len(b)/2] ^= 1
	newer[len(magic)]++
	out := []corpus.Seed{
		corpus.Valid("every-kind", b), corpus.Valid("record", long), corpus.Valid("empty-store", empty),
		corpus.Valid("more-behind", append(bytes.Clone(b), 1, 2, 3)), corpus.Hostile("magic", []byte(magic)), corpus.Hostile("empty", []byte{}),
		corpus.Hostile("cut", b[:len(b)-1]), corpus.Hostile("changed", changed), corpus.Hostile("newer", newer),
		corpus.Hostile("length-bomb", made(kindPiece, nil, maxPayload+1)), corpus.Hostile("long-piece", made(kindPiece, nil, maxPayload)),
	}
	for i, name := range []string{"", "piece", "other-piece", "piece-again", "file", "other-file", "record-alone", "end-alone"} {
		if p := frames(b)[i]; i > 0 {
			out = append(out, corpus.Hostile(name, append(bytes.Clone(b[:headSize]), p...)))
		}
	}
	return out
}
