package meta

import (
	"bytes"
	"errors"
	"io"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/crypto"
	"oubliette/internal/codec"
	"oubliette/internal/fault"
)

// A head stands before what Pebble writes into a log file or a table, which name
// neither themselves nor the database they are of. So one of another database, or
// another one of the same, is told where it is opened; Pebble would answer from it,
// or panic.
const (
	headMagic   = "OUBLDBF\x00"
	headVersion = 1
	headSize    = 8 + 2 + 16 + 8 + checksumSize
)

// encodeHead is magic, version, the database's id, the file's number, and the first
// 8 bytes of SHA-256 over all before them.
func encodeHead(id [16]byte, number uint64) []byte {
	var e codec.Encoder
	e.Raw([]byte(headMagic))
	e.U16(headVersion)
	e.Raw(id[:])
	e.U64(number)
	sum := crypto.Sum(e.B)
	e.Raw(sum[:checksumSize])
	return e.B
}

// checkHead tells foreign, newer and damaged apart.
func checkHead(path string, b []byte, id [16]byte, number uint64) error {
	d := codec.NewDecoder(b)
	if magic := d.Raw(len(headMagic)); !bytes.Equal(magic, []byte(headMagic)) {
		return fault.Corrupt(path, 0, "does not begin as a file of a database does: %w", fault.ErrForeign)
	}
	if v := d.U16(); d.Err() == nil && v > headVersion {
		return fault.Corrupt(path, 8, "version %d, this build reads up to %d: %w", v, headVersion, fault.ErrNewer)
	}
	if len(b) != headSize {
		return fault.Corrupt(path, int64(len(b)), "ends in its head of %d bytes: %w", headSize, fault.ErrDamaged)
	}
	var of [16]byte
	d.Copy(of[:])
	its := d.U64()
	if b, want := encodeHead(of, its), b; !bytes.Equal(b, want) {
		return fault.Corrupt(path, 0, "checksum of its head does not fit: %w", fault.ErrDamaged)
	}
	if of != id || its != number {
		return fault.Corrupt(path, 0, "is file %d of database %x, not file %d of database %x: %w", its, of, number, id, fault.ErrForeign)
	}
	return nil
}

// headed is a file as Pebble sees it: without its head.
type headed struct {
	vfs.File
	fs    *owned
	skip  int64 // 0: a file that has no head
	empty bool  // a log that a crash has left before its head was durable
}

// readHead passes the head of a file that is opened for reading, and checks it.
func (o *owned) readHead(name string, k kind, number uint64, f vfs.File) (vfs.File, error) {
	b := make([]byte, headSize)
	n, err := io.ReadFull(f, b)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		o.noteRead(err)
		return nil, errors.Join(err, f.Close())
	}
	if b = b[:n]; k == kindLog && !o.lists(number) && o.unfinished(b, number) {
		return &headed{File: f, fs: o, skip: headSize, empty: true}, nil
	}
	if err := checkHead(name, b, o.databaseID(), number); err != nil {
		_ = f.Close() // nothing was written
		return nil, err
	}
	return &headed{File: f, fs: o, skip: headSize}, nil
}

// unfinished tells whether a crash may have left this of a head.
func (o *owned) unfinished(b []byte, number uint64) bool {
	return len(bytes.Trim(b, "\x00")) == 0 ||
		len(b) < headSize && bytes.HasPrefix(encodeHead(o.databaseID(), number), bytes.TrimRight(b, "\x00"))
}

// Read reads on.
func (h *headed) Read(p []byte) (int, error) {
	if h.empty {
		return 0, io.EOF
	}
	n, err := h.File.Read(p)
	return n, h.fs.noteRead(err)
}

// ReadAt reads at an offset behind the head.
func (h *headed) ReadAt(p []byte, off int64) (int, error) {
	if h.empty {
		return 0, io.EOF
	}
	n, err := h.File.ReadAt(p, off+h.skip)
	return n, h.fs.noteRead(err)
}

// WriteAt writes at an offset behind the head.
func (h *headed) WriteAt(p []byte, off int64) (int, error) { return h.File.WriteAt(p, off+h.skip) }

// Preallocate asks for space behind the head.
func (h *headed) Preallocate(off, length int64) error {
	return h.File.Preallocate(off+h.skip, length)
}

// SyncTo starts syncing a prefix.
func (h *headed) SyncTo(length int64) (bool, error) { return h.File.SyncTo(length + h.skip) }

// Prefetch is advice.
func (h *headed) Prefetch(off, length int64) error { return h.File.Prefetch(off+h.skip, length) }

// Stat tells the size without the head.
func (h *headed) Stat() (vfs.FileInfo, error) {
	fi, err := h.File.Stat()
	if err != nil {
		return nil, h.fs.noteRead(err)
	}
	return h.info(fi), nil
}

func (h *headed) info(fi vfs.FileInfo) vfs.FileInfo {
	size := fi.Size() - h.skip
	if h.empty {
		size = 0
	}
	return sized{fi, max(size, 0)}
}

// sized is a file's description with another size.
type sized struct {
	vfs.FileInfo
	size int64
}

// Size is in bytes.
func (s sized) Size() int64 { return s.size }
