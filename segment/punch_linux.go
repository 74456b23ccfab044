package segment

import (
	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/sys/unix"
)

// punch gives the blocks of x back to the file system, when the file is one of
// the operating system's and the file system can. Errors are of no account: x
// holds zeros already.
func punch(h vfs.File, x Extent) {
	if fd := h.Fd(); fd != vfs.InvalidFd && x.Len > 0 {
		_ = unix.Fallocate(int(fd), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, int64(x.Off), int64(x.Len))
	}
}
