package engine

import (
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"os"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// opened are the folders of the stores that this process has open on the
// operating system's file system. A lock of a file keeps other processes out,
// but not this one under another spelling of the path; and the second attempt's
// closing of the file would drop the first one's lock. So who is in is looked
// up by the folder itself.
var opened struct {
	sync.Mutex
	dirs map[*storeLock]os.FileInfo
}

// storeLock keeps a store to one opener.
type storeLock struct{ file io.Closer }

// lockStore locks the store in dir, or says that it is open already.
func lockStore(o *Options, dir string) (*storeLock, error) {
	opened.Lock()
	defer opened.Unlock()
	fs := o.FS
	info, err := identity(fs, dir)
	if err != nil {
		return nil, err
	}
	for _, other := range opened.dirs {
		if info != nil && os.SameFile(info, other) {
			return nil, fmt.Errorf("%s: %w", dir, ErrLocked)
		}
	}
	file, err := takeLock(o, fs.PathJoin(dir, lockFile))
	if err != nil {
		return nil, err
	}
	l := &storeLock{file}
	if info != nil {
		if opened.dirs == nil {
			opened.dirs = make(map[*storeLock]os.FileInfo)
		}
		opened.dirs[l] = info
	}
	return l, nil
}

// takeLock locks the file, and tells a lock that somebody holds from a file that
// cannot be had. A reader that may not write the file, or finds none, does
// without: where it may not write, or nobody has written, it waits for nobody.
func takeLock(o *Options, path string) (io.Closer, error) {
	if o.ReadOnly {
		if _, err := o.FS.Stat(path); errors.Is(err, os.ErrNotExist) {
			return io.NopCloser(nil), nil
		}
	}
	file, err := o.FS.Lock(path)
	switch {
	case err == nil:
		return file, nil
	case errors.Is(err, iofs.ErrPermission) || isReadOnlyDisk(err):
		if o.ReadOnly {
			return io.NopCloser(nil), nil
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	case errors.As(err, new(*iofs.PathError)):
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return nil, fmt.Errorf("%s: %w: %w", o.FS.PathDir(path), ErrLocked, err)
}

// identity is what the operating system tells folders apart by; nil on a file
// system that is not its own, which knows a folder by its path alone.
func identity(fs vfs.FS, dir string) (os.FileInfo, error) {
	if vfs.Root(fs) != vfs.Default {
		return nil, nil
	}
	return os.Stat(dir)
}

// Close lets the next opener in.
func (l *storeLock) Close() error {
	opened.Lock()
	defer opened.Unlock()
	delete(opened.dirs, l)
	return errors.Join(l.file.Close())
}
