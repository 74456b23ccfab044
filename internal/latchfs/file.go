package latchfs

import (
	"io"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// file is a file opened for writing, or a directory opened for syncing.
type file struct {
	fs       *FS
	path     string
	inner    vfs.File // nil: made after the latch
	writable bool     // not a directory
	random   bool     // from OpenReadWrite: written bytes are not in order
	// written counts the bytes that Write handed to the inner file.
	written atomic.Int64
	// kept is set by the first write after the latch.
	kept atomic.Pointer[shadow]
}

var _ vfs.File = (*file)(nil)

// Write appends p. A short write is a failure, whatever its error.
func (f *file) Write(p []byte) (int, error) {
	if !f.fs.latched() {
		n, err := f.inner.Write(p)
		if err == nil && n < len(p) {
			err = io.ErrShortWrite
		}
		if f.fs.done("write", f.path, err) {
			f.written.Add(int64(n))
			return n, nil
		}
	}
	s := f.shadow()
	if f.random {
		s.lose(0)
	} else {
		s.append(p)
	}
	return len(p), nil
}

// WriteAt writes p at off. Once latched its bytes are lost, see the package's
// comment.
func (f *file) WriteAt(p []byte, off int64) (int, error) {
	if !f.fs.latched() {
		n, err := f.inner.WriteAt(p, off)
		if err == nil && n < len(p) {
			err = io.ErrShortWrite
		}
		if f.fs.done("write", f.path, err) {
			return n, nil
		}
	}
	f.shadow().lose(off + int64(len(p)))
	return len(p), nil
}

// Preallocate asks for space. It is advice: see the package's comment for the
// errors that do not latch.
func (f *file) Preallocate(off, length int64) error {
	if f.fs.latched() {
		return nil
	}
	err := f.inner.Preallocate(off, length)
	if unsupported(err) || adviceRefused(err) {
		return err
	}
	f.fs.done("preallocate", f.path, err)
	return nil
}

// Sync syncs data and metadata.
func (f *file) Sync() error {
	if !f.fs.latched() {
		f.fs.done("sync", f.path, f.inner.Sync())
	}
	return nil
}

// SyncData syncs data.
func (f *file) SyncData() error {
	if !f.fs.latched() {
		f.fs.done("sync", f.path, f.inner.SyncData())
	}
	return nil
}

// SyncTo starts syncing a prefix.
func (f *file) SyncTo(length int64) (fullSync bool, err error) {
	if !f.fs.latched() {
		full, err := f.inner.SyncTo(length)
		if f.fs.done("sync", f.path, err) {
			return full, nil
		}
	}
	return false, nil
}

// Close closes the inner file also once latched: that gives a descriptor back
// and writes nothing.
func (f *file) Close() error {
	if f.inner == nil {
		return nil
	}
	err := f.inner.Close()
	if !f.writable {
		return err
	}
	f.fs.done("close", f.path, err)
	return nil
}

// Stat describes the file as it would be had every write reached it. Of a file
// opened for writing an error latches: the rotation of Pebble's log panics on
// one.
func (f *file) Stat() (vfs.FileInfo, error) {
	if s := f.kept.Load(); s != nil {
		return s.info(), nil
	}
	fi, err := f.inner.Stat()
	if err == nil || !f.writable {
		return fi, err
	}
	f.fs.done("stat", f.path, err)
	return info{name: f.fs.inner.PathBase(f.path), size: f.written.Load()}, nil
}

// Read reads where Write left off, and behind what is kept there is nothing. A
// file from OpenReadWrite has lost its place once the latch is set.
func (f *file) Read(p []byte) (int, error) {
	switch {
	case f.kept.Load() == nil:
		return f.inner.Read(p)
	case f.random:
		return 0, f.fs.Err()
	}
	return 0, io.EOF
}

// ReadAt reads what was written, wherever it went.
func (f *file) ReadAt(p []byte, off int64) (int, error) {
	if s := f.kept.Load(); s != nil {
		return s.readAt(f.inner, p, off)
	}
	return f.inner.ReadAt(p, off)
}

// Prefetch is advice to the inner file.
func (f *file) Prefetch(off, length int64) error {
	if f.inner == nil {
		return nil
	}
	return f.inner.Prefetch(off, length)
}

// Fd is the inner file's descriptor. Pebble looks only at whether there is one.
func (f *file) Fd() uintptr {
	if f.inner == nil {
		return vfs.InvalidFd
	}
	return f.inner.Fd()
}

// shadow is what is kept of the file, begun at its first use.
func (f *file) shadow() *shadow {
	if s := f.kept.Load(); s != nil {
		return s
	}
	s := &shadow{fs: f.fs, name: f.fs.inner.PathBase(f.path), under: f.path, base: f.written.Load()}
	if f.random {
		s = f.fs.shadowOf(f.path)
	}
	if !f.kept.CompareAndSwap(nil, s) {
		return f.kept.Load() // another write began one at the same time
	}
	f.fs.keep(f.path, s)
	return s
}
