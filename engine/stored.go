package engine

import (
	"fmt"

	"oubliette/compaction"
	"oubliette/crypto"
	"oubliette/internal/fault"
	"oubliette/internal/meta"
)

// records is the database, or a snapshot of it.
type records interface {
	Get(key []byte) (value []byte, found bool, err error)
	Scan(lower, upper []byte, fn func(key, value []byte) error) error
}

func (db *DB) readManifest(c *catalogued) (*compaction.Manifest, error) {
	return readManifest(db.meta, c)
}

func readManifest(from records, c *catalogued) (*compaction.Manifest, error) {
	path := fmt.Sprintf("manifest of index %q", c.name)
	b, ok, err := from.Get(meta.ManifestKey(c.id))
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
