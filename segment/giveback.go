package segment

import (
	"slices"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/crypto"
)

// diskBlock is the least that a file system gives back.
const diskBlock = 4096

// Holes are the whole disk blocks inside the extents, which it coalesces.
func Holes(extents []Extent) []Extent {
	sorted := slices.Clone(extents)
	slices.SortFunc(sorted, func(a, b Extent) int { return compareU64(a.Off, b.Off) })
	out := sorted[:0]
	for _, x := range Coalesce(sorted) {
		from, to := (x.Off+diskBlock-1)/diskBlock*diskBlock, x.End()/diskBlock*diskBlock
		if from < to {
			out = append(out, Extent{from, to - from})
		}
	}
	return out
}

// GiveBack gives blocks that [Overwrite] has filled with zeros, and synced, back to
// the file system by punching holes. Only then: a hole punched before would free
// blocks with the item still in them. It is a convenience, with no error: what is not
// given back, or comes back with a crash, holds zeros. A hole changes the file's map:
// of rows of 4 KB on ext4 it took 55 to 72 µs, where writing zeros over a row took
// 2.4. So nobody should wait for it.
func GiveBack(fs vfs.FS, path string, id crypto.SegmentID, holes []Extent) {
	if vfs.Root(fs) != vfs.Default {
		return // only the operating system's files have holes
	}
	h, _, err := openOwn(fs, path, id)
	if err != nil {
		return // destroyed meanwhile
	}
	for _, x := range holes {
		punch(h, x)
	}
	_ = h.Close()
}
