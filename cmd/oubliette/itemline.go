package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"oubliette/engine"
)

// maxItemLine bounds a line that holds an item: contents in base64 and metadata
// at their limits, and room for the rest.
const maxItemLine = 192 << 20

// itemLine is an item as a line of JSON. Where JSON has no form for a value —
// bytes that are not UTF-8, a vector with NaN or infinities (as little-endian
// float32) — it stands in base64.
type itemLine struct {
	ID             string          `json:"id,omitempty"`
	IDBase64       []byte          `json:"id_base64,omitempty"`
	Vector         []float32       `json:"vector,omitempty"`
	VectorBase64   []byte          `json:"vector_base64,omitempty"`
	Contents       *string         `json:"contents,omitempty"`
	ContentsBase64 []byte          `json:"contents_base64,omitempty"`
	Metadata       json.RawMessage `json:"metadata,omitempty"`
	ExpiresAt      time.Time       `json:"expires_at,omitzero"` // RFC 3339
}

// lineOf is the line of an item.
func lineOf(it engine.Item) itemLine {
	l := itemLine{Metadata: it.Metadata, ExpiresAt: it.ExpiresAt}
	if utf8.ValidString(it.ID) {
		l.ID = it.ID
	} else {
		l.IDBase64 = []byte(it.ID)
	}
	if finite(it.Vector) {
		l.Vector = it.Vector
	} else {
		l.VectorBase64 = vectorBytes(it.Vector)
	}
	if it.Contents != nil && utf8.Valid(it.Contents) {
		s := string(it.Contents)
		l.Contents = &s
	} else {
		l.ContentsBase64 = it.Contents
	}
	return l
}

func finite(v []float32) bool {
	for _, x := range v {
		if f := float64(x); math.IsNaN(f) || math.IsInf(f, 0) {
			return false
		}
	}
	return true
}

// vectorBytes is a vector as little-endian float32.
func vectorBytes(v []float32) []byte {
	b := make([]byte, 0, 4*len(v))
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}

func vectorOf(b []byte) ([]float32, error) {
	if len(b)%4 != 0 {
		return nil, fmt.Errorf("%d bytes are no whole number of float32", len(b))
	}
	v := make([]float32, len(b)/4)
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return v, nil
}

// parseItem reads a line. It takes no field that it does not know, none twice,
// and no item beyond the store's limits, so that who reports an error can name
// the line.
func parseItem(b []byte) (engine.Item, error) {
	if !utf8.Valid(b) {
		return engine.Item{}, errors.New("not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(b))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return engine.Item{}, errors.New("not a JSON object")
	}
	var it engine.Item
	seen := make(map[string]bool)
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return engine.Item{}, notJSON(err)
		}
		name, _ := t.(string) // a key is a string, or Token has failed
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return engine.Item{}, notJSON(err)
		}
		part, _ := strings.CutSuffix(name, "_base64")
		if seen[part] {
			return engine.Item{}, fmt.Errorf("field %q: given twice", part)
		}
		seen[part] = true
		if err := setField(&it, name, raw); err != nil {
			return engine.Item{}, fmt.Errorf("field %q: %w", name, err)
		}
	}
	if _, err := d.Token(); err != nil {
		return engine.Item{}, notJSON(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return engine.Item{}, errors.New("more than one JSON value")
	}
	return it, checkItem(&it)
}

func notJSON(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("not JSON: the line ends inside of it")
	}
	return fmt.Errorf("not JSON: %w", err)
}

// setField takes one field. Null is an absent one, but for metadata: there it
// is a JSON value like any other.
func setField(it *engine.Item, name string, raw json.RawMessage) error {
	null := string(raw) == "null"
	switch name {
	case "metadata":
		it.Metadata = raw
		return nil
	case "id", "id_base64", "vector", "vector_base64", "contents", "contents_base64", "expires_at":
		if null {
			return nil
		}
	default:
		return errors.New("unknown")
	}
	switch name {
	case "id":
		s, err := text(raw)
		it.ID = s
		return err
	case "contents":
		s, err := text(raw)
		it.Contents = []byte(s)
		return err
	case "vector":
		return parseVector(raw, &it.Vector)
	case "expires_at":
		return parseExpiry(raw, &it.ExpiresAt)
	}
	b, err := base64Bytes(raw)
	if err != nil {
		return err
	}
	switch name {
	case "id_base64":
		it.ID = string(b)
	case "contents_base64":
		it.Contents = b
	case "vector_base64":
		it.Vector, err = vectorOf(b)
	}
	return err
}

// text reads a JSON string. One that holds half of a surrogate pair has no
// UTF-8 form, and Go would put U+FFFD in its place: it is refused.
func text(raw json.RawMessage) (string, error) {
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return "", errors.New("not a JSON string")
	}
	if halfSurrogate(raw) {
		return "", errors.New("half of a surrogate pair, which has no UTF-8 form")
	}
	return s, nil
}

// parseVector reads numbers; one that float32 cannot hold is an error. A null
// among them would otherwise pass as 0.
func parseVector(raw json.RawMessage, v *[]float32) error {
	if err := json.Unmarshal(raw, v); err != nil {
		return errors.New("not a JSON array of numbers that float32 can hold")
	}
	if bytes.Contains(raw, []byte("null")) {
		return errors.New("an element is null")
	}
	return nil
}

// parseExpiry reads a time that the store takes. The zero time, which would stand for
// none, is not among them.
func parseExpiry(raw json.RawMessage, at *time.Time) error {
	if err := json.Unmarshal(raw, at); err != nil {
		return errors.New(`not a time as RFC 3339 has it, like "2030-01-31T12:00:00Z"`)
	}
	if ms := at.UnixMilli(); ms < 1 || ms > engine.MaxExpiry {
		return errors.New("not between the years 1970 and 9999")
	}
	return nil
}

func base64Bytes(raw json.RawMessage) ([]byte, error) {
	s, err := text(raw)
	if err != nil {
		return nil, err
	}
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil {
		return nil, errors.New("not standard base64")
	}
	return b, nil
}

// checkItem holds an item against the store's limits.
func checkItem(it *engine.Item) error {
	if err := checkID(it.ID); err != nil {
		return err
	}
	switch {
	case it.Vector != nil && len(it.Vector) == 0:
		return errors.New("a vector of 0 dimensions (leave it out for none)")
	case len(it.Vector) > engine.MaxDimension:
		return fmt.Errorf("vector of %d dimensions, at most %d", len(it.Vector), engine.MaxDimension)
	case len(it.Contents) > engine.MaxContents:
		return fmt.Errorf("contents of %d bytes, at most %d", len(it.Contents), engine.MaxContents)
	case len(it.Metadata) > engine.MaxMetadata:
		return fmt.Errorf("metadata of %d bytes, at most %d", len(it.Metadata), engine.MaxMetadata)
	}
	return nil
}
