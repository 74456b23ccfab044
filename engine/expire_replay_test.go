package engine

import (
	"errors"
	"strings"
	"testing"

	"oubliette/compaction"
	"oubliette/crypto"
	"oubliette/tombstone"
	"oubliette/wal"
)

// Replay takes of an expiry record what the writer's own state had of it, and refuses
// one that deletes what comes behind it.
func TestReplayOfAnExpiry(t *testing.T) {
	x, y := crypto.Token{1}, crypto.Token{2}
	payload := tombstone.AppendExpiry(nil, []tombstone.Tombstone{{Token: x, Seq: 5}, {Token: y, Seq: 9}})
	replay := func(seq, applied uint64) (*tombstone.Set, error) {
		l := &loader{state: &state{cat: &catalogued{}, manifest: &compaction.Manifest{}}, tombs: tombstone.NewSet()}
		l.manifest.Applied.Group = applied
		r := wal.Replayed{Record: wal.Record{Kind: wal.KindExpiry, Seq: seq, Payload: payload}, Group: 3}
		return l.tombs, l.record(&r, wal.Position{})
	}
	set, err := replay(9, 2)
	if err != nil {
		t.Fatal(err)
	}
	for tok, want := range map[crypto.Token]uint64{x: 5, y: 9} {
		if seq, ok := set.Newest(tok); !ok || seq != want {
			t.Errorf("token %x: %d, want %d", tok[:1], seq, want)
		}
	}
	if set, err = replay(9, 3); err != nil || set.Len() != 0 {
		t.Errorf("a record that has been applied: %d tombstones, %v", set.Len(), err)
	}
	_, err = replay(8, 2)
	if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "record 8") || !strings.Contains(err.Error(), "below 9") {
		t.Errorf("a record that deletes what comes: %v", err)
	}
}
