package engine

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"oubliette/segment"
)

// chunk is a run of a call's items that one worker prepares and appends.
type chunk struct {
	order    []int // positions of its items
	mem      *memtable
	pointers []segment.Pointer
}

// chunkSize is how many bytes of fields a chunk holds, at least one item: small
// enough that one worker compresses and seals while another writes.
const chunkSize = 512 << 10

// write prepares and appends all rows and syncs the segments that took them.
func (u *upsert) write(ctx context.Context) error {
	u.placed.dimension = u.dim
	chunks := u.chunks()
	err := u.appendAll(ctx, chunks)
	u.gather(chunks)
	for i := range u.placed.parts {
		if err == nil {
			err = u.sync(u.placed.parts[i].mem)
		}
	}
	return err
}

// chunks parts the items that count.
func (u *upsert) chunks() []chunk {
	var out []chunk
	for at := 0; at < len(u.order); {
		end, size := at, 0
		for end < len(u.order) && size < chunkSize {
			size += u.items[u.order[end]].size()
			end++
		}
		out = append(out, chunk{order: u.order[at:end]})
		at = end
	}
	return out
}

func (it *Item) size() int {
	return len(it.ID) + 4*len(it.Vector) + len(it.Contents) + len(it.Metadata)
}

// appendAll appends the chunks, one worker a processor, until one fails.
func (u *upsert) appendAll(ctx context.Context, chunks []chunk) error {
	workers := min(runtime.GOMAXPROCS(0), len(chunks))
	errs := make([]error, workers)
	var next atomic.Int64
	var failed atomic.Bool
	work := func(w int) {
		for !failed.Load() {
			i := int(next.Add(1)) - 1
			if i >= len(chunks) {
				return
			}
			if errs[w] = u.append(ctx, &chunks[i]); errs[w] != nil {
				failed.Store(true)
			}
		}
	}
	var wg sync.WaitGroup
	for w := 1; w < workers; w++ {
		wg.Go(func() { work(w) })
	}
	work(0)
	wg.Wait()
	return errors.Join(errs...)
}

// append compresses a chunk's fields and writes its rows to the active segment.
func (u *upsert) append(ctx context.Context, c *chunk) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	rows := make([]segment.Row, len(c.order))
	for i, at := range c.order {
		it := &u.items[at]
		var err error
		if rows[i], err = segment.Prepare(it.ID, it.Vector, it.Contents, it.Metadata); err != nil {
			return fmt.Errorf("item %d: %w", at, err)
		}
	}
	var err error
	if c.mem, err = u.reserve(u.ring); err != nil {
		return err
	}
	if c.pointers, err = c.mem.writer.Append(rows); err != nil {
		u.giveUp(c.mem)
		return fmt.Errorf("segment %s: %w", c.mem.id, err)
	}
	return nil
}

// gather notes where the chunks stand, segment by segment. Of a call's
// reservations on a segment the part keeps one.
func (u *upsert) gather(chunks []chunk) {
	for i := range chunks {
		c := &chunks[i]
		if c.mem == nil {
			continue
		}
		p := u.part(c.mem)
		for k, ptr := range c.pointers {
			ptr.Expires = u.items[c.order[k]].expires()
			p.entries = append(p.entries, segment.Entry{Token: u.tokens[c.order[k]], Pointer: ptr})
		}
	}
}

// part is the call's part in a segment.
func (u *upsert) part(mem *memtable) *part {
	for i := range u.placed.parts {
		if u.placed.parts[i].mem == mem {
			mem.inflight.Add(-1)
			return &u.placed.parts[i]
		}
	}
	u.placed.parts = append(u.placed.parts, part{segment: mem.id, mem: mem})
	return &u.placed.parts[len(u.placed.parts)-1]
}

func (u *upsert) sync(mem *memtable) error {
	if u.db.opts.NoSync {
		return nil
	}
	if err := mem.writer.Sync(); err != nil {
		u.giveUp(mem)
		return fmt.Errorf("segment %s: %w", mem.id, err)
	}
	return nil
}

// giveUp abandons a segment whose file failed: it takes no more rows, and
// maintenance moves those that it has.
func (u *upsert) giveUp(mem *memtable) {
	mem.broken.Store(true)
	u.retire(mem)
}
