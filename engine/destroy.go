package engine

import (
	"errors"
	"os"
	"strings"

	"oubliette/crypto"
	"oubliette/internal/fault"
	"oubliette/internal/meta"
	"oubliette/segment"
)

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
	db.gate.RLock()
	defer db.gate.RUnlock()
	if segment.Destroy(db.opts.FS, path) == nil {
		return nil
	}
	return segment.Destroy(db.opts.FS, path)
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
