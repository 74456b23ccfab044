package meta

import (
	"encoding/binary"
	"slices"

	"oubliette/crypto"
)

// The key space, docs/format/database.md: one byte says what a record is, ids follow
// as they are, numbers in eight bytes big-endian so that keys sort by them.
const (
	tagAnchor    = 'a'
	tagCatalogue = 'c'
	tagDead      = 'd'
	tagEpoch     = 'e'
	tagGrant     = 'g'
	tagLedger    = 'l'
	tagManifest  = 'm'
	tagOutcome   = 'o'
	tagSegment   = 's'
	tagGroup     = 'w'
)

const (
	idSize     = 16
	indexEnd   = 1 + idSize // where the index id ends
	numberEnd  = indexEnd + 8
	segmentEnd = indexEnd + idSize
)

// CatalogueKey is the key of an index's name, which must not be empty: 'c',
// then the name's bytes.
func CatalogueKey(name string) []byte { return append([]byte{tagCatalogue}, name...) }

// CataloguePrefix begins every key of the catalogue.
func CataloguePrefix() []byte { return []byte{tagCatalogue} }

// EpochKey is the key of an epoch record, 25 bytes.
func EpochKey(index crypto.IndexID, epoch uint64) []byte { return numbered(tagEpoch, index, epoch) }

// EpochPrefix begins the keys of an index's epoch records, 17 bytes.
func EpochPrefix(index crypto.IndexID) []byte { return prefix(tagEpoch, index) }

// GrantKey is the key of what a user was granted in an epoch, 42 bytes. The
// kind is the grant's own business.
func GrantKey(index crypto.IndexID, epoch uint64, user crypto.UserID, kind byte) []byte {
	k := slices.Grow(numbered(tagGrant, index, epoch), idSize+1)
	return append(append(k, user[:]...), kind)
}

// GrantPrefix begins the keys of an index's grants, 17 bytes.
func GrantPrefix(index crypto.IndexID) []byte { return prefix(tagGrant, index) }

// AnchorKey is the key of a user's anchor, 33 bytes.
func AnchorKey(index crypto.IndexID, user crypto.UserID) []byte {
	return append(slices.Grow(prefix(tagAnchor, index), idSize), user[:]...)
}

// AnchorPrefix begins the keys of an index's anchors, 17 bytes.
func AnchorPrefix(index crypto.IndexID) []byte { return prefix(tagAnchor, index) }

// LedgerKey is the key of what a store knows of its ledger, 1 byte.
func LedgerKey() []byte { return []byte{tagLedger} }

// ManifestKey is the key of an index's manifest, 17 bytes.
func ManifestKey(index crypto.IndexID) []byte { return prefix(tagManifest, index) }

// GroupKey is the key of a log group, 25 bytes. Groups sort by their number.
func GroupKey(index crypto.IndexID, group uint64) []byte { return numbered(tagGroup, index, group) }

// GroupPrefix begins the keys of an index's log, 17 bytes.
func GroupPrefix(index crypto.IndexID) []byte { return prefix(tagGroup, index) }

// OutcomeKey is the key of an outcome of the first two kinds, 34 bytes: they sort
// by the last sequence number that they cover, then by the manifest's version.
func OutcomeKey(index crypto.IndexID, kind uint8, through, version uint64) []byte {
	k := append(slices.Grow(prefix(tagOutcome, index), 17), kind)
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(k, through), version)
}

// MovedKey is the key of an outcome of the third kind, 34 bytes.
func MovedKey(index crypto.IndexID, kind uint8, segment crypto.SegmentID) []byte {
	return append(append(slices.Grow(prefix(tagOutcome, index), 17), kind), segment[:]...)
}

// OutcomePrefix begins the keys of an index's outcomes, 17 bytes.
func OutcomePrefix(index crypto.IndexID) []byte { return prefix(tagOutcome, index) }

// OutcomeKindPrefix begins those of one kind, 18 bytes.
func OutcomeKindPrefix(index crypto.IndexID, kind uint8) []byte {
	return append(prefix(tagOutcome, index), kind)
}

// AllOutcomesPrefix begins the keys of every index's outcomes.
func AllOutcomesPrefix() []byte { return []byte{tagOutcome} }

// SegmentKey is the key of a segment's state, 33 bytes.
func SegmentKey(index crypto.IndexID, segment crypto.SegmentID) []byte {
	return segmented(tagSegment, index, segment)
}

// SegmentPrefix begins the keys of an index's segment states, 17 bytes.
func SegmentPrefix(index crypto.IndexID) []byte { return prefix(tagSegment, index) }

// AllSegmentsPrefix begins the keys of every index's segment states.
func AllSegmentsPrefix() []byte { return []byte{tagSegment} }

// DeadKey is the key of a segment's dead record, 33 bytes.
func DeadKey(index crypto.IndexID, segment crypto.SegmentID) []byte {
	return segmented(tagDead, index, segment)
}

// DeadPrefix begins the keys of an index's dead records, 17 bytes.
func DeadPrefix(index crypto.IndexID) []byte { return prefix(tagDead, index) }

// AllDeadPrefix begins the keys of every index's dead records.
func AllDeadPrefix() []byte { return []byte{tagDead} }

// AllGroupsPrefix begins the keys of every index's log.
func AllGroupsPrefix() []byte { return []byte{tagGroup} }

// ParseCatalogueKey reads a name from a key of the catalogue.
func ParseCatalogueKey(key []byte) (name string, ok bool) {
	if len(key) < 2 || key[0] != tagCatalogue {
		return "", false
	}
	return string(key[1:]), true
}

// ParseEpochKey reads the key of an epoch record.
func ParseEpochKey(key []byte) (index crypto.IndexID, epoch uint64, ok bool) {
	return parseNumbered(tagEpoch, key)
}

// ParseGroupKey reads the key of a log group.
func ParseGroupKey(key []byte) (index crypto.IndexID, group uint64, ok bool) {
	return parseNumbered(tagGroup, key)
}

// ParseSegmentKey reads the key of a segment's state.
func ParseSegmentKey(key []byte) (index crypto.IndexID, segment crypto.SegmentID, ok bool) {
	return parseSegmented(tagSegment, key)
}

// ParseDeadKey reads the key of a dead record.
func ParseDeadKey(key []byte) (index crypto.IndexID, segment crypto.SegmentID, ok bool) {
	return parseSegmented(tagDead, key)
}

// PrefixEnd is the first key behind all that begin with prefix, or nil when
// there is no such key: the prefix is empty or all 0xFF.
func PrefixEnd(prefix []byte) []byte {
	end := slices.Clone(prefix)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

func prefix(tag byte, index crypto.IndexID) []byte {
	return append(append(make([]byte, 0, segmentEnd), tag), index[:]...)
}

func numbered(tag byte, index crypto.IndexID, n uint64) []byte {
	return binary.BigEndian.AppendUint64(prefix(tag, index), n)
}

func segmented(tag byte, index crypto.IndexID, segment crypto.SegmentID) []byte {
	return append(prefix(tag, index), segment[:]...)
}

func parseNumbered(tag byte, key []byte) (index crypto.IndexID, n uint64, ok bool) {
	if len(key) != numberEnd || key[0] != tag {
		return index, 0, false
	}
	return crypto.IndexID(key[1:indexEnd]), binary.BigEndian.Uint64(key[indexEnd:]), true
}

func parseSegmented(tag byte, key []byte) (index crypto.IndexID, segment crypto.SegmentID, ok bool) {
	if len(key) != segmentEnd || key[0] != tag {
		return index, segment, false
	}
	return crypto.IndexID(key[1:indexEnd]), crypto.SegmentID(key[indexEnd:]), true
}
