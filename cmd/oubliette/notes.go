package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"

	"oubliette/crypto"
)

// The lines of notes: a head, the parts of items, an end. residueHelp shows them.
const (
	notesMagic   = "oubliette residue"
	notesVersion = 1
	// maxNoteLine holds a sealed field at its limit in base64.
	maxNoteLine = 96 << 20
)

type notesHead struct {
	Notes   string `json:"notes"`
	Version int    `json:"version"`
	IndexID string `json:"index_id"`
}

// notePart is one sealed field of an item.
type notePart struct {
	Item   int    `json:"item"` // place of its id among those given, from 1 on
	Part   int    `json:"part"`
	Sealed []byte `json:"sealed"`
}

// notesEnd is the last line. Without it, or with other figures, notes were cut or
// changed.
type notesEnd struct {
	End   bool   `json:"end"`
	Items int    `json:"items"`
	Parts int    `json:"parts"`
	Bytes int64  `json:"bytes"`
	Sum   string `json:"sha256"` // of all sealed bytes, one part behind the other
}

// tally counts parts.
type tally struct {
	notesEnd
	hash hash.Hash
}

func newTally() *tally { return &tally{hash: sha256.New()} }

// add counts a part; those of an item begin with the first.
func (t *tally) add(p *notePart) {
	if p.Part == 1 {
		t.Items++
	}
	t.Parts++
	t.Bytes += int64(len(p.Sealed))
	t.hash.Write(p.Sealed)
}

// end is the last line of notes of what has been counted.
func (t *tally) end() notesEnd {
	e := t.notesEnd
	e.End, e.Sum = true, hex.EncodeToString(t.hash.Sum(nil))
	return e
}

// noteReader reads notes, a line at a time.
type noteReader struct {
	lines *lineReader
	index crypto.IndexID
	item  int // of the last part
	part  int
	sum   *tally
}

// newNoteReader reads the head.
func newNoteReader(r io.Reader) (*noteReader, error) {
	n := &noteReader{lines: newLineReader(r, maxNoteLine), sum: newTally()}
	line, err := n.lines.next()
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: no notes: the file is empty", errInput)
	}
	if err != nil {
		return nil, err
	}
	var h notesHead
	if err := strictJSON(line, &h); err != nil || h.Notes != notesMagic {
		return nil, n.bad("no notes of oubliette residue note")
	}
	if h.Version != notesVersion {
		return nil, n.bad("notes of version %d, this build reads version %d", h.Version, notesVersion)
	}
	id, err := hex.DecodeString(h.IndexID)
	if err != nil || len(id) != len(n.index) {
		return nil, n.bad("index_id is no id of an index")
	}
	n.index = crypto.IndexID(id)
	return n, nil
}

// next answers a part, io.EOF behind the last. Notes of nothing are an error: a
// search for nothing would find nothing.
func (n *noteReader) next() (*notePart, error) {
	line, err := n.lines.next()
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: the notes were cut: the last line is missing", errInput)
	}
	if err != nil {
		return nil, err
	}
	var end notesEnd
	if strictJSON(line, &end) == nil && end.End {
		return nil, n.end(end)
	}
	p := new(notePart)
	if err := strictJSON(line, p); err != nil {
		return nil, n.bad("neither a part nor the end of notes: %v", err)
	}
	switch {
	case len(p.Sealed) < pieceSize:
		return nil, n.bad("a part of %s, less than %d: nothing that is sealed is as short", count(len(p.Sealed), "byte"), pieceSize)
	case p.Item < 1 || p.Item < n.item || p.Item == n.item && p.Part != n.part+1 || p.Item != n.item && p.Part != 1:
		return nil, n.bad("part %d of item %d does not follow part %d of item %d", p.Part, p.Item, n.part, n.item)
	}
	n.sum.add(p)
	n.item, n.part = p.Item, p.Part
	return p, nil
}

// end holds the last line against what came before it.
func (n *noteReader) end(end notesEnd) error {
	is := n.sum.end()
	switch {
	case end.Items != is.Items || end.Parts != is.Parts || end.Bytes != is.Bytes:
		return n.bad("the notes were cut: they hold %s in %s, and say %s in %s",
			count(is.Bytes, "byte"), count(is.Parts, "part"), number(end.Bytes), number(end.Parts))
	case end != is:
		return n.bad("the notes were changed: their SHA-256 is %s, and they say %q", is.Sum, end.Sum)
	}
	if _, err := n.lines.next(); !errors.Is(err, io.EOF) {
		return n.bad("something stands behind the end of the notes")
	}
	if n.sum.Parts == 0 {
		return fmt.Errorf("%w: the notes are of nothing: a search for nothing proves nothing", errInput)
	}
	return io.EOF
}

func (n *noteReader) bad(format string, args ...any) error {
	return &lineError{n.lines.number, fmt.Errorf("%w: %w", errInput, fmt.Errorf(format, args...))}
}

// strictJSON reads one value of known fields.
func strictJSON(line []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) { // More says no to a bracket that closes nothing
		return errors.New("something behind the JSON value")
	}
	return nil
}
