package engine

import (
	"context"
	"errors"
	"time"

	"oubliette/crypto"
	"oubliette/segment"
)

const (
	// getChunk is how many ids are looked up at one moment.
	getChunk = 1024
	// getTries is how often a step is looked up again because an erasure has
	// overtaken it. Each means a delete or a newer version, and a purge, between
	// the look-up and the read; after them each item is read as of its own moment.
	getTries = 8
)

// Get answers the items of ids with the wanted fields, in the order of ids; ids
// without an item are left out. ExpiresAt always comes, as the id does. Up to 1,024 ids see one moment of the index;
// more are looked up in such steps.
func (ix *Index) Get(ctx context.Context, ids []string, fields Fields, opts ...OpOption) ([]Item, error) {
	c, err := ix.begin(ctx, opts, crypto.PermRead)
	if err != nil {
		return nil, err
	}
	defer c.leave()
	if err := errors.Join(validateIDs(ids), fields.validate()); err != nil {
		return nil, err
	}
	var out []Item
	for len(ids) > 0 {
		n := min(len(ids), getChunk)
		if out, err = c.get(ctx, out, ids[:n], segment.Fields(fields)); err != nil {
			return nil, err
		}
		ids = ids[n:]
	}
	return out, nil
}

// get appends the items of one step, as one moment has them: where an erasure
// has overtaken the reading, all of the step is looked up again.
func (c *call) get(ctx context.Context, out []Item, ids []string, want segment.Fields) ([]Item, error) {
	tokens := make([]crypto.Token, len(ids))
	for i, id := range ids {
		tokens[i] = c.state.tokens.Token(id)
	}
	for range getTries {
		items, whole, err := c.getAt(ctx, out, ids, tokens, want, c.readStill)
		if err != nil || whole {
			return items, err
		}
	}
	items, _, err := c.getAt(ctx, out, ids, tokens, want, c.readMoved)
	return items, err
}

// reading reads the item of a token from where it stood when it was looked up.
// whole is false when it is not there any more, and the step has to be looked
// up again.
type reading func(sp spot, tok crypto.Token, want segment.Fields) (content segment.Content, ok, whole bool, err error)

// getAt looks a step up and reads it. The items are to be used when it is
// whole. An item whose id only shares its token with the one asked for is
// another item.
func (c *call) getAt(ctx context.Context, out []Item, ids []string, tokens []crypto.Token, want segment.Fields, read reading) (_ []Item, whole bool, err error) {
	v, spots, err := c.locate(tokens)
	if err != nil {
		return nil, false, err
	}
	defer v.release()
	for i, sp := range spots {
		if !sp.found {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, false, err
		}
		content, ok, whole, err := read(sp, tokens[i], want)
		if err != nil || !whole {
			return nil, false, err
		}
		if ok && content.ID == ids[i] {
			out = append(out, item(content))
		}
	}
	return out, true, nil
}

// readStill reads an item that must still be where it was.
func (c *call) readStill(sp spot, tok crypto.Token, want segment.Fields) (segment.Content, bool, bool, error) {
	content, err := c.readAt(sp, tok, want)
	if err == nil {
		return content, true, true, nil
	}
	v, _, err := c.again(sp, tok, err)
	if err != nil {
		return content, false, false, err
	}
	v.release()
	return content, false, false, nil
}

// readMoved reads an item wherever it is by now.
func (c *call) readMoved(sp spot, tok crypto.Token, want segment.Fields) (segment.Content, bool, bool, error) {
	content, ok, err := c.read(sp, tok, want)
	return content, ok, true, err
}

func item(c segment.Content) Item {
	it := Item{ID: c.ID, Vector: c.Vector, Contents: c.Contents, Metadata: c.Metadata}
	if c.Expires != 0 {
		it.ExpiresAt = time.UnixMilli(int64(c.Expires)).UTC()
	}
	return it
}
