// Package ledger keeps a record of deletes outside of the store, so that a store
// that is put back to an earlier state can be told what it has to forget again.
//
// A ledger holds, an entry each: where it began to know an index, every group of
// the index's log that deletes something, the index's epoch records, and root's
// word that the index is gone. Each group is durable here before it is in the
// store. So a store never has a delete that its ledger lacks, and a ledger may be
// one group ahead without anything being wrong (several, for a store without
// syncs).
//
// # What it promises
//
// [Ledger.Append] returns nil when the entry is durable. After an error it takes
// nothing more. [File] is a ledger in one file. [Read] takes the entries of any
// ledger and answers a [History], in which [History.Compare] tells how an index
// of the store stands to it: the same, or behind by these groups. Everything else
// is refused, by one of four errors: [ErrNotOurs], [ErrCut], [ErrAltered],
// [ErrFork].
//
// # Who writes what, and when
//
//   - begin: before an index is made, or when a ledger is given to a store that
//     has indexes. A crash behind it leaves a ledger that knows an index that is
//     not there, which is nothing to hide deletes from. An index that the ledger
//     does not know is never one that a crash has left.
//   - epoch: the newest one behind begin, also before the index is made; a later
//     one behind its commit to the store, before anything is written in it. A
//     crash between leaves a ledger that lacks the store's newest record
//     ([Comparison.LacksEpoch]), which is then appended. A later one is not
//     written before its commit, since a change of epoch that is tried again
//     makes another record of the same number.
//   - group: before the group is committed to the store (wal.Config.Ledger).
//   - gone: before the index is dropped from the store. A crash between leaves
//     an index that root has deleted ([Comparison.Gone]); that is then finished.
//
// # What is checked
//
// The groups of an index are a chain: each names the hash of the one before. So
// who knows the hash of one of them has all before it for authentic, and [Read]
// checks the signatures only of those that lie behind the last one that the
// store has. With [Options.Full] it checks all of them.
//
// The checksum of a frame finds accidents. What finds intent are hashes and
// signatures, and these need one thing from elsewhere: that the epoch record
// which the store has is root's. Only who has a key knows that. So whoever loads
// an index holds the store's record against the key, and must come to the same
// position of the log as it was compared with here.
//
// # What it cannot tell
//
// A ledger is trusted to be kept. Entries that are missing at its end are told
// where the store has a group that they hold, or names an epoch behind theirs,
// and by nothing else: who cuts the ledger and puts back the store to the same
// moment is not noticed. Begin entries are not signed; one that was altered makes
// the ledger know less of the index, and the store is refused where that matters.
package ledger
