// Package meta is the one small database of a store: everything that is not
// item bytes. It holds the log's groups, the catalogue, epoch records, grants, anchors,
// manifests, segment states and dead records, under the keys of
// keys.go (docs/format/database.md). It knows nothing of what they say. Below it is
// Pebble, which no caller sees.
//
// # Promises
//
//   - A batch is committed whole or not at all, also across a crash. When
//     [DB.Commit] answers nil the batch is durable.
//   - Commits are durable in their order: a crash that loses one loses all
//     after it.
//   - A failed write never ends the process, never hangs a call and never is
//     told as done. From the first one on every commit answers fault.ErrFailed
//     until the database has been opened again, which is an ordinary crash
//     recovery; reads go on; Close returns.
//   - Damage on disk is a fault.CorruptionError whose path is the database's
//     directory.
//
// # How
//
// Pebble runs on a latching file system (package latchfs) and never hears of a
// failed write. Commit looks at the latch before it hands Pebble anything and
// again before it answers: what Pebble calls done counts only if nothing failed
// up to then. So neither Pebble's Logger.Fatalf nor the panics in the rotation
// of its log and its manifest marker are reached by an error of the disk.
//
// A database is made beside its place and renamed into it, and a directory is
// synced before a marker in it comes or goes (ordered.go): so no crash, even on
// a file system that keeps directory entries in any order, leaves a database
// that does not open or that looks empty.
//
// After the latch no compaction is begun. Memtables that are full are still
// flushed, into memory, so that a commit under way does not wait for room.
//
// # What it costs
//
// Up to 64 MiB of memtable and the cache at rest, with more memtables (at most
// 256 MiB) while the disk falls behind. A file of the log has up to 2 MiB written
// ahead of it (on Linux); Pebble keeps up to five old ones for reuse.
//
// # Limits
//
// Damage in the last 32 KiB of the log is not told from the torn end that a
// crash leaves: the commits there are lost in silence, and who needs to know
// compares with what was acknowledged. Damage before that is told.
//
// A batch holds at most MaxBatch bytes. Erasure is not promised here: Pebble
// reuses log files without clearing them, and what is deleted stays in tables
// until they are compacted. Nothing that must be erased may be stored.
//
// Mutexes: DB.mu is a leaf, held for a few instructions.
package meta
