package latchfs

import (
	"github.com/cockroachdb/errors/oserror"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// After the latch names are followed here and no longer on disk: which kept
// file a name stands for.

// kept answers the kept file of a name, or nil.
func (fs *FS) kept(name string) *shadow {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return fs.mu.shadows[name]
}

// keep makes name stand for s.
func (fs *FS) keep(name string, s *shadow) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.mu.shadows[name] = s
}

// forget drops what is kept under a name. Handles that are open on it still
// read it, as they would a removed file.
func (fs *FS) forget(name string) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	delete(fs.mu.shadows, name)
}

// discarding is a file that keeps in memory what is written to it.
func (fs *FS) discarding(name string, s *shadow) *file {
	f := &file{fs: fs, path: name, writable: true}
	f.kept.Store(s)
	fs.keep(name, s)
	return f
}

// discardingRandom opens a file after the latch as OpenReadWrite does: ReadAt
// reads what is on disk or kept, what is written is lost.
func (fs *FS) discardingRandom(name string) (vfs.File, error) {
	s := fs.kept(name)
	if s == nil {
		s = fs.shadowOf(name)
	}
	under, err := s.openUnder()
	if err != nil {
		return nil, err
	}
	f := fs.discarding(name, s)
	f.random, f.inner = true, under
	return f, nil
}

// shadowOf stands for a file as it is on disk, or for an empty one.
func (fs *FS) shadowOf(name string) *shadow {
	s := &shadow{fs: fs, name: fs.inner.PathBase(name), under: name}
	if fi, err := fs.inner.Stat(name); err == nil {
		s.base = fi.Size()
	}
	return s
}

// alias lets newname stand for what oldname stands for; with move, oldname no
// longer does. A move that was done, and told as failed, has the file under its new
// name.
func (fs *FS) alias(oldname, newname string, move bool) {
	s := fs.kept(oldname)
	if s == nil {
		at := oldname
		if _, err := fs.inner.Stat(oldname); move && oserror.IsNotExist(err) {
			at = newname
		}
		s = fs.shadowOf(at)
	}
	fs.keep(newname, s)
	if move {
		fs.forget(oldname)
	}
}
