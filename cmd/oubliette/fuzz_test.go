package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"oubliette/engine"
	"oubliette/internal/corpus"
)

// FuzzParseID: an id that a line gives comes back from the line that it is printed
// on, and an argument in quotes is the id that the same line gives.
func FuzzParseID(f *testing.F) {
	f.Fuzz(func(t *testing.T, s string) {
		if id, err := parseIDArgument(s); err == nil && id != s {
			if quoted, err := parseID(s); err != nil || quoted != id {
				t.Fatalf("%q is %q as an argument, %q on a line: %v", s, id, quoted, err)
			}
		}
		id, err := parseID(s)
		if err != nil {
			return
		}
		if again, err := parseID(formatID(id)); err != nil || again != id {
			t.Fatalf("%q is %q, comes back as %q: %v", s, id, again, err)
		}
	})
}

// FuzzReadIDs: a list of ids that is taken is printed so that it reads the same, and
// an error names a line that there is.
func FuzzReadIDs(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		var ids []string
		var err error
		corpus.Bound(t, len(b), 64, func() { ids, err = readIDs(bytes.NewReader(b)) })
		if err != nil {
			wantLine(t, b, err)
			return
		}
		var again strings.Builder
		for _, id := range ids {
			again.WriteString(formatID(id) + "\n")
		}
		if got, err := readIDs(strings.NewReader(again.String())); err != nil || strings.Join(got, "\x00") != strings.Join(ids, "\x00") {
			t.Fatalf("%q are %q, come back as %q: %v", b, ids, got, err)
		}
	})
}

// wantLine holds that an error is of the input and names one of its lines.
func wantLine(t *testing.T, b []byte, err error) {
	t.Helper()
	var at *lineError
	if errors.As(err, &at) && (at.line < 1 || at.line > bytes.Count(b, []byte("\n"))+1) || !errors.Is(err, errInput) {
		t.Fatalf("%q: %v", b, err)
	}
}

// FuzzParseItem: an item that a line gives, which is JSON, comes back from the line
// that it is printed on.
func FuzzParseItem(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		it, err := parseItem(b)
		if err != nil {
			return
		}
		if !json.Valid(b) {
			t.Fatalf("%q is no JSON, and taken", b)
		}
		var out bytes.Buffer
		if err := writeJSON(&out, lineOf(it)); err != nil {
			t.Fatalf("%q does not print: %v", b, err)
		}
		again, err := parseItem(out.Bytes())
		if err != nil || again.ID != it.ID || !bytes.Equal(again.Contents, it.Contents) || (again.Contents == nil) != (it.Contents == nil) ||
			!bytes.Equal(vectorBytes(again.Vector), vectorBytes(it.Vector)) || !sameJSON(t, again.Metadata, it.Metadata) {
			t.Fatalf("%q comes back as %q: %v", b, out.Bytes(), err)
		}
	})
}

// sameJSON compares without regard to white space.
func sameJSON(t *testing.T, a, b []byte) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	var x, y bytes.Buffer
	if err := errors.Join(json.Compact(&x, a), json.Compact(&y, b)); err != nil {
		t.Fatal(err)
	}
	return bytes.Equal(x.Bytes(), y.Bytes())
}

// FuzzReadNotes: notes that are taken to their end are lines of JSON, and their last
// line says what came before it. Nothing is taken behind an error.
func FuzzReadNotes(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		var parts []*notePart
		var err error
		corpus.Bound(t, len(b), 64, func() { parts, err = allNotes(b) })
		if err != nil {
			wantLine(t, b, err)
			return
		}
		for line := range bytes.Lines(b) {
			if !json.Valid(line) {
				t.Fatalf("%q is no JSON, and taken", line)
			}
		}
		sum := newTally()
		for _, p := range parts {
			sum.add(p)
		}
		if end := sum.end(); len(parts) == 0 || !bytes.Contains(b, []byte(end.Sum)) {
			t.Fatalf("%d parts, whose sum is not told: %s", len(parts), end.Sum)
		}
	})
}

// allNotes reads notes to their end.
func allNotes(b []byte) (parts []*notePart, err error) {
	n, err := newNoteReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	for {
		p, err := n.next()
		if errors.Is(err, io.EOF) {
			return parts, nil
		}
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
}

// FuzzParseUser: a user's id is 32 hexadecimal digits that are not all zeros, or root
// where root may stand. No error shows so much as a half of what it has read, but for
// one character of it and for words that it says of everything.
func FuzzParseUser(f *testing.F) {
	var words strings.Builder
	for _, s := range []string{"", "?", strings.Repeat("0", userDigits)} {
		_, err := parseUserID(s)
		_, perr := parsePrincipal(s)
		fmt.Fprintln(&words, err, perr)
	}
	f.Fuzz(func(t *testing.T, s string) {
		raw, bad := hex.DecodeString(s)
		good := bad == nil && len(raw) == len(engine.UserID{}) && engine.UserID(raw) != engine.UserID{}
		id, err := parseUserID(s)
		if good != (err == nil) || good && id != engine.UserID(raw) {
			t.Fatalf("%q is %s, %v", s, id, err)
		}
		principal, perr := parsePrincipal(s)
		if (perr == nil) != (good || s == rootName) || perr == nil && principal != id {
			t.Fatalf("%q is %s to a command of users, %s to others, %v", s, id, principal, perr)
		}
		for _, err := range []error{err, perr} {
			if half := s[:len(s)/2]; err != nil && utf8.RuneCountInString(half) > 4 && strings.Contains(err.Error(), half) && !strings.Contains(words.String(), half) {
				t.Fatalf("%q is shown: %v", s, err)
			}
		}
	})
}

// FuzzParseNames: lists of fields and permissions are those that there are, and an
// error is one of the usage.
func FuzzParseNames(f *testing.F) {
	f.Fuzz(func(t *testing.T, s string) {
		if perm, err := parsePermission(s); err == nil && formatPermission(perm) != s || err != nil && !errors.Is(err, errUsage) {
			t.Fatalf("%q is permission %d: %v", s, perm, err)
		}
		fields, err := parseFields(s)
		if err != nil && (!errors.Is(err, errUsage) || fields != 0) || fields&^engine.AllFields != 0 {
			t.Fatalf("%q are fields %d: %v", s, fields, err)
		}
		for name, field := range map[string]engine.Fields{"vector": engine.FieldVector, "contents": engine.FieldContents, "metadata": engine.FieldMetadata} {
			if err == nil && fields&field != 0 && !strings.Contains(s, name) {
				t.Fatalf("%q asks for %s", s, name)
			}
		}
	})
}

// FuzzReadKeyFile: a key file holds 64 hexadecimal digits and a line end, if anything
// more. No error shows them.
func FuzzReadKeyFile(f *testing.F) {
	c := newCLI(f)
	a := &app{environment: c.environment(strings.NewReader(""), io.Discard, io.Discard)}
	f.Fuzz(func(t *testing.T, b []byte) {
		c.TB = t
		key, err := a.readKeyFile(c.write("key", b))
		digits := strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
		want, bad := engine.ParseKey(digits)
		if (bad == nil) != (err == nil) || err == nil && !key.Equal(want) {
			t.Fatalf("%q: %v, as digits alone: %v", b, err, bad)
		}
		if err != nil && (!errors.Is(err, errKey) || len(b) > 8 && strings.Contains(err.Error(), string(b))) {
			t.Fatalf("%q: %v", b, err)
		}
	})
}
