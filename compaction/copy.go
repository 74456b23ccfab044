package compaction

import (
	"bytes"
	"cmp"
	"context"
	"slices"

	"oubliette/segment"
)

// Input is a segment whose live rows move. Entries are its live rows, in any
// order.
type Input struct {
	File    *segment.File
	Entries []segment.Entry
}

// Copied is a row in its new place, and where it came from.
type Copied struct {
	segment.Entry
	Input int    // its place among the inputs
	Row   uint32 // there
}

// copyChunk is how many bytes of rows are sealed and written at a time.
const copyChunk = 4 << 20

// Copier seals the inputs' rows again into a new segment, under its key, in as
// many steps as its owner likes. Rows keep their sequence numbers. They are read
// in file order, so that the disk is read forwards.
type Copier struct {
	w      *segment.Writer
	inputs []Input
	at     int             // the input that is being copied
	left   []segment.Entry // of it
	out    []Copied
}

// NewCopier begins. The inputs' files stay open until the last step.
func NewCopier(inputs []Input, w *segment.Writer) *Copier {
	c := &Copier{w: w, inputs: inputs, at: -1}
	c.advance()
	return c
}

// advance goes on to the next input that has rows.
func (c *Copier) advance() {
	for len(c.left) == 0 && c.at+1 < len(c.inputs) {
		c.at++
		c.left = slices.SortedFunc(slices.Values(c.inputs[c.at].Entries), func(a, b segment.Entry) int {
			return cmp.Compare(a.Offset, b.Offset)
		})
	}
}

// Step copies chunks until budget bytes or more are written, and tells whether
// that was the last of it. Between two steps rows may die and be erased: died
// tells which, and they are left out. It stops with ctx's error between chunks.
// After an error, or to give up, the writer's file is abandoned.
func (c *Copier) Step(ctx context.Context, budget int, died func(input int, row uint32) bool) (done bool, err error) {
	for budget > 0 && len(c.left) > 0 {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		n, err := c.chunk(died)
		if err != nil {
			return false, err
		}
		budget -= n
		c.advance()
	}
	return len(c.left) == 0, nil
}

// chunk copies up to copyChunk bytes of one input.
func (c *Copier) chunk(died func(input int, row uint32) bool) (size int, err error) {
	var rows []segment.Row
	var from []segment.Entry
	for len(c.left) > 0 && size < copyChunk {
		e := c.left[0]
		c.left = c.left[1:]
		if died(c.at, e.Row) {
			continue
		}
		row, err := c.inputs[c.at].File.ReadRow(e.Pointer)
		if err != nil {
			return size, err
		}
		size += row.SealedSize()
		rows, from = append(rows, row), append(from, e)
	}
	if len(rows) == 0 {
		return size, nil
	}
	pointers, err := c.w.Append(rows)
	for i, p := range pointers {
		p.Expires = from[i].Expires
		c.out = append(c.out, Copied{
			Entry: segment.Entry{Token: from[i].Token, Seq: from[i].Seq, Pointer: p},
			Input: c.at, Row: from[i].Row,
		})
	}
	return size, err
}

// Bury takes the rows that have died since they were copied out of the copy and
// answers them: their bytes stand in the new segment.
func (c *Copier) Bury(died func(input int, row uint32) bool) (dead []Death) {
	c.out = slices.DeleteFunc(c.out, func(r Copied) bool {
		gone := died(r.Input, r.Row)
		if gone {
			dead = append(dead, Death{Row: r.Pointer.Row, Extent: r.Extent()})
		}
		return gone
	})
	return dead
}

// Copied answers the rows in their new places, sorted as an index is.
func (c *Copier) Copied() []segment.Entry {
	out := make([]segment.Entry, len(c.out))
	for i := range c.out {
		out[i] = c.out[i].Entry
	}
	SortEntries(out)
	return out
}

// SortEntries sorts by token, then by sequence number: the order of an index.
func SortEntries(entries []segment.Entry) {
	slices.SortFunc(entries, func(a, b segment.Entry) int {
		return cmp.Or(bytes.Compare(a.Token[:], b.Token[:]), cmp.Compare(a.Seq, b.Seq))
	})
}
