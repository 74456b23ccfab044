package engine

import (
	"context"
	"fmt"
	"io"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/crypto"
	"oubliette/internal/fskind"
	"oubliette/internal/meta"
	"oubliette/segment"
	"oubliette/wal"
)

// SealedRow is where an item's row stands on disk and the sealed bytes there:
// vector, contents and head, side by side.
type SealedRow struct {
	ID     string
	Path   string
	Extent segment.Extent
	Bytes  []byte
}

// SealedRows reads the sealed bytes of items as they stand on disk now. An id
// without an item is an error.
func (ix *Index) SealedRows(ctx context.Context, ids []string, opts ...OpOption) ([]SealedRow, error) {
	c, err := ix.begin(ctx, opts, crypto.PermRead)
	if err != nil {
		return nil, err
	}
	defer c.leave()
	tokens := make([]crypto.Token, len(ids))
	for i, id := range ids {
		tokens[i] = c.state.tokens.Token(id)
	}
	v, spots, err := c.locate(tokens)
	if err != nil {
		return nil, err
	}
	defer v.release()
	out := make([]SealedRow, len(ids))
	for i, sp := range spots {
		if !sp.found {
			return nil, fmt.Errorf("no item %q", ids[i])
		}
		x := sp.entry.Extent()
		out[i] = SealedRow{ID: ids[i], Path: sp.file.Path(), Extent: x, Bytes: make([]byte, x.Len)}
		if err := c.readRaw(out[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (c *call) readRaw(r SealedRow) error {
	f, err := c.db.opts.FS.Open(r.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	if n, err := f.ReadAt(r.Bytes, int64(r.Extent.Off)); n != len(r.Bytes) {
		return fmt.Errorf("%s: %d of %d bytes at %d: %w", r.Path, n, len(r.Bytes), r.Extent.Off, err)
	}
	return nil
}

// WrittenSince reads what a segment file holds from an offset on.
func (db *DB) WrittenSince(path string, off int64) ([]byte, error) {
	f, err := db.opts.FS.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || info.Size() <= off {
		return nil, err
	}
	b := make([]byte, info.Size()-off)
	_, err = io.ReadFull(io.NewSectionReader(f, off, int64(len(b))), b)
	return b, err
}

// Roll makes the next upsert begin a new segment.
func (ix *Index) Roll(ctx context.Context, opts ...OpOption) error {
	c, err := ix.begin(ctx, opts, crypto.PermWrite)
	if err != nil {
		return err
	}
	defer c.leave()
	c.roll()
	return nil
}

// SealNow gives every retired segment its index.
func (ix *Index) SealNow(ctx context.Context, opts ...OpOption) error {
	c, err := ix.begin(ctx, opts, crypto.PermWrite)
	if err != nil {
		return err
	}
	defer c.leave()
	return c.work.do(ctx, func(context.Context) error { return c.work.seal(c.ring) })
}

// SegmentPaths are the live segment files, the open ones apart.
func (ix *Index) SegmentPaths(ctx context.Context, opts ...OpOption) (sealed, open []string, err error) {
	c, err := ix.begin(ctx, opts, crypto.PermRead)
	if err != nil {
		return nil, nil, err
	}
	defer c.leave()
	v := c.acquire()
	defer v.release()
	for _, x := range v.sealed {
		sealed = append(sealed, x.seg.file.Path())
	}
	for _, o := range v.open {
		open = append(open, o.mem.path)
	}
	return sealed, open, nil
}

// ApplyNow applies without erasing and calls then before anything is erased.
func (ix *Index) ApplyNow(ctx context.Context, then func()) error {
	c, err := ix.begin(ctx, nil, crypto.PermWrite)
	if err != nil {
		return err
	}
	defer c.leave()
	return c.work.do(ctx, func(context.Context) error {
		defer then()
		return c.work.apply(c.ring)
	})
}

// ExpireNow logs what has expired, without applying it, and calls between when it has
// been found and not yet logged.
func (ix *Index) ExpireNow(ctx context.Context, between func()) error {
	c, err := ix.begin(ctx, nil, crypto.PermWrite)
	if err != nil {
		return err
	}
	defer c.leave()
	return c.work.do(ctx, func(context.Context) error {
		l, err := c.work.look()
		if between(); err == nil {
			err = l.log(c.ring)
		}
		if err == nil {
			l.note(true)
		}
		return err
	})
}

// LookNow is how many items one look for what has expired finds. It logs nothing.
func (ix *Index) LookNow(ctx context.Context) (found int, more bool, err error) {
	c, err := ix.begin(ctx, nil, crypto.PermWrite)
	if err != nil {
		return 0, false, err
	}
	defer c.leave()
	err = c.work.do(ctx, func(context.Context) error {
		l, err := c.work.look()
		found, more = len(l.found), l.more
		return err
	})
	return found, more, err
}

// LookSize sets how many index blocks a look for what has expired opens at most, and
// how many items it finds before it ends.
func (ix *Index) LookSize(ctx context.Context, blocks, items int) error {
	c, err := ix.begin(ctx, nil, crypto.PermWrite)
	if err != nil {
		return err
	}
	defer c.leave()
	return c.work.do(ctx, func(context.Context) error {
		c.work.lookBlocks, c.work.lookItems = blocks, items
		return nil
	})
}

// TombstoneSets is how many sets of tombstones a look-up goes through.
func (ix *Index) TombstoneSets(ctx context.Context) (int, error) {
	c, err := ix.begin(ctx, nil, crypto.PermRead)
	if err != nil {
		return 0, err
	}
	defer c.leave()
	v := c.acquire()
	defer v.release()
	return len(v.tombs), nil
}

// StepSize sets how many bytes of rows a rewrite moves before it looks whether
// something else is due. With 1 a step moves one input of at most a chunk.
func (ix *Index) StepSize(ctx context.Context, n int) error {
	c, err := ix.begin(ctx, nil, crypto.PermWrite)
	if err != nil {
		return err
	}
	defer c.leave()
	return c.work.do(ctx, func(context.Context) error {
		c.work.stepSize = n
		return nil
	})
}

// WithoutDatabase runs a call while every read of the database fails: what has
// been read once comes from Pebble's cache, whatever becomes of the file. No
// index may be loaded.
func (db *DB) WithoutDatabase(run func()) error {
	closed, err := meta.Open(vfs.NewMem(), "/none", meta.Options{})
	if err != nil {
		return err
	}
	open := db.meta
	db.meta = closed
	defer func() { db.meta = open }()
	err = closed.Close()
	run()
	return err
}

// RawOutcomes are the records of what has become of deletes.
func (ix *Index) RawOutcomes() (out [][]byte) {
	prefix := meta.OutcomePrefix(ix.id)
	_ = ix.db.meta.Scan(prefix, meta.PrefixEnd(prefix), func(_, value []byte) error {
		out = append(out, append([]byte(nil), value...))
		return nil
	})
	return out
}

// Outcomes is how many there are.
func (ix *Index) Outcomes() int { return len(ix.RawOutcomes()) }

// TokenOf is an id's token in an index that is loaded.
func (ix *Index) TokenOf(id string) crypto.Token {
	ix.db.mu.Lock()
	defer ix.db.mu.Unlock()
	return ix.db.mu.states[ix.id].tokens.Token(id)
}

// SetDisk says on what kind of file system the store is.
func (db *DB) SetDisk(k fskind.Kind) { db.disk = k }

// SpoilOutcomes changes one more row into each record of what deletes have found.
func (ix *Index) SpoilOutcomes() error {
	prefix := meta.OutcomePrefix(ix.id)
	batch := ix.db.meta.NewBatch()
	err := ix.db.meta.Scan(prefix, meta.PrefixEnd(prefix), func(key, value []byte) error {
		b := append([]byte(nil), value...)
		b[len(b)-100]++
		batch.Set(append([]byte(nil), key...), b)
		return nil
	})
	if err != nil {
		return err
	}
	return ix.db.meta.Commit(batch)
}

// BeginMoving begins a rewrite and copies a step of it.
func (ix *Index) BeginMoving(ctx context.Context) (out string, copied map[crypto.Token]bool, err error) {
	c, err := ix.begin(ctx, nil, crypto.PermWrite)
	if err != nil {
		return "", nil, err
	}
	defer c.leave()
	err = c.work.do(ctx, func(context.Context) error {
		if _, _, err := c.work.rewriteStep(ctx, c.ring, goal{full: true}); err != nil {
			return err
		}
		if mv := c.work.moving; mv != nil && mv.out != nil {
			out = mv.out.id.String()
			copied = map[crypto.Token]bool{}
			for _, e := range mv.copier.Copied() {
				copied[e.Token] = true
			}
		}
		return nil
	})
	return out, copied, err
}

// GateIsFree tells whether nobody holds the gate, for reading or writing.
func GateIsFree(db *DB) bool {
	if !db.gate.TryLock() {
		return false
	}
	db.gate.Unlock()
	return true
}

// PublishPanics commits an upsert to the log that cannot be published: its rows are in
// no memtable. It panics.
func (ix *Index) PublishPanics(ctx context.Context) error {
	c, err := ix.begin(ctx, nil, crypto.PermWrite)
	if err != nil {
		return err
	}
	defer c.leave()
	broken := &placement{parts: []part{{entries: make([]segment.Entry, 1)}}}
	return c.log.Append(ctx, &wal.Entry{Kind: wal.KindUpsert, Signer: c.ring.signer, Payload: (&placement{}).encode(), Value: broken})
}
