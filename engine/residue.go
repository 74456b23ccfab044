package engine

import (
	"context"

	"oubliette/crypto"
	"oubliette/segment"
)

// SealedBytes answers the sealed bytes of items exactly as they stand in their
// segment files: for each id that has an item, in the order of ids, each of its
// fields that is there (vector, contents, head). Noted before a Delete, they are
// what a search of every byte of every file must not find after the erasure.
//
// It takes the memory of all that it answers; who notes many large items asks
// for few at a time. Older versions of an item are not among them. A rewrite
// (Compact, or one in the background) seals a living item's bytes anew, so they
// say nothing of an item that lives on for long.
func (ix *Index) SealedBytes(ctx context.Context, ids []string, opts ...OpOption) ([][]byte, error) {
	c, err := ix.begin(ctx, opts, crypto.PermRead)
	if err != nil {
		return nil, err
	}
	defer c.leave()
	if err := validateIDs(ids); err != nil {
		return nil, err
	}
	var out [][]byte
	for len(ids) > 0 {
		n := min(len(ids), getChunk)
		if out, err = c.sealedBytes(ctx, out, ids[:n]); err != nil {
			return nil, err
		}
		ids = ids[n:]
	}
	return out, nil
}

// sealedBytes appends the fields of one step.
func (c *call) sealedBytes(ctx context.Context, out [][]byte, ids []string) ([][]byte, error) {
	tokens := c.state.tokens.Tokens(ids)
	v, spots, err := c.locate(tokens)
	if err != nil {
		return nil, err
	}
	defer v.release()
	for i, sp := range spots {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		fields, err := c.sealedRow(sp, tokens[i])
		if err != nil {
			return nil, err
		}
		for _, f := range fields {
			if f != nil {
				out = append(out, f)
			}
		}
	}
	return out, nil
}

// sealedRow reads one row's fields. As in read, a row that does not fit its
// commitments is looked for again before it is called corrupt. The spot's view
// has to be held.
func (c *call) sealedRow(sp spot, tok crypto.Token) (fields [segment.NumFields][]byte, err error) {
	for sp.found {
		if fields, err = sp.file.Sealed(sp.entry.Pointer); err == nil {
			return fields, nil
		}
		v, again, lerr := c.locate([]crypto.Token{tok})
		if lerr != nil {
			return fields, lerr
		}
		defer v.release() // few: each turn means that the row has moved
		if now := again[0]; now.found && now.file == sp.file && now.entry.Row == sp.entry.Row {
			return fields, err
		}
		sp = again[0]
	}
	return [segment.NumFields][]byte{}, nil
}
