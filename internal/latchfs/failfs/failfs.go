// Package failfs is a file system for tests that fails the mutation of one's
// choice: also a Close, also in a recycled file, and also in ways in which disks
// fail, that is with the deed done or half done.
package failfs

import (
	"bytes"
	"errors"
	"os"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// ErrInjected is the error of every call that fails.
var ErrInjected = errors.New("injected failure")

// Verdict says what becomes of a call.
type Verdict int

// Pass does the call. Refuse fails it without doing it, Late does it and then
// fails it. Short writes half of the bytes and answers no error; a call that is
// not a write it refuses.
const (
	Pass Verdict = iota
	Refuse
	Late
	Short
)

// FS asks before each mutation: decide gets the mutation's number, counted from
// 0, its name (create, reuse, open, link, rename, remove, removeall, mkdir,
// write, preallocate, sync, close, stat of a file opened for writing) and the
// path, the old one where there are two. It is called by many goroutines.
type FS struct {
	vfs.FS
	n      atomic.Int64
	decide func(n int, op, path string) Verdict
}

// New wraps inner.
func New(inner vfs.FS, decide func(n int, op, path string) Verdict) *FS {
	return &FS{FS: inner, decide: decide}
}

// Count is how many mutations were asked for.
func (fs *FS) Count() int { return int(fs.n.Load()) }

// Unwrap answers the inner file system.
func (fs *FS) Unwrap() vfs.FS { return fs.FS }

func (fs *FS) ask(op, path string) Verdict {
	return fs.decide(int(fs.n.Add(1))-1, op, path)
}

// do does a call as decided.
func (fs *FS) do(op, path string, call func() error) error {
	switch fs.ask(op, path) {
	case Pass:
		return call()
	case Late:
		_ = call() // its own error would be told in place of the injected one
	}
	return ErrInjected
}

// make makes a file as decided. One that came late is closed: its maker never
// sees it.
func (fs *FS) make(op, asked, path string, call func() (vfs.File, error)) (vfs.File, error) {
	v := fs.ask(op, asked)
	if v == Refuse || v == Short {
		return nil, ErrInjected
	}
	f, err := call()
	if err != nil {
		return nil, err
	}
	if v == Late {
		_ = f.Close()
		return nil, ErrInjected
	}
	return &file{File: f, fs: fs, path: path}, nil
}

// Create may fail.
func (fs *FS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return fs.make("create", name, name, func() (vfs.File, error) { return fs.FS.Create(name, c) })
}

// ReuseForWrite may fail.
func (fs *FS) ReuseForWrite(oldname, newname string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return fs.make("reuse", oldname, newname, func() (vfs.File, error) { return fs.FS.ReuseForWrite(oldname, newname, c) })
}

// OpenReadWrite may fail.
func (fs *FS) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	return fs.make("open", name, name, func() (vfs.File, error) { return fs.FS.OpenReadWrite(name, c, opts...) })
}

// OpenDir does not fail, Sync of what it answers may.
func (fs *FS) OpenDir(name string) (vfs.File, error) {
	f, err := fs.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &file{File: f, fs: fs, path: name, dir: true}, nil
}

// Link may fail.
func (fs *FS) Link(oldname, newname string) error {
	return fs.do("link", oldname, func() error { return fs.FS.Link(oldname, newname) })
}

// Rename may fail.
func (fs *FS) Rename(oldname, newname string) error {
	return fs.do("rename", oldname, func() error { return fs.FS.Rename(oldname, newname) })
}

// Remove may fail.
func (fs *FS) Remove(name string) error {
	return fs.do("remove", name, func() error { return fs.FS.Remove(name) })
}

// RemoveAll may fail.
func (fs *FS) RemoveAll(name string) error {
	return fs.do("removeall", name, func() error { return fs.FS.RemoveAll(name) })
}

// MkdirAll may fail.
func (fs *FS) MkdirAll(dir string, perm os.FileMode) error {
	return fs.do("mkdir", dir, func() error { return fs.FS.MkdirAll(dir, perm) })
}

type file struct {
	vfs.File
	fs   *FS
	path string
	dir  bool
}

func (f *file) write(p []byte, call func([]byte) (int, error)) (int, error) {
	switch f.fs.ask("write", f.path) {
	case Pass:
		return call(p)
	case Late:
		_, _ = call(bytes.Clone(p)) // a file may change what it is given; one that fails had better not
	case Short:
		if len(p) > 0 { // nothing cannot be cut short
			return call(bytes.Clone(p[:len(p)/2]))
		}
	}
	return 0, ErrInjected
}

func (f *file) Write(p []byte) (int, error) { return f.write(p, f.File.Write) }

func (f *file) WriteAt(p []byte, off int64) (int, error) {
	return f.write(p, func(p []byte) (int, error) { return f.File.WriteAt(p, off) })
}

func (f *file) Preallocate(off, n int64) error {
	return f.fs.do("preallocate", f.path, func() error { return f.File.Preallocate(off, n) })
}

func (f *file) Sync() error { return f.fs.do("sync", f.path, f.File.Sync) }

func (f *file) SyncData() error { return f.fs.do("sync", f.path, f.File.SyncData) }

func (f *file) SyncTo(n int64) (full bool, err error) {
	err = f.fs.do("sync", f.path, func() (err error) { full, err = f.File.SyncTo(n); return err })
	return full, err
}

// Close gives the file back whatever is decided, as close(2) does.
func (f *file) Close() error {
	if f.dir {
		return f.File.Close()
	}
	v := f.fs.ask("close", f.path)
	if err := f.File.Close(); err != nil || v == Pass {
		return err
	}
	return ErrInjected
}

func (f *file) Stat() (vfs.FileInfo, error) {
	if !f.dir && f.fs.ask("stat", f.path) != Pass {
		return nil, ErrInjected
	}
	return f.File.Stat()
}
