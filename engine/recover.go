package engine

import (
	"errors"

	"oubliette/compaction"
	"oubliette/crypto"
	"oubliette/internal/fault"
	"oubliette/internal/meta"
	"oubliette/segment"
)

// The states of a segment file, as one byte under its key. A file is building
// from before it is made until the manifest that lists it is committed, and
// doomed from the commit that drops it until it is gone.
const (
	segmentBuilding = 1
	segmentLive     = 2
	segmentDoomed   = 3
)

// recover finishes, without a key, what a crash left half done.
//
//   - A building or doomed file is destroyed: header overwritten and synced,
//     file removed, folder synced, and only then its record removed. A crash in
//     between finds the record again; destroying twice is destroying once. A
//     file that the signed manifest lists is not destroyed, whatever its record
//     says.
//   - Dead extents are overwritten and synced. Their record still lists them, for
//     it is a writer's to sign: until one has loaded the index, every Open does
//     it again.
//   - Header slots that a change of epoch has replaced are overwritten.
//   - A folder of no index is removed when it is empty: CreateIndex made it and
//     did not get to its batch, or DeleteIndex did not get to removing it.
func (db *DB) recover() error {
	unwanted := make(map[crypto.IndexID][]crypto.SegmentID)
	prefix := meta.AllSegmentsPrefix()
	err := db.meta.Scan(prefix, meta.PrefixEnd(prefix), func(key, value []byte) error {
		index, id, ok := meta.ParseSegmentKey(key)
		if !ok || len(value) != 1 || value[0] < segmentBuilding || value[0] > segmentDoomed {
			return fault.Corrupt("segment records", 0, "record of %d bytes: %w", len(value), fault.ErrDamaged)
		}
		if value[0] != segmentLive {
			unwanted[index] = append(unwanted[index], id)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for index, ids := range unwanted {
		ids = db.unlisted(index, ids)
		if err := db.destroy(index, ids); err != nil {
			// Their records stay, so nothing is forgotten, and the rest of the
			// store is as good as ever.
			db.opts.Logger.Warn("segment files not destroyed", "index", index, "files", len(ids), "err", err)
			db.mu.unfinished[index] = ids
		}
	}
	for _, c := range db.mu.catalogue {
		if c.record != nil { // manifest and dead records need no grant
			db.finishErasures(c)
			db.finishEpoch(c)
		}
	}
	return db.removeStrayDirs()
}

// unlisted is ids without those that the index's manifest lists. The state of a
// file is one byte that nobody signs: damaged, it must not cost a live segment.
// With a manifest that cannot be read, nothing is known to be unwanted. Check
// reports what is left.
func (db *DB) unlisted(index crypto.IndexID, ids []crypto.SegmentID) (out []crypto.SegmentID) {
	known := false
	for _, c := range db.mu.catalogue {
		if c.id != index {
			continue
		}
		if c.record == nil {
			known = true
			continue // another name may have a record that fits it
		}
		m, err := db.readManifest(c)
		for _, id := range ids {
			if err == nil && m.Segment(id) == nil {
				out = append(out, id)
				continue
			}
			db.opts.Logger.Warn("segment file kept, its record says that it may go", "index", index, "segment", id, "err", err)
		}
		return out
	}
	if known {
		db.opts.Logger.Warn("segment files kept, their index's epoch record does not read", "index", index, "files", len(ids))
		return nil
	}
	return ids // of an index that was deleted
}

// finishErasures overwrites what a manifest's dead records still list. An error
// leaves the rest to whoever loads the index: the extents stay pending there.
func (db *DB) finishErasures(c *catalogued) {
	m, err := db.readManifest(c)
	if err != nil {
		db.opts.Logger.Warn("erasures not finished: manifest", "index", c.id, "err", err)
		return
	}
	for i := range m.Segments {
		if err := db.finishErasure(c, &m.Segments[i]); err != nil {
			db.opts.Logger.Warn("erasure not finished", "segment", m.Segments[i].ID, "err", err)
			db.unerased[c.id] = errors.Join(db.unerased[c.id], err)
		}
	}
}

// finishEpoch overwrites the header slots of the epoch before, where a crash has
// left them.
func (db *DB) finishEpoch(c *catalogued) {
	m, err := db.readManifest(c)
	if err == nil {
		err = db.eraseOldSlots(c, m)
	}
	if err != nil {
		db.opts.Logger.Warn("header slots of the epoch before not erased", "index", c.id, "err", err)
	}
}

func (db *DB) finishErasure(c *catalogued, seg *compaction.Segment) error {
	dead, err := db.readDead(c.id, seg)
	if err != nil || len(dead.Pending) == 0 {
		return err
	}
	path := db.segmentPath(c.id, seg.ID)
	if _, err := segment.Overwrite(db.opts.FS, path, seg.ID, dead.Pending, rowArea(seg, dead)); err != nil {
		return missing(path, err)
	}
	db.erased[seg.ID] = dead.Generation
	return nil
}

// overwritten tells whether Open has overwritten what a dead record lists.
func (db *DB) overwritten(id crypto.SegmentID, generation uint64) bool {
	g, ok := db.erased[id]
	return ok && g == generation
}

// rowArea is where dead extents may lie: behind the header slots, before the
// index. An open segment has nothing behind its rows; its file may be shorter
// than the extents say, because a crash took what nobody had synced: the
// overwrite leaves out what is not there.
func rowArea(seg *compaction.Segment, dead *compaction.Dead) segment.Extent {
	end := seg.DataEnd
	if !seg.Sealed {
		end = pendingEnd(dead)
	}
	return segment.Extent{Off: segment.DataStart, Len: end - segment.DataStart}
}

// pendingEnd is the end of the last extent that waits to be overwritten.
func pendingEnd(dead *compaction.Dead) uint64 {
	if n := len(dead.Pending); n > 0 {
		return dead.Pending[n-1].End()
	}
	return segment.DataStart
}
