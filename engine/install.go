package engine

import (
	"fmt"

	"oubliette/compaction"
	"oubliette/crypto"
	"oubliette/internal/fault"
	"oubliette/internal/meta"
	"oubliette/wal"
)

// edit is one change of the manifest on its way: a copy to change, and the
// batch that carries it with whatever belongs to it. It holds installMu from
// edit to end.
type edit struct {
	s      *state
	signer *crypto.Signer
	next   *compaction.Manifest
	batch  *meta.Batch
}

// settled is how far the log has been applied, and the sessions up to there.
type settled struct {
	at       wal.Position
	sessions []compaction.Session
}

// edit begins a change of the manifest. The manifest of a segment with an index
// must say that all of its rows have been applied: a log that was cut below them
// is told by that, and so is a manifest of before.
func (s *state) edit(signer *crypto.Signer) *edit {
	s.installMu.Lock()
	e := &edit{s: s, signer: signer, next: s.manifest.Clone(), batch: s.db.meta.NewBatch()}
	e.apply(s.settled)
	return e
}

// apply notes that the log has been applied up to there. What the ledger has of it
// and the log lacks does not count: catchUp ends that.
func (e *edit) apply(to settled) {
	if b := e.s.behind.Load(); b != nil && to.at.Group > b.tail.Group {
		to.at = b.tail
	}
	if to.at.Group <= e.next.Applied.Group {
		return
	}
	e.next.Applied = to.at
	for _, x := range to.sessions {
		e.next.Cover(x.ID, x.Last)
	}
}

// end gives the manifest free. A change that was not committed is forgotten.
func (e *edit) end() {
	if e.batch != nil {
		e.batch.Close()
	}
	e.s.installMu.Unlock()
}

// commit signs the manifest and commits the batch with it, synced. After an
// error the database has failed and the log takes nothing more.
func (e *edit) commit() error { return e.commitBy(e.s.db.meta.Commit) }

// commitLazy is commit without a sync of its own, for a change that is found out
// again when a crash has lost it.
func (e *edit) commitLazy() error { return e.commitBy(e.s.db.meta.CommitLazy) }

func (e *edit) commitBy(commit func(*meta.Batch) error) error {
	e.next.Version++
	e.next.Epoch = e.s.cat.record.Epoch
	e.s.mu.RLock()
	if e.s.mu.dim.fixed {
		e.next.Dimension = e.s.mu.dim.value
	}
	e.s.mu.RUnlock()
	e.batch.Set(meta.ManifestKey(e.s.cat.id), e.next.Sign(e.signer))
	batch := e.batch
	e.batch = nil
	if err := commit(batch); err != nil {
		e.s.log.Fail(err)
		return err
	}
	e.s.manifest = e.next
	return nil
}

// dead puts a segment's dead set into the edit.
func (e *edit) dead(id crypto.SegmentID, d *compaction.Dead) error {
	seg := e.next.Segment(id)
	if seg == nil {
		return fmt.Errorf("segment %s is not in the manifest: %w", id, fault.ErrDamaged)
	}
	b, err := d.Encode(e.s.cat.id, id)
	if err != nil {
		return err
	}
	seg.Dead, seg.DeadEntries, seg.DeadBytes = crypto.Sum(b), d.Entries, d.Bytes
	e.batch.Set(meta.DeadKey(e.s.cat.id, id), b)
	return nil
}

// place lists a sealed segment: in the entry that it had while it was open, or
// in a new one, whose file is live from then on.
func (e *edit) place(out *product) error {
	if out == nil {
		return nil
	}
	if old := e.next.Segment(out.entry.ID); old != nil {
		dead, entries, bytes := old.Dead, old.DeadEntries, old.DeadBytes
		*old = out.entry
		old.Dead, old.DeadEntries, old.DeadBytes = dead, entries, bytes
		return nil
	}
	e.next.Segments = append(e.next.Segments, out.entry)
	e.batch.Set(meta.SegmentKey(e.s.cat.id, out.entry.ID), []byte{segmentLive})
	if out.dead.Generation == 0 {
		return nil
	}
	return e.dead(out.entry.ID, out.dead)
}

// doom drops segments from the manifest and marks their files doomed.
func (e *edit) doom(ids []crypto.SegmentID) {
	gone := make(map[crypto.SegmentID]bool, len(ids))
	for _, id := range ids {
		gone[id] = true
		e.batch.Set(meta.SegmentKey(e.s.cat.id, id), []byte{segmentDoomed})
		e.batch.Delete(meta.DeadKey(e.s.cat.id, id))
	}
	e.next.Drop(gone)
}

// truncate lets the log go as far as nothing needs it: up to what is applied,
// and before the first group with a row of a segment that is still open after
// the edit. It answers the last group that goes.
func (e *edit) truncate(open []openSegment) uint64 {
	start := e.next.Applied
	e.s.mu.RLock()
	for _, o := range open {
		if o.mem.begun && o.mem.before.Group < start.Group {
			start = o.mem.before
		}
	}
	e.s.mu.RUnlock()
	if start.Group > e.next.Start.Group {
		e.next.Start = start
		wal.Truncate(e.batch, e.s.cat.id, start.Group)
	}
	return e.next.Start.Group
}
