package engine

import (
	"oubliette/crypto"
	"oubliette/segment"
)

const (
	// maxHoles bounds what waits to be given back, in memory: what is more stays
	// zeros until its segment is rewritten.
	maxHoles = 256 << 10
	// holesAStep is how many holes are punched before maintenance looks whether
	// something else is due: 7 to 9 ms at what a hole takes ([segment.GiveBack]).
	holesAStep = 128
)

// holes are blocks of a segment that have been overwritten and are to be given back
// to the file system.
type holes struct {
	id   crypto.SegmentID
	left []segment.Extent
}

// noteHoles notes what an overwrite, synced, leaves to be given back.
func (m *maintenance) noteHoles(id crypto.SegmentID, extents []segment.Extent) {
	waiting := 0
	for i := range m.holes {
		waiting += len(m.holes[i].left)
	}
	left := segment.Holes(extents)
	if left = left[:min(len(left), maxHoles-waiting)]; len(left) > 0 {
		m.holes = append(m.holes, holes{id, left})
		m.more = true
	}
}

// giveBack punches some of the holes, and tells whether there are more.
func (m *maintenance) giveBack() bool {
	if len(m.holes) == 0 {
		return false
	}
	h := &m.holes[0]
	n := min(len(h.left), holesAStep)
	segment.GiveBack(m.s.db.opts.FS, m.s.db.segmentPath(m.s.cat.id, h.id), h.id, h.left[:n])
	if h.left = h.left[n:]; len(h.left) == 0 {
		m.holes = m.holes[1:]
	}
	return len(m.holes) > 0
}
