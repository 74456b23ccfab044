// Package tombstone holds what a delete leaves behind until maintenance has
// applied it: the record that stands in the log, the digest that a receipt
// carries, and the in-memory [Set] that readers consult.
//
// A tombstone is a token and a sequence number. It kills the rows of that token
// whose own number is below it, and no others. Of a delete the number is the
// delete's own. Of an expiry it is that of the row whose time has come, plus one: a
// row upserted meanwhile may bear the very number, and lives.
//
// # The record
//
// [AppendRecord] and [DecodeRecord] are the payload of one delete as the log
// seals it; docs/format/tombstone.md draws its bytes. The log authenticates the
// payload before it is decoded. The decoder refuses, and names, everything that
// the encoder does not write, so a delete has one encoding; it never allocates
// more than its input is long. [AppendExpiry] and [DecodeExpiry] are the same for
// the rows whose time has come.
//
// # The set
//
// A [Set] shows every call whole or not at all, and its readers take no lock:
//
//   - a call of many tokens is published first as the sorted slice it came in,
//     by one atomic store, then put into the tables token by token, after Add
//     has returned where there are many, then withdrawn as a slice; a reader looks at the slice before the tables, so
//     it cannot miss a token that moves from one to the other;
//   - a call of one token is put into its table directly, by one atomic store;
//   - a table only ever gains tokens, and a mark only ever rises; a table that is
//     full, or that a snapshot reads, is copied, and the copy's pointer stored.
//
// Invariants: the tables hold nothing that was not published before. What one
// look-up has shown, no later one takes back, by whichever goroutine. Sequence
// numbers may come in any order; the highest of a token counts.
//
// # Tokens that are not uniform
//
// Tokens are outputs of a pseudorandom function, so nobody chooses them but an
// authorised writer, who holds its key and can search for ids whose tokens
// agree in some bits. Uniformity is used for speed and never relied on: [Sort]
// falls back to O(n log n), the search of a published slice is binary, and the
// tables hash tokens under a random seed of the process. Tokens that agree in
// their first byte share one table; its growth then pauses the writer for the
// whole table, at the same cost a token on average.
//
// # Failure
//
// Decoding answers errors. AppendRecord panics on tokens that no decoder would
// take, and Set.Add on the sequence number 2^64-1; both are errors of the
// caller that would lose a delete. Nothing here does I/O. A set is bounded by
// its caller, who has [Set.Len] and [Set.Bytes] for it.
package tombstone
