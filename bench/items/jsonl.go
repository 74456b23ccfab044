package items

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"oubliette/bench/store"
	"oubliette/engine"
)

// maxLine bounds a line: contents and metadata at their limits, with escapes.
const maxLine = 192 << 20

// JSONLines reads items from a file, one JSON object a line, as "oubliette upsert"
// takes them:
//
//	{"id": "a", "vector": [0.1, 0.2], "contents": "text", "metadata": {"any": "JSON"}}
//
// Only the id is required; all vectors have one dimension, and no id comes twice.
// Blank lines are skipped. Forms for what is no text (contents_base64 and the like)
// and times of expiry, which not every store heeds, are refused. It answers the first
// max items.
func JSONLines(path string, max int) ([]store.Item, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := lines{of: &gathered{max: max}}
	s := bufio.NewScanner(f)
	s.Buffer(nil, maxLine)
	for s.Scan() {
		if err := r.take(s.Bytes()); err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", path, r.number, err)
		}
	}
	if err := s.Err(); err != nil {
		return nil, fmt.Errorf("%s, line %d: %w", path, r.number+1, err)
	}
	if r.of.count == 0 {
		return nil, fmt.Errorf("%s: no item in it", path)
	}
	return r.of.items, nil
}

// lines is a file of items on its way.
type lines struct {
	number int // of the line read last, from 1 on
	of     *gathered
}

func (l *lines) take(line []byte) error {
	l.number++
	if len(bytes.TrimSpace(line)) == 0 {
		return nil
	}
	it, err := parseLine(line)
	if err != nil {
		return err
	}
	return l.of.add(it)
}

// parseLine reads one item. An unknown field is an error.
func parseLine(line []byte) (it store.Item, err error) {
	var in struct {
		ID       string          `json:"id"`
		Vector   []*float32      `json:"vector"` // pointers tell a null from a 0
		Contents *string         `json:"contents"`
		Metadata json.RawMessage `json:"metadata"`
	}
	if !utf8.Valid(line) {
		return it, errors.New("not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = errors.New("it ends inside of its JSON")
		}
		return it, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return it, errors.New("more than one JSON value")
	}
	it.ID, it.Metadata = in.ID, in.Metadata
	for i, x := range in.Vector {
		if x == nil {
			return it, fmt.Errorf("element %d of the vector is null", i)
		}
		it.Vector = append(it.Vector, *x)
	}
	if in.Contents != nil {
		it.Contents = []byte(*in.Contents)
	}
	return it, checkLimits(&it)
}

// checkLimits holds an item against what a store takes.
func checkLimits(it *store.Item) error {
	switch {
	case it.ID == "":
		return errors.New("no id")
	case strings.ContainsRune(it.ID, 0):
		return errors.New("an id with a zero byte, which not every store takes")
	case len(it.ID) > engine.MaxID:
		return fmt.Errorf("an id of %d bytes, at most %d", len(it.ID), engine.MaxID)
	case len(it.Vector) > engine.MaxDimension:
		return fmt.Errorf("a vector of %d dimensions, at most %d", len(it.Vector), engine.MaxDimension)
	case len(it.Contents) > engine.MaxContents:
		return fmt.Errorf("contents of %d bytes, at most %d", len(it.Contents), engine.MaxContents)
	case len(it.Metadata) > engine.MaxMetadata:
		return fmt.Errorf("metadata of %d bytes, at most %d", len(it.Metadata), engine.MaxMetadata)
	}
	return nil
}
