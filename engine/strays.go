package engine

import (
	"errors"

	"oubliette/crypto"
	"oubliette/internal/fault"
	"oubliette/internal/meta"
)

// strays are the files in an index's folder that no record knows.
func (db *DB) strays(index crypto.IndexID) (paths []string, err error) {
	// Listed first: a file's record comes before it and goes after it.
	dir := db.segmentDir(index)
	names, err := db.opts.FS.List(dir)
	if err != nil {
		return nil, err
	}
	known := make(map[string]bool)
	prefix := meta.SegmentPrefix(index)
	err = db.meta.Scan(prefix, meta.PrefixEnd(prefix), func(key, _ []byte) error {
		if _, id, ok := meta.ParseSegmentKey(key); ok {
			known[id.String()+segmentSuffix] = true
		}
		return nil
	})
	for _, name := range names {
		path := db.opts.FS.PathJoin(dir, name)
		if _, gone := db.opts.FS.Stat(path); !known[name] && gone == nil {
			paths = append(paths, path)
		}
	}
	return paths, err
}

// noStrays refuses to vouch for segment files that no record knows. They are there
// where the database has lost its end, or somebody has put them there: what has been
// deleted may stand in them, and nobody knows where.
func (db *DB) noStrays(index crypto.IndexID) error {
	paths, err := db.strays(index)
	errs := []error{err}
	for _, path := range paths {
		if _, ok := parseSegmentName(db.opts.FS.PathBase(path)); ok {
			errs = append(errs, fault.Corrupt(path, 0, "nothing knows this file, in which deleted items may stand: %w", fault.ErrForeign))
		}
	}
	return errors.Join(errs...)
}
