package meta

import (
	"io"

	"golang.org/x/sys/unix"
)

const canReserve = true

var zeros [256 << 10]byte

// reserve writes length zeros at off. Reserving blocks without writing them
// would not do: the first write into each is a change of the file's map, which
// the next sync has to commit.
func reserve(fd uintptr, off, length int64) error {
	for end := off + length; off < end; {
		n, err := unix.Pwrite(int(fd), zeros[:min(end-off, int64(len(zeros)))], off)
		if err != nil {
			return err
		}
		if n == 0 {
			return io.ErrShortWrite
		}
		off += int64(n)
	}
	return nil
}
