// Package proof makes and checks what a store gives away in writing: the
// [Receipt] of a delete and the [Certificate] of an erasure.
//
// Both are DSSE envelopes (secure-systems-lab/dsse) with a JSON body, and are
// checked offline with nothing but root's public key of the index, which the
// reader has from elsewhere. docs/format/proof.md has every field, and the
// commands by which a stranger checks one without this package.
//
// # What it promises
//
//   - What [Verify] answers was signed by root of that index, or by a user whom
//     root lists, in a listing that comes with the document, as a writer of that
//     index and epoch. Each kind of document is signed in a domain of its own
//     (crypto/labels.go): no other signature passes for one.
//   - A document has one form. Any other spelling of what was signed is refused,
//     whoever signed it, by an error that names the field: a field twice, left
//     out, too many, in another order; digits in upper case, another form of a
//     time, white space in the body, a second signature. So two readers of a
//     document never differ in what it says.
//   - [Receipt.Covers] shows to who has the ids and the index's id key that a
//     receipt is of exactly these ids. To others it gives away their number, and
//     of the ids nothing.
//   - A certificate says no more than that bytes were overwritten in the store's
//     own files and the overwrite synced, or beyond that the segments rewritten.
//     What that does not reach stands in it ([NotCovered]), and one that leaves a
//     statement out is refused, as is one of a file system that is known to write
//     elsewhere than in place.
//
// # What it does not
//
// A document is its signer's word. It shows who said something, not that it is
// so, and not when: the times are the signer's clock, and a user who has been
// taken out keeps key and listing, and can date a document back into the epoch
// in which it was listed. What places a receipt in time is the head of the log in
// it, held against the log or a ledger.
//
// # Limits
//
// A document has at most [MaxDocument] bytes, a certificate names at most
// [MaxReceipts] receipts, and a number is at most 2^53-1. Nothing is allocated
// before the size has been checked, and then no more than a small multiple of it.
package proof
