package engine

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"oubliette/compaction"
	"oubliette/crypto"
	"oubliette/internal/fault"
	"oubliette/internal/meta"
	"oubliette/segment"
	"oubliette/wal"
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

// destroy makes segment files unreadable and removes them, then their records.
func (db *DB) destroy(index crypto.IndexID, ids []crypto.SegmentID) error {
	if len(ids) == 0 {
		return nil
	}
	var errs []error
	batch := db.meta.NewBatch()
	for _, id := range ids {
		if err := db.destroyFile(db.segmentPath(index, id)); err != nil {
			errs = append(errs, err) // the others need not wait for it
			continue
		}
		batch.Delete(meta.SegmentKey(index, id))
	}
	if err := syncDir(db.opts.FS, db.segmentDir(index)); err != nil && !errors.Is(err, os.ErrNotExist) {
		batch.Close()
		return errors.Join(append(errs, err)...)
	}
	// Lost in a crash, it is done again.
	return errors.Join(append(errs, db.meta.CommitLazy(batch))...)
}

// destroyFile makes a second attempt, at all of it and through a fresh
// descriptor, when the first fails.
func (db *DB) destroyFile(path string) error {
	if segment.Destroy(db.opts.FS, path) == nil {
		return nil
	}
	return segment.Destroy(db.opts.FS, path)
}

// noteWaiting notes the indexes with deletes in the log that have not been
// applied: until somebody with a writer's key loads the index, their bytes stay.
// What cannot be read is told by who loads it.
func (db *DB) noteWaiting() {
	for _, c := range db.mu.catalogue {
		if c.record == nil {
			continue
		}
		if m, err := db.readManifest(c); err == nil {
			db.waiting[c.id], _ = wal.HoldsTombstones(db.meta, c.id, m.Applied.Group)
		}
	}
}

// waitingIndexes are the indexes with dead bytes on disk that nobody has unlocked
// since the store was opened: their deletes wait for a key, or Open could not
// overwrite what had been placed, and err says why.
func (db *DB) waitingIndexes() (names []string, err error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	for _, c := range db.mu.catalogue {
		if (db.waiting[c.id] || db.unerased[c.id] != nil) && db.mu.states[c.id] == nil {
			names = append(names, c.name)
			err = errors.Join(err, db.unerased[c.id])
		}
	}
	slices.Sort(names)
	return names, err
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
		return err
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

func (db *DB) readManifest(c *catalogued) (*compaction.Manifest, error) {
	path := fmt.Sprintf("manifest of index %q", c.name)
	b, ok, err := db.meta.Get(meta.ManifestKey(c.id))
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fault.Corrupt(path, 0, "is missing: %w", fault.ErrDamaged)
	}
	m, err := compaction.DecodeManifest(b, c.id, c.writer)
	if err != nil {
		return nil, &fault.CorruptionError{Path: path, Err: err}
	}
	return m, nil
}

// readDead answers the dead set of a segment as the manifest commits to it.
func (db *DB) readDead(index crypto.IndexID, seg *compaction.Segment) (*compaction.Dead, error) {
	if seg.Dead == (crypto.Hash{}) {
		return compaction.NoDead, nil
	}
	path := "dead record of segment " + seg.ID.String()
	b, ok, err := db.meta.Get(meta.DeadKey(index, seg.ID))
	if err != nil {
		return nil, err
	}
	if !ok || crypto.Sum(b) != seg.Dead {
		return nil, fault.Corrupt(path, 0, "is not the one that the manifest lists: %w", fault.ErrDamaged)
	}
	dead, err := compaction.DecodeDead(b, index, seg.ID)
	if err != nil {
		return nil, &fault.CorruptionError{Path: path, Err: err}
	}
	return dead, nil
}

// removeStrayDirs removes the empty folders of indexes that are not there. A
// folder with something in it is left for Check to report.
func (db *DB) removeStrayDirs() error {
	fs, root := db.opts.FS, db.opts.FS.PathJoin(db.dir, segmentsDir)
	names, err := fs.List(root)
	if errors.Is(err, os.ErrNotExist) {
		return fault.Corrupt(root, 0, "is missing: %w", fault.ErrDamaged)
	}
	if err != nil {
		return err
	}
	known := make(map[string]bool)
	for _, c := range db.mu.catalogue {
		known[c.id.String()] = true
	}
	for _, name := range names {
		inside, err := fs.List(fs.PathJoin(root, name))
		if known[name] || strings.HasPrefix(name, ".") || err != nil || len(inside) > 0 {
			continue
		}
		if err := fs.Remove(fs.PathJoin(root, name)); err != nil {
			return err
		}
	}
	return syncDir(fs, root)
}

func (db *DB) removeDir(index crypto.IndexID) error {
	dir := db.segmentDir(index)
	if err := db.opts.FS.Remove(dir); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return syncDir(db.opts.FS, db.opts.FS.PathDir(dir))
}

// takeUnfinished hands the files over that could not be destroyed.
func (db *DB) takeUnfinished(index crypto.IndexID) []crypto.SegmentID {
	db.mu.Lock()
	defer db.mu.Unlock()
	ids := db.mu.unfinished[index]
	delete(db.mu.unfinished, index)
	return ids
}

// finishRemovals tries once more to destroy what could not be destroyed, and
// answers what still can't.
func (db *DB) finishRemovals() map[crypto.IndexID]error {
	db.mu.Lock()
	left := db.mu.unfinished
	db.mu.unfinished = make(map[crypto.IndexID][]crypto.SegmentID)
	db.mu.Unlock()
	failed := make(map[crypto.IndexID]error)
	for index, ids := range left {
		if err := db.remove(index, ids); err != nil {
			failed[index] = err
		}
	}
	return failed
}

// remove destroys files that no index lists, and the folder of an index that is
// gone. What does not go is noted.
func (db *DB) remove(index crypto.IndexID, ids []crypto.SegmentID) error {
	err := db.destroy(index, ids)
	db.mu.Lock()
	if err != nil {
		db.mu.unfinished[index] = ids
	}
	kept := err != nil || db.catalogued(index)
	db.mu.Unlock()
	if kept {
		return err
	}
	return db.removeDir(index)
}

// catalogued tells whether there is an index of that id; mu is held.
func (db *DB) catalogued(index crypto.IndexID) bool {
	for _, c := range db.mu.catalogue {
		if c.id == index {
			return true
		}
	}
	return false
}
