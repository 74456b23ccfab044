package compaction

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"oubliette/crypto"
)

const mib = 1 << 20

// ids turns numbers into segment ids.
func ids(ns ...byte) (out []crypto.SegmentID) {
	for _, n := range ns {
		out = append(out, crypto.SegmentID{n})
	}
	return out
}

func TestPlan(t *testing.T) {
	fig := func(id byte, size, dead uint64, entries, live uint32) Figures {
		return Figures{ID: crypto.SegmentID{id}, Size: size * mib, Dead: dead * mib, Entries: entries, Live: live}
	}
	full := func(id byte) Figures { return fig(id, 200, 0, 100, 100) }
	failed := full(9)
	failed.Must = true
	small := func(n int, size uint64) (out []Figures) {
		for i := range n {
			out = append(out, fig(byte(i+1), size, 0, 10, 10))
		}
		return out
	}
	normal := Limits{SegmentSize: 256 * mib, MaxWork: MaxWork}
	everything := Limits{SegmentSize: 256 * mib, MaxWork: MaxWork, Full: true}
	exposed := full(5)
	exposed.Exposed = true
	for _, c := range []struct {
		name string
		in   []Figures
		lim  Limits
		want []crypto.SegmentID
	}{
		{"nothing there", nil, normal, nil},
		{"nothing there, all asked for", nil, everything, nil},
		{"exposed", []Figures{full(1), exposed}, normal, nil},
		{"exposed, all asked for", []Figures{full(1), exposed}, everything, ids(5)},
		{"full and living", []Figures{full(1), full(2)}, everything, nil},
		{"a failed file comes first and alone", []Figures{fig(1, 10, 10, 5, 0), failed, fig(2, 10, 9, 5, 1)}, normal, ids(9)},
		{"dead throughout, all at once", []Figures{fig(1, 200, 200, 5, 0), full(2), fig(3, 200, 100, 5, 0), fig(4, 100, 99, 5, 1)}, normal, ids(1, 3)},
		{"dead throughout but for space of no row", []Figures{fig(1, 200, 10, 5, 0), full(2)}, normal, ids(1)},
		{"half dead is not mostly dead", []Figures{fig(1, 100, 50, 10, 5)}, normal, nil},
		{"mostly dead", []Figures{fig(1, 100, 51, 10, 5), full(2)}, normal, ids(1)},
		{"mostly dead, least living first, up to the work", []Figures{fig(1, 100, 60, 10, 5), fig(2, 100, 70, 10, 5), fig(3, 100, 80, 10, 5)}, normal, ids(3, 2)},
		{"mostly dead beyond the work, alone", []Figures{fig(1, 250, 130, 10, 5), fig(2, 250, 140, 10, 5)}, normal, ids(2)},
		{"a little dead", []Figures{fig(1, 100, 1, 10, 9)}, normal, nil},
		{"a little dead, all asked for", []Figures{fig(1, 100, 1, 10, 9), full(2)}, everything, ids(1)},
		{"seven small ones", small(7, 1), normal, nil},
		{"eight small ones", small(8, 1), normal, ids(1, 2, 3, 4, 5, 6, 7, 8)},
		{"eight small ones, not all of which fit", small(8, 20), normal, ids(1, 2, 3)},
		{"eight small ones, of which two fit", small(8, 31), normal, ids(1, 2)},
		{"eight that are not small", small(8, 32), normal, nil},
		{"one small, all asked for", small(1, 1), everything, nil},
		{"two small, all asked for", small(2, 1), everything, ids(1, 2)},
		{"small by the segment's size", small(8, 2), Limits{SegmentSize: 8 * mib, MaxWork: MaxWork}, nil},
		{"small by what lives", []Figures{fig(1, 200, 90, 9, 9), fig(2, 40, 10, 9, 9)}, normal, nil},
	} {
		before := slices.Clone(c.in)
		if got := Plan(c.in, c.lim); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
		if !slices.Equal(before, c.in) {
			t.Errorf("%s: the plan changed its input", c.name)
		}
	}
}

// TestRewritingEverythingComesToAnEnd does what Plan says until it says nothing,
// with outputs as a rewrite makes them, and looks at what is left.
func TestRewritingEverythingComesToAnEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lim := Limits{
			SegmentSize: rapid.Uint64Range(1*mib, 512*mib).Draw(t, "segment size"),
			MaxWork:     MaxWork,
			Full:        rapid.Bool().Draw(t, "full"),
		}
		segments := drawFigures(t)
		next := byte(100)
		for steps := 0; ; steps++ {
			if steps > 60 {
				t.Fatalf("no end in sight: %+v", segments)
			}
			plan := Plan(segments, lim)
			if plan == nil {
				break
			}
			live, entries := checkPlan(t, segments, lim, plan)
			segments = slices.DeleteFunc(segments, func(s Figures) bool { return slices.Contains(plan, s.ID) })
			if entries > 0 {
				segments = append(segments, Figures{ID: crypto.SegmentID{next}, Size: live, Entries: entries, Live: entries})
				next++
			}
		}
		small := 0
		for _, s := range segments {
			if s.Must || s.Live == 0 || s.Dead*2 > s.Size || lim.Full && s.Dead > 0 {
				t.Errorf("left: %+v", s)
			}
			if s.Size-s.Dead < min(lim.SegmentSize/4, lim.MaxWork/2) {
				small++
			}
		}
		if small >= minMerge || lim.Full && small > 1 {
			t.Errorf("%d small segments are left: %+v", small, segments)
		}
	})
}

func drawFigures(t *rapid.T) (out []Figures) {
	for i := range rapid.IntRange(0, 30).Draw(t, "segments") {
		s := Figures{ID: crypto.SegmentID{byte(i)}, Size: rapid.Uint64Range(1, 300*mib).Draw(t, "size")}
		s.Dead = rapid.OneOf(rapid.Just(uint64(0)), rapid.Just(s.Size), rapid.Uint64Range(0, s.Size)).Draw(t, "dead")
		s.Entries = rapid.Uint32Range(1, 1000).Draw(t, "entries")
		s.Live = rapid.Uint32Range(0, s.Entries).Draw(t, "live")
		if s.Dead == s.Size {
			s.Live = 0
		}
		s.Must = rapid.IntRange(0, 9).Draw(t, "must") == 0
		out = append(out, s)
	}
	return out
}

// checkPlan wants distinct segments that exist, within the work, and answers
// what lives in them.
func checkPlan(t *rapid.T, segments []Figures, lim Limits, plan []crypto.SegmentID) (live uint64, entries uint32) {
	if len(plan) == 0 {
		t.Fatal("an empty plan that is not nil")
	}
	found := 0
	for _, s := range segments {
		if slices.Contains(plan, s.ID) {
			found++
			if s.Live > 0 {
				live += s.Size - s.Dead
				entries += s.Live
			}
		}
	}
	if found != len(plan) {
		t.Fatalf("%d segments of a plan of %d", found, len(plan))
	}
	if len(plan) > 1 && live > lim.MaxWork {
		t.Fatalf("%d segments with %d living bytes in one rewrite", len(plan), live)
	}
	return live, entries
}
