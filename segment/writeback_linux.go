package segment

import (
	"errors"

	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/sys/unix"
)

// startWriteback asks the kernel to begin writing a range to the disk, so that the
// sync that follows has less to wait for. It promises nothing, is not waited for, and
// takes no error away from the sync. What it does answer is that the file system could
// not even begin, of which no sync need tell any more.
func startWriteback(f vfs.File, off uint64, n int) error {
	fd := f.Fd()
	if fd == vfs.InvalidFd {
		return nil
	}
	const page = 4096 // the last one may be written again by what comes next
	n -= int((off + uint64(n)) % page)
	if n <= 0 {
		return nil
	}
	err := unix.SyncFileRange(int(fd), int64(off), int64(n), unix.SYNC_FILE_RANGE_WRITE)
	for _, failed := range []error{unix.EIO, unix.ENOSPC, unix.EDQUOT, unix.EROFS, unix.ENOMEM} {
		if errors.Is(err, failed) {
			return err
		}
	}
	return nil // not known here, or not allowed
}
