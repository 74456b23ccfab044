// Package compaction decides and prepares what maintenance does to segments:
// which rows a set of deletes and newer versions kills ([Find]), what the
// signed manifest and the dead records say of it, which segments are worth
// rewriting ([Plan]), and the copying of their live rows ([Copy]).
//
// It holds no state and starts nothing: package engine owns the views that
// readers hold, calls it from the one maintenance goroutine of an index, and
// installs what it prepares. Nothing here decides by anything but its
// arguments, so that each decision is tested without a disk.
//
// # Invariants
//
//   - A kill at sequence number S kills rows of its token numbered below S, and
//     no other.
//   - A dead record names extents inside one segment's row area; a segment's
//     manifest entry carries the hash of its dead record, and the manifest is
//     signed, so an extent counts only when a writer placed it.
//   - Generations of a dead record grow by one with every change. The erased
//     mark names the last generation whose extents have been overwritten and
//     synced; losing it costs a second overwrite of the same dead bytes.
package compaction
