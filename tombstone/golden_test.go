package tombstone

import (
	"bytes"
	"testing"

	"oubliette/crypto"
	"oubliette/internal/golden"
)

func TestExpiryRecordIsAsItsPageShows(t *testing.T) {
	pairs := []Tombstone{{Seq: 42}, {Seq: 7}}
	copy(pairs[0].Token[:], bytes.Repeat([]byte{0x11}, tokenSize))
	copy(pairs[1].Token[:], bytes.Repeat([]byte{0xee}, tokenSize))
	golden.Check(t, "tombstone.md", "expiry record", AppendExpiry(nil, pairs), []golden.Field{
		{Name: "version", Size: 1}, {Name: "flags", Size: 1}, {Name: "count", Size: 4},
		{Name: "token 0", Size: 16}, {Name: "before 0", Size: 8},
		{Name: "token 1", Size: 16}, {Name: "before 1", Size: 8},
	})
}

func TestRecordIsAsItsPageShows(t *testing.T) {
	var low, high crypto.Token
	copy(low[:], bytes.Repeat([]byte{0x11}, tokenSize))
	copy(high[:], bytes.Repeat([]byte{0xee}, tokenSize))
	record := AppendRecord(nil, []crypto.Token{low, high})
	golden.Check(t, "tombstone.md", "record", record, []golden.Field{
		{Name: "version", Size: 1},
		{Name: "flags", Size: 1},
		{Name: "count", Size: 4},
		{Name: "token 0", Size: 16},
		{Name: "token 1", Size: 16},
	})
}
