package main

import (
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// countFS counts what goes through it to the file system below: bytes written,
// and syncs that make something durable.
type countFS struct {
	vfs.FS
	bytes atomic.Int64
	syncs atomic.Int64
}

func newCountFS(fs vfs.FS) *countFS { return &countFS{FS: fs} }

// tally is what has been counted up to a moment.
type tally struct{ written, syncs int64 }

func (fs *countFS) tally() tally { return tally{fs.bytes.Load(), fs.syncs.Load()} }

// since is what has been counted since an earlier tally.
func (fs *countFS) since(t tally) tally {
	now := fs.tally()
	return tally{now.written - t.written, now.syncs - t.syncs}
}

func (fs *countFS) wrap(f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return &countFile{File: f, fs: fs}, nil
}

// Unwrap lets vfs.Root find the bottom.
func (fs *countFS) Unwrap() vfs.FS { return fs.FS }

func (fs *countFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := fs.FS.Create(name, c)
	return fs.wrap(f, err)
}

func (fs *countFS) ReuseForWrite(oldname, newname string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := fs.FS.ReuseForWrite(oldname, newname, c)
	return fs.wrap(f, err)
}

func (fs *countFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	f, err := fs.FS.OpenReadWrite(name, c, opts...)
	return fs.wrap(f, err)
}

func (fs *countFS) OpenDir(name string) (vfs.File, error) {
	f, err := fs.FS.OpenDir(name)
	return fs.wrap(f, err)
}

// countFile is a file opened for writing, or a folder opened for syncing.
type countFile struct {
	vfs.File
	fs *countFS
}

func (f *countFile) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	f.fs.bytes.Add(int64(n))
	return n, err
}

func (f *countFile) WriteAt(p []byte, off int64) (int, error) {
	n, err := f.File.WriteAt(p, off)
	f.fs.bytes.Add(int64(n))
	return n, err
}

func (f *countFile) Sync() error {
	f.fs.syncs.Add(1)
	return f.File.Sync()
}

func (f *countFile) SyncData() error {
	f.fs.syncs.Add(1)
	return f.File.SyncData()
}

// SyncTo counts when it turns out to be a whole sync: otherwise it promises
// nothing.
func (f *countFile) SyncTo(length int64) (bool, error) {
	full, err := f.File.SyncTo(length)
	if full {
		f.fs.syncs.Add(1)
	}
	return full, err
}
