// Package residue searches every byte of every file under a folder for byte
// strings that were noted before ("needles"): many thousands of them in one
// pass. It is the evidence that an erasure has happened, so it knows nothing of
// the store, its formats or its keys: it reads files as they are.
//
// # What it promises
//
//   - Every file below the folder is read from its first byte to its last,
//     whatever its name; one that cannot be read is an error, never a silent
//     gap. Files that come while the search goes on are searched, too, so what
//     is renamed in the meantime is not missed. A file that is gone before it
//     could be opened is counted (Stats.Vanished).
//   - Each occurrence of each needle is one hit, overlapping ones and those
//     across the boundary of two reads as well.
//
// Who wants to find a part of a sealed field that survived cuts the field up
// with [Pieces] first: every surviving run of 2·size − 1 bytes holds a whole
// piece.
//
// # How it works
//
// Of every needle a run of s neighbouring 8-byte windows goes into a table, and
// only every s-th byte of a file is looked at: of an occurrence exactly one
// window stands at such a place (q-samples: E. Sutinen, J. Tarhio, "Filtration
// with q-samples in approximate string matching", CPM 1996). A window that the
// table knows is then compared with the whole needle. s is the longest that the
// shortest needle allows, at most 16. The run is chosen where the needle's bytes
// differ from one another, because the zeros of an erased area would otherwise
// be a candidate at every byte.
//
// # What it does not see
//
// Bytes that are written behind its back, into a part of a file that it has
// read already; what no file shows: blocks that the file system has freed, the
// disk's own spare blocks, snapshots.
package residue
