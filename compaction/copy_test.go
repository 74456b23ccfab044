package compaction

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"testing"

	"oubliette/crypto"
	"oubliette/internal/fault"
	"oubliette/segment"
)

// nobodyDied is for copies in one step.
func nobodyDied(int, uint32) bool { return false }

// copyAll copies in one step.
func copyAll(ctx context.Context, inputs []Input, w *segment.Writer) ([]segment.Entry, error) {
	c := NewCopier(inputs, w)
	if _, err := c.Step(ctx, math.MaxInt, nobodyDied); err != nil {
		return nil, err
	}
	if dead := c.Bury(nobodyDied); len(dead) > 0 {
		return nil, fmt.Errorf("%d died", len(dead))
	}
	return c.Copied(), nil
}

// TestCopyMovesLiveRowsAsTheyAre: from two segments, one still open, into a
// third under another key.
func TestCopyMovesLiveRowsAsTheyAre(t *testing.T) {
	s := newStore(t)
	first, second := someItems(0, 40, 300), someItems(100, 30, 300)
	f, _, entries := s.sealed(first, 500)
	w2, _, _ := s.open()
	more := s.fill(w2, second, 20)
	inputs := []Input{
		{f, slices.DeleteFunc(slices.Clone(entries), func(e segment.Entry) bool { return e.Row%3 == 0 })},
		{w2.File(), more[5:]},
	}
	before := []Input{{f, slices.Clone(inputs[0].Entries)}, {w2.File(), slices.Clone(inputs[1].Entries)}}
	out, id, path := s.open()
	got, err := copyAll(context.Background(), inputs, out)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(before, inputs) {
		t.Error("the inputs were changed")
	}
	if err := out.Sync(); err != nil {
		t.Fatal(err)
	}
	if !slices.IsSortedFunc(got, func(a, b segment.Entry) int { return bytes.Compare(a.Token[:], b.Token[:]) }) {
		t.Error("not sorted by token")
	}
	want := make(map[crypto.Token]segment.Entry)
	for _, in := range inputs {
		for _, e := range in.Entries {
			want[e.Token] = e
		}
	}
	if len(got) != len(want) || int(out.Rows()) != len(want) {
		t.Fatalf("%d rows, want %d", len(got), len(want))
	}
	content := make(map[crypto.Token]segment.Content)
	for _, c := range append(first, second...) {
		content[tokenOf(c.ID)] = c
	}
	for _, e := range got {
		c, err := out.File().Read(e.Pointer, segment.WantAll)
		if err != nil || !reflect.DeepEqual(c, content[e.Token]) || e.Seq != want[e.Token].Seq {
			t.Errorf("%+v numbered %d, want %+v numbered %d; %v", c, e.Seq, content[e.Token], want[e.Token].Seq, err)
		}
		if e.Commit == want[e.Token].Commit {
			t.Errorf("%s has the same sealed bytes under another key", c.ID)
		}
	}
	in := segment.IndexInput{ID: id, DEK: out.DEKCommitment(), Rows: out.Rows(), DataEnd: uint64(out.Size()), Entries: got}
	if _, err := segment.WriteIndex(s.fs, path, in, s.mapKey, s.signer); err != nil {
		t.Errorf("the entries make no index: %v", err)
	}
}

// ending is a context that ends after a number of looks at it.
type ending struct {
	context.Context
	looks int
}

var errDue = errors.New("due")

func (c *ending) Err() error {
	if c.looks--; c.looks < 0 {
		return errDue
	}
	return nil
}

func TestCopyStopsBetweenChunks(t *testing.T) {
	s := newStore(t)
	w, _, _ := s.open()
	entries := s.fill(w, someItems(0, 6, copyChunk*2/5), 1) // three to a chunk
	for looks, rows := range []uint32{0, 3, 6} {
		out, _, _ := s.open()
		got, err := copyAll(&ending{context.Background(), looks}, []Input{{w.File(), entries}}, out)
		if looks < 2 && (!errors.Is(err, errDue) || got != nil) || looks == 2 && err != nil || out.Rows() != rows {
			t.Errorf("%d looks: %d rows written, want %d; %d entries, %v", looks, out.Rows(), rows, len(got), err)
		}
	}
}

func TestCopyOfADamagedRowFails(t *testing.T) {
	s := newStore(t)
	w, _, path := s.open()
	entries := s.fill(w, someItems(0, 3, 50), 1)
	h, err := s.fs.OpenReadWrite(path, "test")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.WriteAt([]byte{0xAA, 0xBB, 0xCC, 0xDD}, int64(entries[1].Offset)+3); err != nil {
		t.Fatal(err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	out, _, _ := s.open()
	if got, err := copyAll(context.Background(), []Input{{w.File(), entries}}, out); !errors.Is(err, fault.ErrCorrupt) || got != nil {
		t.Errorf("%v, %v", got, err)
	}
}

func TestCopyOfNothingIsNothing(t *testing.T) {
	s := newStore(t)
	out, _, _ := s.open()
	if got, err := copyAll(context.Background(), nil, out); err != nil || len(got) != 0 || out.Rows() != 0 {
		t.Errorf("%v, %v", got, err)
	}
}

func TestSortEntriesIsByTokenThenNumber(t *testing.T) {
	e := func(token byte, seq uint64) segment.Entry { return segment.Entry{Token: crypto.Token{token}, Seq: seq} }
	got := []segment.Entry{e(2, 1), e(1, 9), e(2, 0), e(1, 3)}
	SortEntries(got)
	if want := []segment.Entry{e(1, 3), e(1, 9), e(2, 0), e(2, 1)}; !reflect.DeepEqual(got, want) {
		t.Errorf("%v", got)
	}
}

// Between two steps rows die and are erased: those not copied yet are left out,
// and those copied are told apart.
func TestRowsThatDieBetweenStepsAreNotMoved(t *testing.T) {
	s := newStore(t)
	w, _, _ := s.open()
	entries := s.fill(w, someItems(0, 6, copyChunk*2/5), 1) // three to a chunk
	gone := make(map[uint32]bool)
	died := func(_ int, row uint32) bool { return gone[row] }
	out, _, _ := s.open()
	c := NewCopier([]Input{{w.File(), entries}}, out)
	if done, err := c.Step(context.Background(), 1, died); done || err != nil || out.Rows() != 3 {
		t.Fatalf("after a step of a chunk: %v, %v, %d rows", done, err, out.Rows())
	}
	gone[1], gone[4] = true, true
	for done := false; !done; {
		var err error
		if done, err = c.Step(context.Background(), 1, died); err != nil {
			t.Fatal(err)
		}
	}
	dead := c.Bury(died)
	living := c.Copied()
	if again := c.Bury(died); len(again) > 0 {
		t.Errorf("%d rows died twice", len(again))
	}
	if len(living) != 4 || len(dead) != 1 || out.Rows() != 5 || dead[0].Row != 1 || dead[0].Extent.Len == 0 {
		t.Errorf("%d live, dead are %+v, %d rows are written", len(living), dead, out.Rows())
	}
}
