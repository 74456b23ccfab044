package compaction

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"oubliette/crypto"
	"oubliette/internal/fault"
	"oubliette/segment"
	"oubliette/tombstone"
)

// TestKillsAreTheHighestOfEachToken holds Kills against a map.
func TestKillsAreTheHighestOfEachToken(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := make(map[crypto.Token]uint64)
		draw := func(label string) (out []Kill) {
			for range rapid.IntRange(0, 20).Draw(t, label) {
				k := Kill{Token: crypto.Token{rapid.Byte().Draw(t, "token") % 8}, Before: rapid.Uint64Range(1, 30).Draw(t, "before")}
				want[k.Token] = max(want[k.Token], k.Before)
				out = append(out, k)
			}
			return out
		}
		var tombs []tombstone.Tombstone
		for _, k := range draw("tombstones") {
			tombs = append(tombs, tombstone.Tombstone{Token: k.Token, Seq: k.Before})
		}
		versions := draw("versions")
		before := slices.Clone(versions)
		got := Kills(tombs, versions)
		if len(got) != len(want) || !slices.Equal(versions, before) {
			t.Fatalf("%v, want %v; versions %v", got, want, versions)
		}
		for i, k := range got {
			if k.Before != want[k.Token] || i > 0 && bytes.Compare(got[i-1].Token[:], k.Token[:]) >= 0 {
				t.Fatalf("%v, want %v", got, want)
			}
		}
		tokens := Tokens(got)
		for i := range got {
			if tokens[i] != got[i].Token {
				t.Fatalf("tokens %v of %v", tokens, got)
			}
		}
	})
}

// TestFindKillsWhatIsOlderAndNotDeadYet: rows 1..6 have numbers 100..105.
func TestFindKillsWhatIsOlderAndNotDeadYet(t *testing.T) {
	s := newStore(t)
	items := someItems(0, 6, 10)
	_, table, entries := s.sealed(items, 100)
	byID := make(map[string]segment.Entry)
	for i := range items {
		for _, e := range entries {
			if e.Token == tokenOf(items[i].ID) {
				byID[items[i].ID] = e
			}
		}
	}
	dead := NoDead.Add([]Death{{Row: byID["item-3"].Row, Extent: byID["item-3"].Extent(), InIndex: true}}, nil)
	kills := Kills([]tombstone.Tombstone{
		{Token: tokenOf("item-0"), Seq: 100}, // not above its number
		{Token: tokenOf("item-1"), Seq: 102}, // just above
		{Token: tokenOf("item-3"), Seq: 900}, // dead already
		{Token: tokenOf("nobody"), Seq: 900},
	}, []Kill{
		{tokenOf("item-2"), 102}, // the version itself
		{tokenOf("item-4"), 900},
		{tokenOf("item-5"), 104}, // below
	})
	found, err := Find(table, segment.NewBlockCache(1<<20), dead, kills, Tokens(kills))
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[uint32]Death)
	for _, d := range found {
		got[d.Row] = d
	}
	for _, id := range []string{"item-1", "item-4"} {
		e := byID[id]
		if want := (Death{Row: e.Row, Extent: e.Extent(), InIndex: true}); got[e.Row] != want {
			t.Errorf("%s: %+v, want %+v", id, got[e.Row], want)
		}
	}
	if len(found) != 2 {
		t.Errorf("%d deaths: %+v", len(found), found)
	}
}

func TestFindKillsEveryOldVersionOfAToken(t *testing.T) {
	s := newStore(t)
	items := append(someItems(0, 3, 10), someItems(0, 3, 10)...) // each twice, at 0..2 and 3..5
	_, table, _ := s.sealed(items, 0)
	kills := []Kill{{tokenOf("item-1"), 4}}
	found, err := Find(table, segment.NewBlockCache(1<<20), NoDead, kills, Tokens(kills))
	if err != nil || len(found) != 1 || found[0].Row != 1 {
		t.Errorf("before the second: %+v, %v", found, err)
	}
	kills[0].Before = 5
	found, err = Find(table, segment.NewBlockCache(1<<20), NoDead, kills, Tokens(kills))
	if err != nil || len(found) != 2 {
		t.Errorf("behind both: %+v, %v", found, err)
	}
}

func TestFindTellsOfADamagedIndex(t *testing.T) {
	s := newStore(t)
	f, table, _ := s.sealed(someItems(0, 3, 10), 0)
	h, err := s.fs.OpenReadWrite(f.Path(), "test")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.WriteAt([]byte{1, 2, 3, 4, 5, 6, 7, 8}, int64(segment.DataStart)+4096); err != nil { // the first block
		t.Fatal(err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	kills := []Kill{{tokenOf("item-1"), 9}}
	if found, err := Find(table, segment.NewBlockCache(1<<20), NoDead, kills, Tokens(kills)); !errors.Is(err, fault.ErrCorrupt) || found != nil {
		t.Errorf("%v, %v", found, err)
	}
}
