package segment

import (
	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/sys/unix"
)

// startWriteback asks the kernel to begin writing a range to the disk, so that the
// sync that follows has less to wait for. It promises nothing and is not waited for;
// an error of the disk is the sync's to tell, since nothing here takes it away.
func startWriteback(f vfs.File, off uint64, n int) {
	if fd := f.Fd(); fd != vfs.InvalidFd {
		_ = unix.SyncFileRange(int(fd), int64(off), int64(n), unix.SYNC_FILE_RANGE_WRITE)
	}
}
