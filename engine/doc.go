// Package engine is the embedded, encrypted store of vector items whose deletes
// are durable and hidden when [Index.Delete] returns, erased from the disk
// within [Options].PurgeWithin, on any crash.
//
// # What it promises
//
//   - Delete and Upsert are atomic, and durable when they return (unless
//     Options.NoSync).
//   - From the moment Delete returns, no read shows the item: not Get, not a
//     listing, not an iterator that is half-way.
//   - An item with ExpiresAt is hidden from that moment of the clock on, and then
//     deleted as by a Delete of that moment.
//   - Within PurgeWithin of a delete, while a writer's keys are at hand, every
//     byte of the item — sealed id, vector, contents, metadata — has been
//     overwritten in every file of the store and the overwrite synced. Purge
//     waits for it. An overwrite that a crash interrupted is finished at the
//     next Open, by whoever opens, without a key.
//   - What is read from disk is authenticated before use; what does not fit is
//     a [CorruptionError], never a wrong answer. One thing cannot be told after a
//     crash: a log that was cut short, or is damaged in its last records, looks like
//     one whose end the crash has torn off. The calls from there on are gone, all of
//     them and none before; with a ledger the deletes among them are not. Where the
//     store was closed in good order it is told.
//   - An I/O error never ends the process. A failure of the log makes every
//     later write answer ErrFailed until the store is opened again; reads go on.
//
// # Who may what
//
// The index key is root's: it may everything. Root lets users in, each with a key
// of its own and a permission to read, to write, or both ([Index.CreateUserKeys]);
// a call says whose key it brings with [WithIndexKey] and [WithUserID]. Permissions
// are not flags: who may not read has no key that opens a row, and who may not
// write has none whose signature is accepted. Taking a user out, or giving root a
// new key, begins a new epoch: keys are drawn anew and what the old ones opened is
// overwritten ([Index.DeleteUserKeys], [Index.RotateKey]).
//
// Placing and overwriting what is dead needs the keys of somebody who may write,
// moving rows those of somebody who may read as well. An index keeps, for that
// alone, the keys of the last caller of each kind until the store is closed, also
// of calls through a keyless handle. Where no writer has come yet a delete from
// before stays hidden and waits: EventListener.Waiting, Metrics and Close say so. So
// does what has expired; but when things expire is sealed, so that nobody is told it
// of an index that nobody has unlocked.
// An erasure that has been placed is finished by Open, without a key.
//
// # Proof
//
// A [Receipt] names a delete by its place in the log. [Index.Status] answers what
// has become of it, for as long as Options.KeepStatus says with figures and times;
// a receipt that this store's history does not hold is ErrCorrupt.
// [Index.SignReceipt], [Index.Certify] and [Index.Purge] make documents that
// others check with root's public key alone (package proof).
//
// A ledger (package ledger, Options.Ledger) has every delete before the store has
// it. So a store that was put back to an earlier state is told, and takes what it
// lacks from the ledger: what was deleted hides before anything can be read, the
// first writer's keys erase it, and no number of a delete is given out again.
//
// # Backups
//
// [DB.Backup] writes the whole store to a stream while it is used, of one moment
// and without a key; [Restore] makes a store of it. Erasures keep their deadline
// meanwhile. The stream itself is a copy outside of the store.
//
// # How it is built
//
// Item bytes live in segment files alone (package segment). The log (package
// wal) holds sealed pointers and tombstones. An index that somebody has
// unlocked is one state for all handles: memtables of the segments that are
// open, the tombstones not yet applied, and an immutable, reference-counted
// view of segments and dead sets that readers hold while they read. One
// maintenance goroutine an index logs what has expired, applies, erases, seals and
// rewrites, one after the other, so no two of these ever race.
//
// # Lock order
//
// DB.mu, then state.rollMu (which segment is active), then state.installMu (the
// manifest and swaps of the view; held across a commit), then state.publishMu
// (a group becoming visible), then state.mu (view, memtables, counters; never
// held across I/O). DB.gate, which keeps changes in place and a backup's last step
// apart, comes before DB.mu and state.installMu, and may be taken under
// state.rollMu.
package engine
