package wal

import (
	"fmt"

	"oubliette/crypto"
	"oubliette/internal/fault"
	"oubliette/internal/meta"
)

// Mark names a group by its number and its hash. The zero value names none.
type Mark struct {
	Group uint64
	Hash  crypto.Hash
}

// Position is a place in the log: behind the group of that number.
type Position struct {
	Group uint64      // number of the last group, 0: none yet
	Seq   uint64      // last sequence number
	Head  crypto.Hash // hash of that group, zeros: none yet
	// LastDelete is the last group up to here that has a record that deletes.
	LastDelete Mark
}

// Tail answers, without a key, where the log of an index ends, and with that the
// last group in it that deletes: by the last group in the database, or from,
// the manifest's start, when there is none behind it. It believes what stands in
// the clear: whoever loads the index replays the log and must come to the same
// position. A group that does not decode is a CorruptionError.
func Tail(db *meta.DB, index crypto.IndexID, from Position) (Position, error) {
	key, value, ok, err := db.Last(meta.GroupPrefix(index))
	if err != nil || !ok {
		return from, err
	}
	_, number, ok := meta.ParseGroupKey(key)
	if ok && number <= from.Group {
		return from, nil
	}
	g, err := decodeGroup(value, inLog)
	if err == nil && (!ok || g.Index != index || g.Group != number) {
		err = fmt.Errorf("says that it is group %d of index %s", g.Group, g.Index)
	}
	if err != nil {
		return from, &fault.CorruptionError{Path: groupName(index, number), Err: damaged(err)}
	}
	return g.position(), nil
}
