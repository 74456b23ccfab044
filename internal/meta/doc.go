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
//     directory, or the file where it is known. So is a log file, a table or a
//     manifest that is missing or another database's, and a manifest that was put
//     back to an earlier state: Pebble alone would answer from what it finds.
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
// Each log file and table begins with a head that names it and its database, and
// the file IDENTITY says which log files there have to be and how much of the
// manifest is durable (owned.go, docs/format/database.md).
//
// After the latch no compaction is begun. Memtables that are full are still
// flushed, into memory, so that a commit under way does not wait for room.
//
// # What it costs
//
// Up to 64 MiB of memtable and the cache at rest, with more memtables (at most
// 256 MiB) while the disk falls behind. A file of the log has up to 2 MiB written
// ahead of it (on Linux); Pebble keeps up to five old ones for reuse. IDENTITY
// costs a write and a sync for each log file that comes or goes and each change of
// the manifest: four or five when the database is opened, none in a commit.
//
// # Limits
//
// A log that was cut, or damaged in its last 32 KiB, is not told from one whose end
// a crash has torn: the commits behind that place are lost in silence, all of them
// and none before, and who needs to know compares with what was acknowledged.
// Damage further ahead of the log's end is told, and a log that is gone. A log put
// back to an earlier state is one that was cut. A copy of the whole directory has the
// same id: a file of one is not told from that of the same number of the other.
//
// A batch holds at most MaxBatch bytes. Erasure is not promised here: Pebble
// reuses log files without clearing them, and what is deleted stays in tables
// until they are compacted. Nothing that must be erased may be stored.
//
// Mutexes: DB.mu is a leaf, held for a few instructions. owned.mu is held while
// IDENTITY is written, below any lock of Pebble's, and takes none but the file
// system's.
package meta
