package wal

import (
	"fmt"

	"oubliette/crypto"
	"oubliette/internal/codec"
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

// PositionSize is the size in bytes of an encoded position.
const PositionSize = 8 + 8 + 32 + 8 + 32

// Append encodes the position.
func (p Position) Append(e *codec.Encoder) {
	e.U64(p.Group)
	e.U64(p.Seq)
	e.Raw(p.Head[:])
	e.U64(p.LastDelete.Group)
	e.Raw(p.LastDelete.Hash[:])
}

// DecodePosition reads a position. One whose last delete lies behind it, or is
// the same group under another hash, fails the decoder.
func DecodePosition(d *codec.Decoder) (p Position) {
	p.Group = d.U64()
	p.Seq = d.U64()
	d.Copy(p.Head[:])
	last := &p.LastDelete
	last.Group = d.U64()
	d.Copy(last.Hash[:])
	if d.Err() == nil && (last.Group > p.Group || (last.Group == 0) != (last.Hash == crypto.Hash{}) || last.Group == p.Group && last.Hash != p.Head) {
		d.Fail("group %d of the log, hash %s, cannot be the last up to group %d that deletes", last.Group, last.Hash, p.Group)
	}
	return p
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
