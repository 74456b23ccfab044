// Package segment holds the only files in which item bytes live.
//
// A segment is written once by a [Writer], read through a [File], closed with
// a signed, sealed index ([WriteIndex], [Table]), erased in part by
// [Overwrite] and as a whole by [Destroy]. The bytes are laid out as
// docs/format/segment.md shows them:
//
//	header slot 0 | header slot 1 | rows ... | index blocks | filter | top | footer | tail
//
// A row is up to three fields, each compressed and sealed by itself under the
// segment's data key (DEK): vector, contents, head (id and metadata).
//
// # Promises
//
//   - A nonce is used once. A DEK is drawn by [Create] and known to that one
//     Writer; a row number, once reserved, is never given back, and the nonce is
//     (row number, field). No file is ever opened to append to it. The index is
//     sealed under a key of its own, derived with a fresh salt.
//   - Nothing is answered that was not authenticated: a field is held against
//     the 16-byte commitment in its [Pointer] first and opened second, because
//     who knows a key can make another ciphertext with the same Poly1305 tag.
//   - Lengths are held against limits and the file's size before they size an
//     allocation.
//   - Destroying needs no key. It is bounded by the segment's id and by the area
//     that the caller names, never by a path alone.
//
// # How it fails
//
// Bytes that are not what was written are a [fault.CorruptionError] with path
// and offset; it wraps fault.ErrForeign, ErrNewer or ErrDamaged where these can
// be told apart. A failed read of the disk that says nothing about the bytes is
// answered as it came, with the path. The first failed write or sync poisons a
// Writer for good: every later call answers that error and nothing is written.
//
// # Locks
//
// In a Writer: disk before mu, and disk before the File's mu. A File's mu guards
// its header slots; Reseal alone holds it over I/O, and reads of rows never take
// it.
package segment
