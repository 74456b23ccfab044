// Package wal is the write-ahead log of an index: sealed, hash-chained, signed
// records, group-committed over the store's small database.
//
// # What it promises
//
// When [Log.Append] returns nil the record is durable (unless the database was
// opened without syncs) and has been published, in sequence order. When it
// returns an error that is [fault.ErrFailed], the outcome is unknown until the
// store has been opened again, and the log takes nothing more. Any other error
// means that the record was not written.
//
// # Groups
//
// Calls that meet while a sync runs are committed together: one value and one
// sync a group. A group is a header in the clear, its records — each sealed by
// itself, so that one kind can be shown without the other — and one Ed25519
// signature by each principal that has a record in it. The hash of a group
// covers its header, in which the hash of the group before stands, and kind,
// writer, number and sealed bytes of its records: that is the chain, and the
// hash of the last group is its head.
//
// # The chain of deletes
//
// The header also names the last group before that has a record that deletes.
// So these groups are a chain of their own, which can be kept outside of the
// store without the others: a ledger ([Config.Ledger]). It holds a group in a
// second form, [Stubbed], in which a record that does not delete is a stub of 57
// bytes, and hash and signatures stay what they are. A log that has lost its
// newest groups goes on behind the ledger's last one, from [Stubbed.Position].
//
// # Invariants
//
//   - Group numbers and sequence numbers grow by one and are never used twice
//     in a history; the order of groups, of sequence numbers and of publication
//     is one order.
//   - A session is one run of the log: a random id, and a key derived from the
//     map key and that id. The nonce of a record is its sequence number, which
//     is used once in a session. After a crash or a failed write the session is
//     over; a new one goes on behind the last group that is there.
//   - A record counts only under a signature of the principal it names, who may
//     write in the epoch that the group names: its group's own, or that of the last
//     group with this name, which vouches for those before ([Replay]).
//
// What the chain cannot show by itself is that its tail is missing: a prefix of
// a valid log is a valid log. The manifest, receipts and a ledger carry heads for
// that.
package wal
