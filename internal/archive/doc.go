// Package archive is the format of a backup: one stream that holds a store's
// segment files in pieces, and every record of its database
// (docs/format/backup.md). It knows nothing of what they say.
//
// A [Writer] makes it, [Read] takes it apart. Every frame has its checksum, and
// the last one the SHA-256 of all before it: a stream that was cut, one that was
// altered, one that is none and one of a newer version are told apart. That finds
// accidents. Whoever makes up a stream makes up its checksums as well: what
// stands in it is authenticated by the store's keys when it is used, not here.
package archive
