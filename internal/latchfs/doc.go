// Package latchfs wraps a file system so that the first mutation that fails is
// the last one that reaches it.
//
// Pebble does not survive a failed write: its Logger.Fatalf is meant to end the
// process, the rotation of its log panics while it holds a lock, and so does
// the marker that names its manifest. An embedded engine may do neither to its
// host. So Pebble never hears of a failure: the latch records the error, tells
// Pebble that the call was done, and from then on swallows every mutation,
// removals included, and reports each as done. Whoever acknowledges something
// to somebody asks [FS.Err] first.
//
// # Promises
//
//   - After the first failed mutation returned, no other one reaches the inner
//     file system. What it holds is what a crash at that moment could have
//     left, so that opening it again is an ordinary recovery. (Calls that were
//     under way in other goroutines at that moment may still complete there,
//     as they could before a crash.)
//   - Nothing is tried again: neither the call nor the file.
//   - Err is set before the call that failed returns.
//   - Once latched, Err never changes.
//   - Reading goes on. A file that was written to after the latch, wholly or in
//     part, is kept in memory and read from there under the name it was given,
//     because Pebble reads a table back as soon as it was told that it is
//     written. That memory is freed with the FS; a store that committed nothing
//     more after a failure writes at most the tables it held in memory.
//   - While healthy it costs one atomic load a call, and an atomic addition a
//     write.
//
// # What latches
//
// Every error of a call that changes something, and a write that is short
// without an error; with these exceptions, which Pebble copes with and which
// are therefore passed through:
//
//   - removing what does not exist;
//   - linking where links are not supported (Pebble copies instead);
//   - preallocation that is not supported, that finds no space or no quota, or
//     that was interrupted: it is advice, its error is ignored by Pebble, and a
//     nearly full disk must go on accepting deletes. Its other errors speak of
//     the device and latch.
//
// One call that changes nothing does latch: Stat of a file opened for writing.
// The rotation of Pebble's log asks for the size of a recycled file and panics
// when it gets an error.
//
// # Limits
//
// The inner file system must not change the bytes of a write that it then fails.
// vfs.File would allow it; files of the operating system do not do it.
//
// After the latch, List answers the names of the inner file system, and a file
// that was removed can still be opened. What WriteAt, or Write on a file from
// OpenReadWrite, would have put into a file is not kept: reading that file by
// name then answers the latch's error. Pebble does neither with files that it
// reads back.
package latchfs
