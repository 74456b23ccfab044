package engine

import (
	"errors"
	"fmt"

	"oubliette/compaction"
	"oubliette/crypto"
	"oubliette/segment"
)

// seal gives every retired segment without calls under way its index.
func (m *maintenance) seal(ring *keyring) error {
	var errs []error
	v := m.s.acquire()
	defer v.release()
	for _, o := range v.open {
		if !o.mem.retired.Load() || o.mem.inflight.Load() > 0 {
			continue
		}
		if err := m.sealOne(ring, o.mem); err != nil {
			errs = append(errs, fmt.Errorf("sealing segment %s: %w", o.mem.id, err))
		}
	}
	return errors.Join(errs...)
}

// sealOne moves a memtable's rows into an index behind them.
//
// Everything published is applied first: no row of the segment is newer than
// what other segments have been told of, so its memtable may go. Order: index
// written behind the rows and synced; then one synced batch with the manifest
// that lists the footer; then the view. A crash before the batch leaves an
// index that nothing refers to, in space that no row covers: the next load
// marks it dead, and writes another one behind it. A failed write makes the
// rows move to another file.
//
// A commit that failed may have listed the index all the same: then nothing may
// be written over it.
func (m *maintenance) sealOne(ring *keyring, mem *memtable) error {
	if err := m.s.db.meta.Err(); err != nil {
		return err
	}
	if err := m.apply(ring); err != nil {
		return err
	}
	if mem.broken.Load() {
		return m.moveRows(ring, mem)
	}
	s := m.s
	entries := mem.live()
	if len(entries) == 0 {
		return m.install(ring, nil, nil, []*memtable{mem})
	}
	compaction.SortEntries(entries)
	rows := mem.rows
	if mem.writer != nil {
		rows = mem.writer.Rows()
	}
	out, err := s.writeIndex(ring, mem, rows, entries)
	if err != nil {
		mem.broken.Store(true)
		m.tell("seal", err) // nothing is lost when the rows have moved
		return m.moveRows(ring, mem)
	}
	if err := m.install(ring, out, nil, []*memtable{mem}); err != nil {
		return err
	}
	if f := s.db.opts.EventListener.Sealed; f != nil {
		f(mem.id.String())
	}
	return nil
}

// product is a sealed segment that is not yet in the view, and the manifest's
// entry for it.
type product struct {
	seg   *sealed
	entry compaction.Segment
	dead  *compaction.Dead // of a new file: rows that died on the way into it
}

// writeIndex closes a segment's file with an index over entries.
func (s *state) writeIndex(ring *keyring, mem *memtable, rows uint32, entries []segment.Entry) (*product, error) {
	id := segment.Identity{Index: s.cat.id, Segment: mem.id, Epoch: ring.epoch}
	in := segment.IndexInput{ID: id, DEK: mem.dek, Rows: rows, DataEnd: s.openEnd(mem), Entries: entries}
	ref, err := segment.WriteIndex(s.db.opts.FS, mem.path, in, s.mapKey, ring.signer)
	if err != nil {
		return nil, err
	}
	table, err := segment.OpenTable(mem.file, ref, s.mapKey, mem.dek, s.cat.writer)
	if err != nil {
		return nil, err
	}
	return &product{
		dead: compaction.NoDead,
		seg:  newSealed(mem.id, ring.epoch, mem.dek, mem.file, table),
		entry: compaction.Segment{
			ID: mem.id, Epoch: ring.epoch, DEK: mem.dek, Sealed: true, Rows: rows,
			Entries: uint32(len(entries)), DataEnd: in.DataEnd, Footer: ref,
		},
	}, nil
}

// install commits one change of what segments there are, and swaps the view:
// out (if any) comes, inputs and memtables go. A memtable that out was made of
// keeps its file and dead set; every other file that goes is destroyed.
//
// Order: one synced batch with the manifest, out's record live and the others'
// doomed; the view; headers overwritten and synced, files removed, folder
// synced, records removed. Open finishes what a crash leaves of that.
func (m *maintenance) install(ring *keyring, out *product, inputs []*sealed, mems []*memtable) error {
	s := m.s
	doomed, err := s.commitInstall(ring, out, inputs, mems)
	if err != nil {
		return err
	}
	for _, mem := range mems {
		if mem.writer != nil {
			_ = mem.writer.Close() // every byte of it is synced
		}
	}
	for _, id := range doomed {
		s.db.blocks.Forget(id)
	}
	return s.discard(doomed)
}

func (s *state) commitInstall(ring *keyring, out *product, inputs []*sealed, mems []*memtable) ([]crypto.SegmentID, error) {
	e := s.edit(ring.signer)
	defer e.end()
	s.mu.RLock()
	cur := s.mu.view
	s.mu.RUnlock()
	open, sealed, doomed := cur.without(out, inputs, mems)
	if err := e.place(out); err != nil {
		return nil, err
	}
	e.doom(doomed)
	e.moved(doomed)
	last := e.truncate(open)
	if err := e.commit(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	old := s.swapLocked(newView(cur.tombs, open, sealed))
	s.truncatedLocked(last)
	s.freedLocked()
	s.mu.Unlock()
	old.release()
	return doomed, nil
}

// without is what a view's segments become, and which files go.
func (v *view) without(out *product, inputs []*sealed, mems []*memtable) (open []openSegment, next []sealedSegment, doomed []crypto.SegmentID) {
	gone := make(map[crypto.SegmentID]bool)
	for _, x := range inputs {
		gone[x.id] = true
	}
	for _, mem := range mems {
		gone[mem.id] = true
	}
	var dead *compaction.Dead
	for _, o := range v.open {
		switch {
		case !gone[o.mem.id]:
			open = append(open, o)
		case out != nil && out.seg.id == o.mem.id:
			dead = o.dead
		default:
			doomed = append(doomed, o.mem.id)
		}
	}
	for _, x := range v.sealed {
		if gone[x.seg.id] {
			doomed = append(doomed, x.seg.id)
		} else {
			next = append(next, x)
		}
	}
	if out != nil {
		if dead == nil { // a new file
			dead = out.dead
		}
		next = append(next, sealedSegment{out.seg, dead})
	}
	return open, next, doomed
}
