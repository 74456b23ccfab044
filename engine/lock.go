package engine

import (
	"errors"
	"fmt"
	"io"
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
func lockStore(fs vfs.FS, dir string) (*storeLock, error) {
	opened.Lock()
	defer opened.Unlock()
	info, err := identity(fs, dir)
	if err != nil {
		return nil, err
	}
	for _, other := range opened.dirs {
		if info != nil && os.SameFile(info, other) {
			return nil, fmt.Errorf("%s: %w", dir, ErrLocked)
		}
	}
	file, err := fs.Lock(fs.PathJoin(dir, lockFile))
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", dir, ErrLocked, err)
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
