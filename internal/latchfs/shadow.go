package latchfs

import (
	"io"
	iofs "io/fs"
	"os"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// shadow is a file as Pebble believes it to be once the latch is set: the first
// base bytes of an inner file, then what was written since.
type shadow struct {
	fs    *FS
	name  string // the last element of its path
	under string // path of the inner file that holds the first base bytes
	base  int64

	mu struct {
		sync.RWMutex
		tail []byte
		lost int64 // end of what was written out of order; such bytes are not kept
		torn bool  // some of them were
	}
}

// append keeps p, which the caller may change later.
func (s *shadow) append(p []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.tail = append(s.mu.tail, p...)
}

// lose notes a write out of order that ends at end.
func (s *shadow) lose(end int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.lost, s.mu.torn = max(s.mu.lost, end), true
}

func (s *shadow) size() int64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return max(s.base+int64(len(s.mu.tail)), s.mu.lost)
}

// readAt reads from both parts. under is open on the inner file, or nil when
// base is 0.
func (s *shadow) readAt(under vfs.File, p []byte, off int64) (int, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.mu.torn {
		return 0, s.fs.Err()
	}
	n := 0
	if part := s.base - off; part > 0 {
		want := p[:min(part, int64(len(p)))]
		got, err := under.ReadAt(want, off)
		if got < len(want) {
			return got, err
		}
		n = got
	}
	if n == len(p) {
		return n, nil
	}
	from := off + int64(n) - s.base
	if from < int64(len(s.mu.tail)) {
		n += copy(p[n:], s.mu.tail[from:])
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// open makes a handle for reading.
func (s *shadow) open(opts ...vfs.OpenOption) (vfs.File, error) {
	under, err := s.openUnder()
	if err != nil {
		return nil, err
	}
	r := &reader{shadow: s, under: under}
	for _, o := range opts {
		o.Apply(r)
	}
	return r, nil
}

// openUnder opens the inner file, or answers nil when nothing is read from it.
func (s *shadow) openUnder() (vfs.File, error) {
	if s.base == 0 {
		return nil, nil
	}
	return s.fs.inner.Open(s.under)
}

func (s *shadow) info() vfs.FileInfo { return info{name: s.name, size: s.size()} }

// info describes a kept file. It has no time of change and no device.
type info struct {
	name string
	size int64
}

func (i info) Name() string           { return i.name }
func (i info) Size() int64            { return i.size }
func (i info) Mode() os.FileMode      { return 0o644 }
func (i info) ModTime() time.Time     { return time.Time{} }
func (i info) IsDir() bool            { return false }
func (i info) Sys() any               { return nil }
func (i info) DeviceID() vfs.DeviceID { return vfs.DeviceID{} }

// reader is a kept file opened for reading, used by one goroutine but for
// ReadAt.
type reader struct {
	*shadow
	under vfs.File // nil when all is in memory
	pos   int64
}

var _ vfs.File = (*reader)(nil)

// Read reads on from where the last Read ended.
func (r *reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, err := r.ReadAt(p, r.pos)
	r.pos += int64(n)
	if n > 0 && err == io.EOF {
		err = nil
	}
	return n, err
}

// ReadAt reads at off.
func (r *reader) ReadAt(p []byte, off int64) (int, error) { return r.readAt(r.under, p, off) }

// Close closes the inner file, if there is one.
func (r *reader) Close() error {
	if r.under == nil {
		return nil
	}
	return r.under.Close()
}

// Stat describes the file.
func (r *reader) Stat() (vfs.FileInfo, error) { return r.info(), nil }

// Prefetch does nothing: it is advice.
func (r *reader) Prefetch(off, length int64) error { return nil }

// Fd answers that there is none: the file is not in one place.
func (r *reader) Fd() uintptr { return vfs.InvalidFd }

// errReadHandle answers a write to a file opened for reading.
func errReadHandle(name string) error {
	return &iofs.PathError{Op: "write to a file opened for reading", Path: name, Err: iofs.ErrInvalid}
}

// Write refuses.
func (r *reader) Write([]byte) (int, error) { return 0, errReadHandle(r.name) }

// WriteAt refuses.
func (r *reader) WriteAt([]byte, int64) (int, error) { return 0, errReadHandle(r.name) }

// Preallocate refuses.
func (r *reader) Preallocate(off, length int64) error { return errReadHandle(r.name) }

// Sync has nothing to sync.
func (r *reader) Sync() error { return nil }

// SyncData has nothing to sync.
func (r *reader) SyncData() error { return nil }

// SyncTo has nothing to sync.
func (r *reader) SyncTo(int64) (fullSync bool, err error) { return false, nil }
