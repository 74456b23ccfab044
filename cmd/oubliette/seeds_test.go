package main

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"oubliette/internal/corpus"
)

// TestSeeds holds the corpora in testdata against what is read today.
func TestSeeds(t *testing.T) {
	corpus.Hold(t, "FuzzParseID", idSeeds(), func(s corpus.Seed) error {
		_, err := parseID(s.Values[0].(string))
		return err
	})
	corpus.Hold(t, "FuzzReadIDs", idListSeeds(), func(s corpus.Seed) error {
		_, err := readIDs(bytes.NewReader(s.Bytes(0)))
		return err
	})
	corpus.Hold(t, "FuzzParseItem", itemSeeds(), func(s corpus.Seed) error {
		_, err := parseItem(s.Bytes(0))
		return err
	})
	corpus.Hold(t, "FuzzReadNotes", noteSeeds(t), func(s corpus.Seed) error {
		_, err := allNotes(s.Bytes(0))
		return err
	})
	corpus.Hold(t, "FuzzParseUser", userSeeds(), func(s corpus.Seed) error {
		_, err := parsePrincipal(s.Values[0].(string))
		return err
	})
	corpus.Hold(t, "FuzzParseNames", nameSeeds(), func(s corpus.Seed) error {
		_, perm := parsePermission(s.Values[0].(string))
		_, fields := parseFields(s.Values[0].(string))
		if perm == nil || fields == nil {
			return nil
		}
		return errors.Join(perm, fields)
	})
	c := newCLI(t)
	a := &app{environment: c.environment(strings.NewReader(""), io.Discard, io.Discard)}
	corpus.Hold(t, "FuzzReadKeyFile", keySeeds(), func(s corpus.Seed) error {
		_, err := a.readKeyFile(c.write("key", s.Bytes(0)))
		return err
	})
	corpus.Hold(t, "FuzzCommandLines", commandSeeds(), func(s corpus.Seed) error {
		lines, ok := commandLines(s.Values[0].(string))
		if code := runLines(t, lines, s.Bytes(1)); !ok || code != exitOK {
			return errors.New("the last line fails")
		}
		return nil
	})
}

func idSeeds() []corpus.Seed {
	return []corpus.Seed{
		corpus.Valid("plain", "a"), corpus.Valid("quoted", `"a"`), corpus.Valid("no-text", `"\xff"`), corpus.Valid("apostrophes", "'a'"),
		corpus.Hostile("quote", `"`), corpus.Hostile("empty", ""), corpus.Hostile("space", " a"), corpus.Hostile("tab", "\t"),
		corpus.Hostile("no-utf-8", "\xff"), corpus.Hostile("behind-quotes", `"a" b`), corpus.Hostile("nothing-quoted", `""`),
		corpus.Hostile("too-long", strings.Repeat("x", 4097)),
	}
}

func idListSeeds() []corpus.Seed {
	return []corpus.Seed{
		corpus.Valid("some", []byte("a\n\"b \"\nc\r\n'd'\nlast")), corpus.Valid("none", []byte{}), corpus.Valid("twice", []byte("a\na\n")),
		corpus.Hostile("blank", []byte("a\n\nb\n")), corpus.Hostile("tab", []byte("a\n\tb\n")), corpus.Hostile("return", []byte("a\rb\n")),
		corpus.Hostile("long", bytes.Repeat([]byte("x"), maxIDLine+3)),
	}
}

func itemSeeds() (out []corpus.Seed) {
	for i, l := range strings.Split(threeItems, "\n") {
		if l != "" {
			out = append(out, corpus.Valid("item-"+string(rune('a'+i)), []byte(l)))
		}
	}
	return append(out,
		corpus.Valid("replacement", []byte(`{"id": "\ufffd\\ufffd", "contents": "`+"\uFFFD"+`"}`)),
		corpus.Valid("base64", []byte(`{"id_base64": "/w==", "vector": [1e-50, -0], "contents_base64": ""}`)),
		corpus.Valid("expiring", []byte(`{"id": "a", "expires_at": "2030-01-31T12:00:00.0015+01:00", "metadata": null}`)),
		corpus.Valid("half-in-metadata", []byte(`{"id": "a", "metadata": [1, {"b": "\ud800"}]}`)),
		corpus.Valid("nan", []byte(`{"id": "a", "vector_base64": "AADAfw=="}`)),
		corpus.Hostile("half-in-id", []byte(`{"id": "\ud800"}`)), corpus.Hostile("twice", []byte(`{"id": "a", "id_base64": "YQ=="}`)),
		corpus.Hostile("unknown", []byte(`{"id": "a", "ID": "b"}`)), corpus.Hostile("two", []byte(`{"id": "a"}{}`)),
		corpus.Hostile("behind", []byte(`{"id": "a"}}`)), corpus.Hostile("null-element", []byte(`{"id": "a", "vector": [1, null]}`)),
		corpus.Hostile("overflow", []byte(`{"id": "a", "vector": [1e39]}`)), corpus.Hostile("odd-vector", []byte(`{"id": "a", "vector_base64": "AAA="}`)),
		corpus.Hostile("empty", []byte{}), corpus.Hostile("list", []byte(`[]`)), corpus.Hostile("no-utf-8", []byte("{\"id\": \"\xff\"}")),
		corpus.Hostile("long-ago", []byte(`{"id": "a", "expires_at": "0001-01-01T00:00:00Z"}`)),
	)
}

func noteSeeds(t testing.TB) []corpus.Seed {
	var b bytes.Buffer
	put := func(v any) {
		if err := writeJSON(&b, v); err != nil {
			t.Fatal(err)
		}
	}
	sum := newTally()
	put(notesHead{notesMagic, notesVersion, strings.Repeat("0f", 16)})
	head := bytes.Clone(b.Bytes())
	for _, p := range []notePart{{1, 1, bytes.Repeat([]byte{7}, 20)}, {1, 2, bytes.Repeat([]byte{8}, 30)}, {3, 1, bytes.Repeat([]byte{9}, 16)}} {
		sum.add(&p)
		put(p)
	}
	parts := bytes.Clone(b.Bytes())
	put(sum.end())
	whole := bytes.Clone(b.Bytes())
	end := whole[len(parts):]
	return []corpus.Seed{
		corpus.Valid("three-parts", whole), corpus.Hostile("no-end", parts), corpus.Hostile("of-nothing", append(bytes.Clone(head), end...)),
		corpus.Hostile("changed", bytes.Replace(whole, []byte(`"BwcH`), []byte(`"BwcI`), 1)), corpus.Hostile("empty", []byte{}),
		corpus.Hostile("behind", append(bytes.Clone(whole), '\n')), corpus.Hostile("twice", append(bytes.Clone(parts), whole[len(head):]...)),
		corpus.Hostile("bracket-behind", append(bytes.Clone(whole[:len(whole)-1]), '}', '\n')),
		corpus.Hostile("newer", bytes.Replace(whole, []byte(`"version":1`), []byte(`"version":2`), 1)),
		corpus.Hostile("unknown-field", bytes.Replace(whole, []byte(`"part":`), []byte(`"Parts":`), 1)), corpus.Hostile("cut", whole[:len(whole)-5]),
	}
}

func userSeeds() []corpus.Seed {
	id := "000102030405060708090a0b0c0d0e0f"
	return []corpus.Seed{
		corpus.Valid("id", id), corpus.Valid("upper", strings.ToUpper(id)), corpus.Valid("root", rootName), corpus.Hostile("empty", ""),
		corpus.Hostile("root-cut", "root\xa9\xd9y\xbaW"), corpus.Hostile("rune", "🪔x\xad\xaa\xaa\x99"),
		corpus.Hostile("zeros", strings.Repeat("0", 32)), corpus.Hostile("cut", id[1:]), corpus.Hostile("longer", id+"0"),
		corpus.Hostile("key", id+id), corpus.Hostile("no-digit", id[:31]+"é"), corpus.Hostile("space", " "+id),
	}
}

func nameSeeds() []corpus.Seed {
	return []corpus.Seed{
		corpus.Valid("all", "vector,contents,metadata"), corpus.Valid("spaced", " vector , "), corpus.Valid("none", ""), corpus.Valid("both", "both"),
		corpus.Valid("read", "read"), corpus.Valid("write", "write"), corpus.Hostile("unknown", "vectors"), corpus.Hostile("case", "Read"),
	}
}

func keySeeds() []corpus.Seed {
	digits := strings.Repeat("0123456789abcdef", 4)
	return []corpus.Seed{
		corpus.Valid("alone", []byte(digits)), corpus.Valid("line", []byte(digits+"\n")), corpus.Valid("line-ends", []byte(digits+"\r\n")),
		corpus.Hostile("empty", []byte{}), corpus.Hostile("cut", []byte(digits[1:]+"\n")), corpus.Hostile("lines", []byte(digits+"\n\n")),
		corpus.Hostile("longer", []byte(digits+"ab")), corpus.Hostile("huge", bytes.Repeat([]byte(digits), 20)),
		corpus.Hostile("zeros", bytes.Repeat([]byte{'0'}, 64)), corpus.Hostile("bytes", bytes.Repeat([]byte{7}, 32)),
	}
}
