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

// copyChunk is how many bytes of rows are sealed and written at a time.
const copyChunk = 4 << 20

// Copy seals the inputs' rows again into w, under its key, and answers their
// entries there, sorted by token. Rows keep their sequence numbers. It stops
// with ctx's error between chunks; what it has written then is abandoned with
// w's file. Rows are read in file order, so that the disk is read forwards.
func Copy(ctx context.Context, inputs []Input, w *segment.Writer) ([]segment.Entry, error) {
	var out []segment.Entry
	for _, in := range inputs {
		entries := slices.Clone(in.Entries)
		slices.SortFunc(entries, func(a, b segment.Entry) int { return cmp.Compare(a.Offset, b.Offset) })
		var err error
		if out, err = copyRows(ctx, in.File, entries, w, out); err != nil {
			return nil, err
		}
	}
	SortEntries(out)
	return out, nil
}

func copyRows(ctx context.Context, f *segment.File, entries []segment.Entry, w *segment.Writer, out []segment.Entry) ([]segment.Entry, error) {
	for len(entries) > 0 {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var rows []segment.Row
		size := 0
		for len(rows) < len(entries) && size < copyChunk {
			row, err := f.ReadRow(entries[len(rows)].Pointer)
			if err != nil {
				return nil, err
			}
			size += row.SealedSize()
			rows = append(rows, row)
		}
		pointers, err := w.Append(rows)
		if err != nil {
			return nil, err
		}
		for i, p := range pointers {
			out = append(out, segment.Entry{Token: entries[i].Token, Seq: entries[i].Seq, Pointer: p})
		}
		entries = entries[len(rows):]
	}
	return out, nil
}

// SortEntries sorts by token, then by sequence number: the order of an index.
func SortEntries(entries []segment.Entry) {
	slices.SortFunc(entries, func(a, b segment.Entry) int {
		return cmp.Or(bytes.Compare(a.Token[:], b.Token[:]), cmp.Compare(a.Seq, b.Seq))
	})
}
