package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"oubliette/engine"
)

// upserter is one upsert command: it gathers lines and commits them.
type upserter struct {
	ctx   context.Context
	ix    *engine.Index
	batch int
	bar   *progress

	items     []engine.Item
	lines     []int // where the items stand
	bytes     int   // of items' lines
	dimension int   // of the vectors so far; 0: there was none
	committed int
	batches   int
}

func (u *upserter) run(lines *lineReader) error {
	for {
		b, err := lines.next()
		if errors.Is(err, io.EOF) {
			return u.commit()
		}
		if err != nil {
			return err
		}
		u.bar.add(int64(len(b) + 1))
		if len(bytes.TrimSpace(b)) == 0 {
			continue
		}
		if err := u.take(b, lines.number); err != nil {
			return &lineError{lines.number, fmt.Errorf("%w: %w", errInput, err)}
		}
		if len(u.items) < u.batch && u.bytes < maxBatchBytes {
			continue
		}
		if err := u.commit(); err != nil {
			return err
		}
	}
}

// take adds a line to the batch. Vectors of two dimensions would fail the batch
// without a line to blame.
func (u *upserter) take(b []byte, line int) error {
	it, err := parseItem(b)
	if err != nil {
		return err
	}
	n := len(it.Vector)
	if n > 0 && u.dimension > 0 && n != u.dimension {
		return fmt.Errorf("vector of %s, those before have %d", count(n, "dimension"), u.dimension)
	}
	u.dimension = max(u.dimension, n)
	u.items, u.lines, u.bytes = append(u.items, it), append(u.lines, line), u.bytes+len(b)
	return nil
}

// commit puts the gathered items in.
func (u *upserter) commit() error {
	if len(u.items) == 0 {
		return nil
	}
	if err := u.ix.Upsert(u.ctx, u.items); err != nil {
		return u.refused(err)
	}
	u.committed, u.batches = u.committed+len(u.items), u.batches+1
	u.items, u.lines, u.bytes = u.items[:0], u.lines[:0], 0
	return nil
}

// refused names the lines of a batch that was not taken. All its vectors have
// one dimension: when it is not that of the index, the first one is to blame.
func (u *upserter) refused(err error) error {
	if len(u.lines) == 1 {
		return &lineError{u.lines[0], err}
	}
	batch := fmt.Sprintf("batch of lines %d to %d", u.lines[0], u.lines[len(u.lines)-1])
	if errors.Is(err, engine.ErrDimension) {
		hasVector := func(it engine.Item) bool { return it.Vector != nil }
		if i := slices.IndexFunc(u.items, hasVector); i >= 0 {
			return &lineError{u.lines[i], fmt.Errorf("%w (in the %s)", err, batch)}
		}
	}
	return fmt.Errorf("%s: %w", batch, err)
}
