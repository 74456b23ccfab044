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
)

// TestKillerIsTheCallThatFoundTheRowAlive holds Killer against histories that
// are played through: each upsert puts a row and displaces the one before, each
// delete finds what is there.
func TestKillerIsTheCallThatFoundTheRowAlive(t *testing.T) {
	type row struct {
		token crypto.Token
		seq   uint64
	}
	rapid.Check(t, func(t *rapid.T) {
		alive := make(map[crypto.Token]uint64)
		killer, dead := make(map[row]uint64), make(map[row]bool)
		var events []Event
		var rows []row
		for seq := uint64(1); seq <= 40; seq++ {
			tok := crypto.Token{rapid.Byte().Draw(t, "token") % 4}
			was, there := alive[tok]
			e := Event{Token: tok, Before: seq}
			switch rapid.IntRange(0, 2).Draw(t, "what") {
			case 0:
				alive[tok] = seq
				rows = append(rows, row{tok, seq})
			case 1:
				e.Call = seq
				delete(alive, tok)
			case 2: // an expiry: of the row that is there, and of none that comes
				e.Call, e.Before = seq, was+1
				delete(alive, tok)
			}
			if there {
				killer[row{tok, was}], dead[row{tok, was}] = e.Call, true
			}
			events = append(events, e)
		}
		k := NewKills(rapid.Permutation(events).Draw(t, "order"))
		if !slices.IsSortedFunc(k.Tokens(), func(a, b crypto.Token) int { return bytes.Compare(a[:], b[:]) }) {
			t.Fatalf("tokens %v", k.Tokens())
		}
		for _, r := range rows {
			if call, ok := k.Of(r.token, r.seq); call != killer[r] || ok != dead[r] {
				t.Fatalf("row %d of %v: found by %d, dead %v; played through: %d, %v", r.seq, r.token, call, ok, killer[r], dead[r])
			}
		}
		if call, ok := k.Of(crypto.Token{0xff}, 1); call != 0 || ok {
			t.Fatalf("a token without events: %d, %v", call, ok)
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
	kills := NewKills([]Event{
		{tokenOf("item-0"), 100, 100}, // not above its number
		{tokenOf("item-1"), 102, 102}, // just above
		{tokenOf("item-3"), 900, 900}, // dead already
		{tokenOf("nobody"), 900, 900},
		{tokenOf("item-2"), 102, 0}, // the version itself
		{tokenOf("item-4"), 900, 0},
		{tokenOf("item-5"), 104, 0}, // below
	})
	found, err := Find(table, segment.NewBlockCache(1<<20), dead, kills)
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[uint32]Death)
	for _, d := range found {
		got[d.Row] = d
	}
	for id, call := range map[string]uint64{"item-1": 102, "item-4": 0} {
		e := byID[id]
		if want := (Death{Row: e.Row, Extent: e.Extent(), InIndex: true, Call: call}); got[e.Row] != want {
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
	kills := NewKills([]Event{{tokenOf("item-1"), 4, 4}})
	found, err := Find(table, segment.NewBlockCache(1<<20), NoDead, kills)
	if err != nil || len(found) != 1 || found[0].Row != 1 {
		t.Errorf("before the second: %+v, %v", found, err)
	}
	kills = NewKills([]Event{{tokenOf("item-1"), 5, 5}})
	found, err = Find(table, segment.NewBlockCache(1<<20), NoDead, kills)
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
	kills := NewKills([]Event{{tokenOf("item-1"), 9, 9}})
	if found, err := Find(table, segment.NewBlockCache(1<<20), NoDead, kills); !errors.Is(err, fault.ErrCorrupt) || found != nil {
		t.Errorf("%v, %v", found, err)
	}
}
