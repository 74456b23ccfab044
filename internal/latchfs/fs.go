package latchfs

import (
	"io"
	iofs "io/fs"
	"os"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/errors/oserror"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// FS is a latching file system. It is safe for concurrent use.
type FS struct {
	inner   vfs.FS
	onLatch func(error)
	failed  atomic.Pointer[error]

	// mu guards what is kept of files written after the latch. It is a leaf:
	// nothing is called while it is held but the inner file system.
	mu struct {
		sync.Mutex
		shadows map[string]*shadow
	}
}

var _ vfs.FS = (*FS)(nil)

// New wraps inner. onLatch, which may be nil, is called once, with what Err
// answers from then on, by the goroutine whose call failed and before that call
// returns. Pebble may hold any of its locks then, so onLatch must not call it.
func New(inner vfs.FS, onLatch func(error)) *FS {
	fs := &FS{inner: inner, onLatch: onLatch}
	fs.mu.shadows = make(map[string]*shadow)
	return fs
}

// Err is nil, or what was latched: the error of the first mutation that failed,
// an [iofs.PathError] that names operation and path, or what Fail was given.
func (fs *FS) Err() error {
	if p := fs.failed.Load(); p != nil {
		return *p
	}
	return nil
}

// Fail latches err, which somebody else found, unless the latch is set already.
func (fs *FS) Fail(err error) {
	if fs.failed.CompareAndSwap(nil, &err) && fs.onLatch != nil {
		fs.onLatch(err)
	}
}

func (fs *FS) latched() bool { return fs.failed.Load() != nil }

// done latches an error of a mutation. It tells whether the mutation reached
// the inner file system, which is what every caller wants to know next.
func (fs *FS) done(op, path string, err error) bool {
	if err == nil {
		return true
	}
	fs.Fail(&iofs.PathError{Op: op, Path: path, Err: err})
	return false
}

// Create makes a file, or, once latched, one that is kept in memory.
func (fs *FS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if !fs.latched() {
		f, err := fs.inner.Create(name, c)
		if fs.done("create", name, err) {
			return &file{fs: fs, path: name, inner: f, writable: true}, nil
		}
	}
	return fs.discarding(name, &shadow{fs: fs, name: fs.inner.PathBase(name)}), nil
}

// ReuseForWrite renames a file and opens it for writing. Once latched, the file
// under the new name is a new one, which vfs.FS allows.
func (fs *FS) ReuseForWrite(oldname, newname string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if !fs.latched() {
		f, err := fs.inner.ReuseForWrite(oldname, newname, c)
		if fs.done("reuse", oldname, err) {
			return &file{fs: fs, path: newname, inner: f, writable: true}, nil
		}
	}
	return fs.discarding(newname, &shadow{fs: fs, name: fs.inner.PathBase(newname)}), nil
}

// OpenReadWrite opens a file for reading and writing, and makes it when it is
// missing.
func (fs *FS) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	if !fs.latched() {
		f, err := fs.inner.OpenReadWrite(name, c, opts...)
		if fs.done("open for writing", name, err) {
			return &file{fs: fs, path: name, inner: f, writable: true, random: true}, nil
		}
	}
	return fs.discardingRandom(name)
}

// Link makes a hard link. An error that says links are not supported here is
// passed through: vfs.LinkOrCopy copies then.
func (fs *FS) Link(oldname, newname string) error {
	if !fs.latched() {
		err := fs.inner.Link(oldname, newname)
		if unsupported(err) {
			return err
		}
		if fs.done("link", newname, err) {
			return nil
		}
	}
	fs.alias(oldname, newname, false)
	return nil
}

// Rename renames a file.
func (fs *FS) Rename(oldname, newname string) error {
	if !fs.latched() && fs.done("rename", oldname, fs.inner.Rename(oldname, newname)) {
		return nil
	}
	fs.alias(oldname, newname, true)
	return nil
}

// Remove removes a file. That there is none is passed through and is no
// failure.
func (fs *FS) Remove(name string) error {
	if !fs.latched() {
		err := fs.inner.Remove(name)
		if oserror.IsNotExist(err) {
			return err
		}
		if fs.done("remove", name, err) {
			return nil
		}
	}
	fs.forget(name)
	return nil
}

// RemoveAll removes a directory and what is in it. That there is none is passed
// through and is no failure.
func (fs *FS) RemoveAll(name string) error {
	if !fs.latched() {
		err := fs.inner.RemoveAll(name)
		if oserror.IsNotExist(err) {
			return err
		}
		if fs.done("remove all", name, err) {
			return nil
		}
	}
	fs.forget(name)
	return nil
}

// MkdirAll makes a directory and its parents.
func (fs *FS) MkdirAll(dir string, perm os.FileMode) error {
	if !fs.latched() {
		fs.done("make directory", dir, fs.inner.MkdirAll(dir, perm))
	}
	return nil
}

// Open opens a file for reading. Its errors never latch.
func (fs *FS) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	if fs.latched() {
		if s := fs.kept(name); s != nil {
			return s.open(opts...)
		}
	}
	return fs.inner.Open(name, opts...)
}

// OpenDir opens a directory for syncing. Its errors never latch; those of Sync
// on what it answers do.
func (fs *FS) OpenDir(name string) (vfs.File, error) {
	f, err := fs.inner.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &file{fs: fs, path: name, inner: f}, nil
}

// Stat describes a file. Its errors never latch.
func (fs *FS) Stat(name string) (vfs.FileInfo, error) {
	if fs.latched() {
		if s := fs.kept(name); s != nil {
			return s.info(), nil
		}
	}
	return fs.inner.Stat(name)
}

// List passes through, see the limits in the package's comment.
func (fs *FS) List(dir string) ([]string, error) { return fs.inner.List(dir) }

// Lock passes through: a lock that is not had must be told, and is not held by
// anything that is written.
func (fs *FS) Lock(name string) (io.Closer, error) { return fs.inner.Lock(name) }

// PathBase passes through.
func (fs *FS) PathBase(path string) string { return fs.inner.PathBase(path) }

// PathJoin passes through.
func (fs *FS) PathJoin(elem ...string) string { return fs.inner.PathJoin(elem...) }

// PathDir passes through.
func (fs *FS) PathDir(path string) string { return fs.inner.PathDir(path) }

// GetDiskUsage passes through.
func (fs *FS) GetDiskUsage(path string) (vfs.DiskUsage, error) { return fs.inner.GetDiskUsage(path) }

// Unwrap answers nil: vfs.Root stops here, so that nobody who asks for the
// bottom of the stack gets a file system that the latch does not guard.
func (fs *FS) Unwrap() vfs.FS { return nil }
