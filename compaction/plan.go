package compaction

import (
	"cmp"
	"slices"

	"oubliette/crypto"
)

// Figures is what a plan knows of one sealed segment. Sizes are in bytes.
type Figures struct {
	ID      crypto.SegmentID
	Size    uint64 // of the row area
	Dead    uint64 // of Size, dead
	Entries uint32 // in the index
	Live    uint32 // of Entries, not dead
	Must    bool   // its file failed a write or an erasure: its rows have to move
	// Exposed: somebody who had the reader key of its data key has been taken out
	// since, and may have kept the data key.
	Exposed bool
}

// Limits bounds a plan.
type Limits struct {
	SegmentSize uint64 // what a full segment holds
	MaxWork     uint64 // live bytes that one rewrite moves at most
	Full        bool   // rewrite everything that has dead bytes or is exposed, and all small segments
}

// MaxWork is how many live bytes one rewrite moves, unless a single segment
// holds more.
const MaxWork = 64 << 20

// minMerge is from how many small segments on they are merged without being
// asked to.
const minMerge = 8

// Plan answers which segments the next rewrite takes, nil when none is worth
// it. In this order:
//
//  1. a segment whose file failed, alone;
//  2. segments that are dead throughout: they cost nothing, all of them at once;
//  3. segments of which more than half is dead (with Full: any of it, and those
//     that are exposed);
//  4. small segments (live bytes below a quarter of SegmentSize and half of
//     MaxWork), when there are at least eight (with Full: two).
//
// Of 3 and 4 those with the least live bytes come first, as many as MaxWork
// holds together; of 3 at least one, of 4 at least two. So small segments
// cannot pile up, and a rewrite of them always leaves fewer: Full comes to an
// end. It is a pure function of its arguments; Dead must not exceed Size.
func Plan(segments []Figures, lim Limits) []crypto.SegmentID {
	for _, s := range segments {
		if s.Must {
			return []crypto.SegmentID{s.ID}
		}
	}
	if out := pick(segments, 0, func(s Figures) bool { return s.Live == 0 }); out != nil {
		return out
	}
	mostlyDead := func(s Figures) bool {
		return s.Dead > 0 && (lim.Full || s.Dead*2 > s.Size) || lim.Full && s.Exposed
	}
	if out := pick(segments, lim.MaxWork, mostlyDead); out != nil {
		return out
	}
	least := minMerge
	if lim.Full {
		least = 2
	}
	small := func(s Figures) bool { return s.Size-s.Dead < min(lim.SegmentSize/4, lim.MaxWork/2) }
	if out := pick(segments, 0, small); len(out) < least {
		return nil
	}
	return pick(segments, lim.MaxWork, small)
}

// pick takes what wanted says, those with the least live bytes first, until
// work live bytes are together (0: no bound); at least one.
func pick(segments []Figures, work uint64, wanted func(Figures) bool) []crypto.SegmentID {
	var in []Figures
	for _, s := range segments {
		if wanted(s) {
			in = append(in, s)
		}
	}
	slices.SortFunc(in, func(a, b Figures) int {
		return cmp.Or(cmp.Compare(a.Size-a.Dead, b.Size-b.Dead), slices.Compare(a.ID[:], b.ID[:]))
	})
	var out []crypto.SegmentID
	var sum uint64
	for _, s := range in {
		sum += s.Size - s.Dead
		if work > 0 && sum > work && len(out) > 0 {
			break
		}
		out = append(out, s.ID)
	}
	return out
}
