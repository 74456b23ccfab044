package engine_test

import (
	"bytes"
	"strings"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// crashSwallow is a file system that lies: it reports zeros written to segments,
// or syncs of the database's files, as done and does not do them.
type crashSwallow struct {
	vfs.FS
	zeros, syncs atomic.Bool
}

func (s *crashSwallow) wrap(f vfs.File, err error, path string) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return &crashSwallowFile{File: f, fs: s, path: path}, nil
}

func (s *crashSwallow) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := s.FS.Create(name, c)
	return s.wrap(f, err, name)
}

func (s *crashSwallow) ReuseForWrite(oldname, newname string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := s.FS.ReuseForWrite(oldname, newname, c)
	return s.wrap(f, err, newname)
}

func (s *crashSwallow) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	f, err := s.FS.OpenReadWrite(name, c, opts...)
	return s.wrap(f, err, name)
}

type crashSwallowFile struct {
	vfs.File
	fs   *crashSwallow
	path string
}

func (f *crashSwallowFile) WriteAt(p []byte, off int64) (int, error) {
	if f.fs.zeros.Load() && strings.HasSuffix(f.path, ".seg") && len(bytes.Trim(p, "\x00")) == 0 {
		return len(p), nil
	}
	return f.File.WriteAt(p, off)
}

func (f *crashSwallowFile) lies() bool {
	return f.fs.syncs.Load() && strings.Contains(f.path, "/pebble/")
}

func (f *crashSwallowFile) Sync() error {
	if f.lies() {
		return nil
	}
	return f.File.Sync()
}

func (f *crashSwallowFile) SyncData() error {
	if f.lies() {
		return nil
	}
	return f.File.SyncData()
}

func (f *crashSwallowFile) SyncTo(n int64) (bool, error) {
	if f.lies() {
		return true, nil
	}
	return f.File.SyncTo(n)
}
