package main

import (
	"errors"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"oubliette/engine"
)

func TestLinesAreCountedAndBounded(t *testing.T) {
	long := strings.Repeat("x", 100_000)
	l := newLineReader(iotest.HalfReader(strings.NewReader("a\n\r\n"+long+"\r\nlast")), 100_000)
	for n, want := range []string{"a", "", long, "last"} {
		got, err := l.next()
		if err != nil || string(got) != want || l.number != n+1 {
			t.Fatalf("line %d (%d): %.20q, %v", n+1, l.number, got, err)
		}
	}
	if _, err := l.next(); err != io.EOF {
		t.Fatalf("behind the last line: %v", err)
	}
	l = newLineReader(strings.NewReader("a\n"+long+long), 100_000)
	l.next()
	if _, err := l.next(); !errors.Is(err, errInput) || !strings.Contains(err.Error(), "line 2") {
		t.Fatalf("a line that is too long: %v", err)
	}
	l = newLineReader(io.MultiReader(strings.NewReader("a\nb"), iotest.ErrReader(io.ErrClosedPipe)), 10)
	l.next()
	if _, err := l.next(); !errors.Is(err, io.ErrClosedPipe) {
		t.Fatalf("a read that fails: %v", err)
	}
}

func TestAnyIDFitsOnALine(t *testing.T) {
	for _, id := range []string{"plain", "with space", " lead", "tail ", "tab\t", "a\nb", "\r", `"quoted"`, `back\slash`, "ü 漢字", "\xff\x00", "\u00a0", "\u202e", "-", strings.Repeat("\xff", engine.MaxID)} {
		l := formatID(id)
		if strings.ContainsAny(l, "\n\r") || len(l) > maxIDLine {
			t.Errorf("%q stands as %q", id, l)
		}
		if got, err := parseID(l); err != nil || got != id {
			t.Errorf("%q stands as %q, read as %q: %v", id, l, got, err)
		}
	}
}

func TestNumbersReadWell(t *testing.T) {
	got := []string{
		number(0), number(999), number(1000), number(-1234567), count(1, "batch"), count(2, "batch"), count(0, "index"), count(1000, "id"),
		size(999), size(1000), size(999_950_000), size(int64(math.MaxInt64)), took(1500 * time.Millisecond), took(1500 * time.Microsecond), took(15 * time.Microsecond),
	}
	want := []string{
		"0", "999", "1,000", "-1,234,567", "1 batch", "2 batches", "0 indexes", "1,000 ids",
		"999 B", "1.0 kB", "1.0 GB", "9223372.0 TB", "1.50 s", "1.5 ms", "15 µs",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if rate(5, 0) != 0 || rate(5, time.Second) != 5 {
		t.Error("rate")
	}
}
