package archive

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"oubliette/crypto"
	"oubliette/internal/codec"
	"oubliette/internal/fault"
)

// told is a sink that notes what it is told.
type told struct {
	lines []string
	err   error
}

func (s *told) note(format string, args ...any) error {
	s.lines = append(s.lines, fmt.Sprintf(format, args...))
	return s.err
}

func (s *told) Piece(x Segment, off uint64, b []byte) error {
	return s.note("piece %s %s %d %x", x.Index, x.ID, off, crypto.Sum(b))
}

func (s *told) File(x Segment, length uint64) error {
	return s.note("file %s %s %d", x.Index, x.ID, length)
}

func (s *told) Record(key, value []byte) error {
	return s.note("record %q %d %x", key, len(value), crypto.Sum(value))
}

func names() (a, b Segment) {
	for i := range a.Index {
		a.Index[i], a.ID[i] = 0x10+byte(i), 0x20+byte(i)
		b.Index[i], b.ID[i] = 0x10+byte(i), 0x30+byte(i)
	}
	return a, b
}

// write makes a backup with the writer and answers what a sink should be told.
func write(t testing.TB, calls func(w *Writer, want *told)) ([]byte, []string) {
	t.Helper()
	var out bytes.Buffer
	w, want := NewWriter(&out), new(told)
	calls(w, want)
	if err := w.Close(); err != nil || w.Bytes() != uint64(out.Len()) {
		t.Fatalf("%d bytes of %d: %v", w.Bytes(), out.Len(), err)
	}
	return out.Bytes(), want.lines
}

// example has frames of every kind.
func example(t testing.TB) ([]byte, []string) {
	a, b := names()
	return write(t, func(w *Writer, want *told) {
		piece := func(s Segment, off uint64, p []byte) {
			_ = want.Piece(s, off, p)
			if err := w.Piece(s, off, p); err != nil {
				t.Fatal(err)
			}
		}
		piece(a, 0, []byte("rows of a"))
		piece(b, 0, []byte("b"))
		piece(a, 5, []byte("of a, again"))
		for _, s := range []Segment{a, b} {
			_ = want.File(s, 16)
			if err := w.File(s, 16); err != nil {
				t.Fatal(err)
			}
		}
		for key, value := range map[string]string{"k": "value"} {
			_ = want.Record([]byte(key), []byte(value))
			if err := w.Record([]byte(key), []byte(value)); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	b, want := example(t)
	for _, r := range []io.Reader{bytes.NewReader(b), iotest.OneByteReader(bytes.NewReader(b)), iotest.DataErrReader(bytes.NewReader(b))} {
		var have told
		if err := Read(r, &have); err != nil {
			t.Fatal(err)
		}
		if strings.Join(have.lines, "\n") != strings.Join(want, "\n") {
			t.Errorf("read\n%s\nwritten\n%s", strings.Join(have.lines, "\n"), strings.Join(want, "\n"))
		}
	}
	rest := strings.NewReader("more")
	if err := Read(io.MultiReader(bytes.NewReader(b), rest), new(told)); err != nil || rest.Len() != 4 {
		t.Errorf("%v, %d bytes left of those behind the backup", err, rest.Len())
	}
}

func TestLongValuesAreReadWhole(t *testing.T) {
	for _, n := range []int{0, 1, MaxPiece - 1, MaxPiece, MaxPiece + 1, 2 * MaxPiece, 5*MaxPiece + 7} {
		value := bytes.Repeat([]byte{7, 8, 9}, n/3+1)[:n]
		b, want := write(t, func(w *Writer, want *told) {
			for _, key := range []string{"a", "b"} {
				_ = want.Record([]byte(key), value)
				if err := w.Record([]byte(key), value); err != nil {
					t.Fatal(err)
				}
			}
		})
		var have told
		if err := Read(bytes.NewReader(b), &have); err != nil || strings.Join(have.lines, "\n") != strings.Join(want, "\n") {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func TestACutStreamIsToldFromAnAlteredOne(t *testing.T) {
	b, _ := example(t)
	for n := range b {
		err := Read(bytes.NewReader(b[:n]), new(told))
		if !errors.Is(err, io.ErrUnexpectedEOF) || !errors.Is(err, fault.ErrCorrupt) || errors.Is(err, fault.ErrDamaged) || errors.Is(err, fault.ErrForeign) {
			t.Fatalf("cut at %d: %v", n, err)
		}
	}
	for at := range b {
		for _, flip := range []byte{1, 0x80, 0xFF} {
			c := bytes.Clone(b)
			c[at] ^= flip
			err := Read(bytes.NewReader(c), new(told))
			want := fault.ErrDamaged
			switch {
			case at < len(magic):
				want = fault.ErrForeign
			case at < len(magic)+2 && c[8]|c[9] != 0: // a flip that makes it 0 never was
				want = fault.ErrNewer
			}
			if !errors.Is(err, want) || !errors.Is(err, fault.ErrCorrupt) || errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatalf("byte %d ^ %#x: %v, want %v", at, flip, err, want)
			}
		}
	}
	for _, other := range []string{"hello, this is text", "hi", "OUBLIETT\x01\x00"} {
		if err := Read(strings.NewReader(other), new(told)); !errors.Is(err, fault.ErrForeign) {
			t.Errorf("%q: %v", other, err)
		}
	}
}

// frames parts a stream into its head and frames.
func frames(b []byte) (out [][]byte) {
	out = append(out, b[:headSize])
	for b = b[headSize:]; len(b) > 0; b = b[len(out[len(out)-1]):] {
		d := codec.NewDecoder(b[1:])
		out = append(out, b[:frameHead+int(d.U32())+sumSize])
	}
	return out
}

// TestFramesThatAreWholeAndOutOfPlaceAreRefused: each has its own checksum.
func TestFramesThatAreWholeAndOutOfPlaceAreRefused(t *testing.T) {
	b, _ := example(t)
	parts := frames(b)
	refused := func(what string, parts ...[]byte) {
		t.Helper()
		if err := Read(bytes.NewReader(bytes.Join(parts, nil)), new(told)); !errors.Is(err, fault.ErrDamaged) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for i := 1; i < len(parts)-1; i++ {
		refused(fmt.Sprint("without ", i), append(append([][]byte{}, parts[:i]...), parts[i+1:]...)...)
		refused(fmt.Sprint("twice ", i), append(append([][]byte{}, parts[:i+1]...), parts[i:]...)...)
		for k := i + 1; k < len(parts); k++ {
			swapped := append([][]byte{}, parts...)
			swapped[i], swapped[k] = swapped[k], swapped[i]
			refused(fmt.Sprintf("%d and %d swapped", i, k), swapped...)
		}
	}
}

// made is a stream of one frame with right checksums.
func made(kind uint8, payload []byte, claim int) []byte {
	var out bytes.Buffer
	w := NewWriter(&out)
	w.begin(kind, claim)
	w.buf.Raw(payload)
	_ = w.end()
	return out.Bytes()
}

func TestFramesAgainstTheBoundsAreRefused(t *testing.T) {
	record := func(key string, total uint32, value []byte) []byte {
		var e codec.Encoder
		e.Blob([]byte(key))
		e.U32(total)
		e.Raw(value)
		return e.B
	}
	for what, c := range map[string]struct {
		kind    uint8
		payload []byte
	}{
		"unknown kind":          {9, nil},
		"kind 0":                {0, nil},
		"short piece":           {kindPiece, make([]byte, idsSize+4)},
		"empty piece":           {kindPiece, make([]byte, idsSize+8)},
		"far piece":             {kindPiece, append(make([]byte, idsSize), 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1)},
		"long piece":            {kindPiece, make([]byte, idsSize+8+MaxPiece+1)},
		"file with more":        {kindFile, make([]byte, idsSize+9)},
		"no key":                {kindRecord, record("", 0, nil)},
		"long key":              {kindRecord, record(strings.Repeat("k", MaxKey+1), 0, nil)},
		"value longer than due": {kindRecord, record("k", 1, []byte("ab"))},
		"value shorter":         {kindRecord, record("k", 3, []byte("ab"))},
		"huge value":            {kindRecord, record("k", MaxValue+1, make([]byte, MaxPiece))},
		"rest of nothing":       {kindRest, []byte("x")},
		"end of nothing":        {kindEnd, make([]byte, 48)},
		"end cut short":         {kindEnd, make([]byte, 47)},
	} {
		if err := Read(bytes.NewReader(made(c.kind, c.payload, len(c.payload))), new(told)); !errors.Is(err, fault.ErrDamaged) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := Read(bytes.NewReader(made(kindPiece, nil, 1<<31)), new(told)); !errors.Is(err, fault.ErrDamaged) {
		t.Errorf("2 GiB announced: %v", err)
	}
	// A value is announced as long as may be, and does not come.
	if err := Read(bytes.NewReader(made(kindRecord, record("k", MaxValue, make([]byte, MaxPiece)), 4+1+4+MaxPiece)), new(told)); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a value that ends: %v", err)
	}
}

func TestErrorsOfBothSidesAreAnsweredAsTheyAre(t *testing.T) {
	b, _ := example(t)
	mine := errors.New("mine")
	if err := Read(bytes.NewReader(b), &told{err: mine}); err != mine {
		t.Errorf("sink: %v", err)
	}
	for n := range b {
		if err := Read(io.MultiReader(bytes.NewReader(b[:n]), iotest.ErrReader(mine)), new(told)); !errors.Is(err, mine) || errors.Is(err, fault.ErrCorrupt) {
			t.Fatalf("reader that fails at %d: %v", n, err)
		}
	}
	for n := range b {
		w := NewWriter(&failing{left: n, err: mine})
		a, _ := names()
		err := errors.Join(w.Piece(a, 0, b), w.File(a, 1), w.Record([]byte("k"), nil), w.Close())
		if !errors.Is(err, mine) {
			t.Fatalf("writer that fails at %d: %v", n, err)
		}
	}
	w := NewWriter(io.Discard)
	a, _ := names()
	for _, err := range []error{w.Piece(a, 0, nil), w.Piece(a, 0, make([]byte, MaxPiece+1)), w.Record(nil, nil), w.Record(make([]byte, MaxKey+1), nil)} {
		if err == nil {
			t.Error("beyond a bound, and written")
		}
	}
}

type failing struct {
	left int
	err  error
}

func (f *failing) Write(b []byte) (int, error) {
	if len(b) > f.left {
		return f.left, f.err
	}
	f.left -= len(b)
	return len(b), nil
}
