package segment

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
