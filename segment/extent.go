package segment

import (
	"cmp"
	"slices"
)

// Extent is a range of a file, in bytes.
type Extent struct{ Off, Len uint64 }

// End is the offset behind the last byte.
func (x Extent) End() uint64 { return x.Off + x.Len }

// within tells whether x lies inside area. It holds for no extent whose end
// overflows.
func (x Extent) within(area Extent) bool {
	return x.End() >= x.Off && area.End() >= area.Off && x.Off >= area.Off && x.End() <= area.End()
}

// Coalesce merges touching and overlapping extents; sorted is in the order of
// Off and stays as it is. Empty extents are left out.
func Coalesce(sorted []Extent) []Extent {
	out := make([]Extent, 0, len(sorted))
	for _, x := range sorted {
		switch last := len(out) - 1; {
		case x.Len == 0:
		case last >= 0 && x.Off <= out[last].End():
			out[last].Len = max(out[last].End(), x.End()) - out[last].Off
		default:
			out = append(out, x)
		}
	}
	return out
}

// Subtract is what of xs is in none of taken, in order. Neither has to be sorted;
// xs is sorted by it.
func Subtract(xs, taken []Extent) (rest []Extent) {
	inOrder := func(a, b Extent) int { return cmp.Compare(a.Off, b.Off) }
	slices.SortFunc(xs, inOrder)
	taken = slices.SortedFunc(slices.Values(taken), inOrder)
	taken = Coalesce(taken)
	for _, x := range Coalesce(xs) {
		for len(taken) > 0 && taken[0].End() <= x.Off {
			taken = taken[1:]
		}
		at := x.Off
		for _, t := range taken {
			if t.Off >= x.End() {
				break
			}
			if t.Off > at {
				rest = append(rest, Extent{Off: at, Len: t.Off - at})
			}
			at = max(at, t.End())
		}
		if at < x.End() {
			rest = append(rest, Extent{Off: at, Len: x.End() - at})
		}
	}
	return rest
}
