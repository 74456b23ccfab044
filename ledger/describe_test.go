package ledger

import (
	"bytes"
	"errors"
	"testing"

	"oubliette/internal/fault"
)

// What an entry says of itself is what was put into it, and what is no entry is told.
func TestEntriesDescribeThemselves(t *testing.T) {
	l := new(list)
	w := newWorld(t, l)
	w.session()
	w.upsert("row")
	w.delete("first")
	w.upsert("row")
	w.delete("second")
	w.epoch(w.root)
	w.append(GoneEntry(store, w.index, 2, w.root))
	want := []Description{
		{Kind: "begin", Index: w.index, Name: "letters"},
		{Kind: "epoch", Index: w.index, Name: "letters", Epoch: 1},
		{Kind: "group", Index: w.index, Group: 2, FirstSeq: 2, LastSeq: 2, Epoch: 1},
		{Kind: "group", Index: w.index, Group: 4, FirstSeq: 4, LastSeq: 4, Epoch: 1},
		{Kind: "epoch", Index: w.index, Name: "letters", Group: 4, LastSeq: 4, Epoch: 2},
		{Kind: "gone", Index: w.index, Epoch: 2},
	}
	if len(*l) != len(want) {
		t.Fatalf("%d entries", len(*l))
	}
	for i, b := range *l {
		if d, err := Describe(b); err != nil || d != want[i] {
			t.Errorf("entry %d: %+v, %v, want %+v", i, d, err, want[i])
		}
		for n := range b {
			if d, err := Describe(b[:n]); err == nil || !errors.Is(err, ErrAltered) || d != (Description{}) {
				t.Fatalf("the first %d bytes of entry %d: %+v, %v", n, i, d, err)
			}
		}
	}
	newer := bytes.Clone((*l)[0])
	newer[1]++
	_, err := Describe(newer)
	wantKind(t, "a later version", err, fault.ErrNewer)
}
