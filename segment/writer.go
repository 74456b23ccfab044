package segment

import (
	"crypto/cipher"
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/crypto"
)

var errWriterClosed = errors.New("segment writer is closed")

// Writer is a segment being written. It is safe for concurrent use. The first
// I/O error poisons it for good.
type Writer struct {
	file   *File
	aead   cipher.AEAD
	commit crypto.Hash

	// disk is held over every physical write and sync: vfs.File allows one at a
	// time. written counts the writes that are done; it grows under the lock.
	disk    sync.Mutex
	written atomic.Uint64
	synced  uint64 // guarded by disk: the writes that a sync has covered

	// mu guards what is reserved and the error; it is never held over I/O.
	mu struct {
		sync.Mutex
		rows   uint32
		end    uint64
		under  []uint64 // where the space of the Appends under way begins
		err    error
		closed bool
	}
}

// Create makes a segment file with a fresh data key sealed to the epoch's
// reader key. A file that is there already is refused.
//
// Before the call, the caller has recorded the id durably, so that an opener
// knows of the file whatever happens. Then, in this order:
//
//  1. the file is made: a crash leaves it with no name, or empty;
//  2. slot 0 and an empty slot 1 are written: a crash leaves any part of them;
//  3. the file is synced.
//
// The name is durable when the caller has synced the directory. Before the
// caller's record calls the segment live, all that is left is an id recorded
// as being built, and the next opener destroys the file: it holds no row that
// anything points to. An error removes nothing, for the same reason.
func Create(fs vfs.FS, path string, id Identity, reader crypto.ReaderPublic) (*Writer, error) {
	secret := crypto.NewSecret()
	defer secret.Wipe()
	sealed, err := crypto.SealDEK(reader, id.dekInfo(), secret)
	if err != nil {
		return nil, fmt.Errorf("create segment %s: seal the data key: %w", path, err)
	}
	s := slot{id: id, reader: reader.Hash(), sealed: sealed}
	h, err := createFile(fs, path, s)
	if err != nil {
		return nil, fmt.Errorf("create segment: %w", err)
	}
	w := &Writer{
		file:   newFile(h, path, id),
		aead:   crypto.NewAEAD(secret),
		commit: crypto.CommitDEK(secret, id.Index, id.Segment),
	}
	w.mu.end = DataStart
	w.file.mu.slots[0] = &s
	w.file.key.Store(&dek{aead: w.aead, commit: w.commit})
	w.file.Retain() // one reference is the writer's, one the caller's
	return w, nil
}

// createFile uses OpenReadWrite because that alone allows WriteAt.
func createFile(fs vfs.FS, path string, s slot) (vfs.File, error) {
	switch _, err := statSelf(fs, path); {
	case err == nil:
		return nil, fmt.Errorf("%s: %w", path, iofs.ErrExist)
	case !errors.Is(err, iofs.ErrNotExist):
		return nil, err
	}
	h, err := fs.OpenReadWrite(path, writeCategory)
	if err != nil {
		return nil, err
	}
	header := make([]byte, DataStart)
	copy(header, s.encode())
	if err := writeFull(h, header, 0); err != nil {
		_ = h.Close()
		return nil, err
	}
	if err := h.Sync(); err != nil {
		_ = h.Close()
		return nil, err
	}
	return h, nil
}

// writeFull is WriteAt with a short write as an error. The bytes are the
// file's to change: nobody uses b's contents afterwards.
func writeFull(h vfs.File, b []byte, off uint64) error {
	n, err := h.WriteAt(b, int64(off))
	if err == nil && n != len(b) {
		err = io.ErrShortWrite
	}
	return err
}

// File is the file itself, unlocked, for reads of rows already written. It
// carries a reference that is the caller's from Create on: to be released
// once, however often File is called. The writer's own goes with Close.
func (w *Writer) File() *File { return w.file }

// DEKCommitment commits to the data key; the signed record that makes the
// segment live holds it.
func (w *Writer) DEKCommitment() crypto.Hash { return w.commit }

// Size is the reserved end of the row area: an offset.
func (w *Writer) Size() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return int64(w.mu.end)
}

// Rows is how many row numbers are reserved.
func (w *Writer) Rows() uint32 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mu.rows
}

// Settled is an offset before which nothing is written any more: every Append
// that has reserved space there has returned. Until it has, there may be a hole in
// front of what a later one has written.
func (w *Writer) Settled() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.mu.under) == 0 {
		return w.mu.end
	}
	return slices.Min(w.mu.under)
}

// Err is the error that poisoned the writer, or nil.
func (w *Writer) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mu.err
}

// fail poisons the writer; the first error stays.
func (w *Writer) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.mu.err == nil {
		w.mu.err = err
	}
}

// reserve takes row numbers and space, which are never given back: a nonce
// that may have been used is not used again.
func (w *Writer) reserve(rows int, size uint64) (first uint32, off uint64, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.mu.err != nil:
		return 0, 0, w.mu.err
	case uint64(rows) > uint64(math.MaxUint32-w.mu.rows):
		return 0, 0, fmt.Errorf("segment %s: %d more rows than the %d there exceed row numbers", w.file.path, rows, w.mu.rows)
	case size > maxDataEnd-w.mu.end:
		return 0, 0, fmt.Errorf("segment %s: %d more bytes exceed the greatest length of a segment", w.file.path, size)
	}
	first, off = w.mu.rows, w.mu.end
	w.mu.rows += uint32(rows)
	w.mu.end += size
	w.mu.under = append(w.mu.under, off)
	return first, off, nil
}

// arrived ends the Append whose space begins at off.
func (w *Writer) arrived(off uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.Index(w.mu.under, off)
	w.mu.under = slices.Delete(w.mu.under, i, i+1)
}

// write puts sealed bytes on disk, unless the writer is poisoned.
func (w *Writer) write(b []byte, off uint64) {
	w.disk.Lock()
	defer w.disk.Unlock()
	if w.Err() != nil {
		return
	}
	err := writeFull(w.file.f, b, off)
	if err == nil && len(b) >= minChunk { // the disk begins while more is sealed
		err = startWriteback(w.file.f, off, len(b))
	}
	if err != nil {
		w.fail(fmt.Errorf("write segment %s at offset %d: %w", w.file.path, off, err))
		return
	}
	w.written.Add(1)
}

// Sync makes every Append durable that returned before the call. Callers that
// wait for the same lock share one sync: a sync covers the writes that were
// done when it began, and who finds his own covered has nothing to do. A sync
// that failed is never tried again: the kernel may have dropped the pages and
// would answer that all is well.
//
// A crash before Sync returns leaves any part of what was not synced, which
// nothing durable points to yet; the caller records the pointers after Sync.
func (w *Writer) Sync() error {
	mine := w.written.Load()
	w.disk.Lock()
	defer w.disk.Unlock()
	if err := w.Err(); err != nil || w.synced >= mine {
		return err
	}
	covers := w.written.Load()
	if err := w.file.f.SyncData(); err != nil {
		w.fail(fmt.Errorf("sync segment %s: %w", w.file.path, err))
		return w.Err()
	}
	w.synced = covers
	return nil
}

// Close ends the writing; it does not sync. The File stays usable until the
// caller has released it. Closing twice does nothing.
func (w *Writer) Close() error {
	w.disk.Lock() // a write under way ends first
	defer w.disk.Unlock()
	w.mu.Lock()
	was := w.mu.closed
	w.mu.closed = true
	if w.mu.err == nil {
		w.mu.err = errWriterClosed
	}
	w.mu.Unlock()
	if !was {
		w.file.Release()
	}
	return nil
}
