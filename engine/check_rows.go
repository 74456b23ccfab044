package engine

import (
	"context"

	"oubliette/compaction"
	"oubliette/crypto"
	"oubliette/segment"
)

// rowOf is a row of a segment.
type rowOf struct {
	segment crypto.SegmentID
	row     uint32
}

// sealed checks a segment with an index, from its file on.
func (k *checker) sealed(ctx context.Context, v *view, x *sealedSegment) {
	k.pending(x.dead)
	k.header(x.seg.file.Path(), x.seg.id)
	var last segment.Entry
	var kept []segment.Extent
	entries, dead := 0, uint32(0)
	err := x.seg.table.All(func(e segment.Entry) error {
		if entries++; entries > 1 && string(e.Token[:]) < string(last.Token[:]) {
			k.damaged(x.seg.file.Path(), "entry %d of the index is out of order", entries)
		}
		last = e
		if x.dead.Contains(e.Row) {
			dead++
			return nil
		}
		kept = append(kept, e.Extent())
		k.livingRow(v, x.seg.id, x.seg.file, x.seg.dek, e)
		return ctx.Err()
	})
	k.found(err)
	k.erased(x.seg.file, kept, x.dead, x.seg.table.DataEnd())
	if dead != x.dead.Entries {
		k.damaged(x.seg.file.Path(), "%d entries are dead, its dead record says %d", dead, x.dead.Entries)
	}
}

// header reads the segment's header again.
func (k *checker) header(path string, id crypto.SegmentID) {
	f, err := segment.Open(k.db.opts.FS, path, segment.Identity{Index: k.cat.id, Segment: id})
	if err != nil {
		k.found(err)
		return
	}
	f.Release()
}

func (k *checker) pending(d *compaction.Dead) {
	k.dead += d.Rows.GetCardinality()
	for _, p := range d.Pending {
		k.tally.pending += p.Len
	}
}

// erased looks whether all of a row area is zeros but what is kept and what
// waits to be overwritten.
func (k *checker) erased(f *segment.File, kept []segment.Extent, d *compaction.Dead, end uint64) {
	area := []segment.Extent{{Off: segment.DataStart, Len: end - segment.DataStart}}
	k.zeros(f, segment.Subtract(area, append(kept, d.Pending...)))
}

func (k *checker) zeros(f *segment.File, xs []segment.Extent) {
	for _, x := range xs {
		k.tally.erased += x.Len
	}
	k.found(segment.CheckErased(f, xs))
}

// livingRow reads a row whole and looks whether it is the token's, and the only
// one.
func (k *checker) livingRow(v *view, id crypto.SegmentID, f *segment.File, dek crypto.Hash, e segment.Entry) {
	if other, ok := k.seen[e.Token]; ok && v.lives(other) {
		k.damaged(f.Path(), "row %d: its item stands in row %d of segment %s, too", e.Row, other.row, other.segment)
	}
	k.seen[e.Token] = rowOf{id, e.Row}
	if k.RowsUnread {
		return
	}
	if err := unlock(f, dek, k.ring); err != nil {
		k.found(err)
		return
	}
	content, err := f.Read(e.Pointer, segment.WantAll)
	switch {
	case err != nil:
		k.found(err)
	case k.tokens.Token(content.ID) != e.Token:
		k.damaged(f.Path(), "row %d holds another item than its entry says", e.Row)
	case e.Expired(k.clock()):
		k.expired++
	default:
		k.rows++
	}
}

// openSegment checks the rows of a memtable.
func (k *checker) openSegment(ctx context.Context, v *view, o *openSegment) {
	k.pending(o.dead)
	k.header(o.mem.path, o.mem.id)
	k.mu.RLock()
	entries := o.mem.entries[:len(o.mem.entries):len(o.mem.entries)] // grows, never changes
	kept := o.mem.unburied()
	quiet := o.mem.retired.Load() && o.mem.inflight.Load() == 0
	k.mu.RUnlock()
	var gone []segment.Extent
	for _, e := range entries {
		if ctx.Err() != nil {
			return
		}
		if o.dead.Contains(e.Row) {
			gone = append(gone, e.Extent())
			continue
		}
		kept = append(kept, e.Extent())
		// A row whose successor stands elsewhere, or that a tombstone hides,
		// dies with the next apply: it is not an item.
		k.mu.RLock()
		var sp spot
		v.place(e.Token, v.newest(e.Token), anyTime, &sp)
		k.mu.RUnlock()
		if sp.found && sp.entry.Seq == e.Seq {
			k.livingOpen(v, o, e)
		}
	}
	if quiet {
		k.erased(o.mem.file, kept, o.dead, k.openEnd(o.mem))
	} else { // what calls under way have written is nobody's yet
		k.zeros(o.mem.file, segment.Subtract(gone, o.dead.Pending))
	}
}

func (k *checker) livingOpen(v *view, o *openSegment, e segment.Entry) {
	// An older version in a sealed segment waits for the next apply, too.
	delete(k.seen, e.Token)
	k.livingRow(v, o.mem.id, o.mem.file, o.mem.dek, e)
}

// lives tells whether a row stands in a sealed segment and is not dead: what
// was seen living a while ago may have been upserted again.
func (v *view) lives(r rowOf) bool {
	for _, x := range v.sealed {
		if x.seg.id == r.segment {
			return !x.dead.Contains(r.row)
		}
	}
	return false
}
