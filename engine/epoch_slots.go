package engine

import (
	"errors"
	"fmt"

	"oubliette/compaction"
	"oubliette/crypto"
	"oubliette/segment"
)

// resealAll seals every live segment's data key to the new reader key as well.
func (n *newEpoch) resealAll(reader crypto.ReaderPublic) error {
	for i := range n.manifest.Segments {
		seg := &n.manifest.Segments[i]
		f, err := segment.Open(n.db.opts.FS, n.db.segmentPath(n.cat.id, seg.ID), segment.Identity{Index: n.cat.id, Segment: seg.ID})
		if err != nil {
			return err
		}
		err = f.Reseal(n.db.opts.FS, n.root.reader, seg.DEK, n.cat.record.Epoch+1, reader)
		f.Release()
		if err != nil {
			return err
		}
	}
	return nil
}

// eraseOldSlots overwrites the header slots that the newest epoch has replaced.
// It needs no key.
func (db *DB) eraseOldSlots(c *catalogued, m *compaction.Manifest) error {
	reader, err := crypto.ParseReaderPublic(c.record.Reader)
	if err != nil {
		return err
	}
	db.gate.RLock()
	defer db.gate.RUnlock()
	left := db.slotsLeft[c.id]
	var errs []error
	for i := range m.Segments {
		path, id := db.segmentPath(c.id, m.Segments[i].ID), m.Segments[i].ID
		if !left {
			if _, err := segment.EraseOldSlot(db.opts.FS, path, id, reader.Hash()); err == nil {
				continue
			}
		}
		errs = append(errs, segment.EraseOldSlotAgain(db.opts.FS, path, id, reader.Hash()))
	}
	delete(db.slotsLeft, c.id)
	if err := errors.Join(errs...); err != nil {
		db.slotsLeft[c.id] = true
		return fmt.Errorf("index %q: the new epoch is committed; what the old one opened is left (the next Open tries again): %w", c.name, err)
	}
	return nil
}
