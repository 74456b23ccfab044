package segment

import (
	"fmt"
	iofs "io/fs"
	"os"
	"slices"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/crypto"
	"oubliette/internal/fault"
)

// eraseChunk is how many zeros one write takes.
const eraseChunk = 1 << 20

var eraseBuffers = sync.Pool{New: func() any { return new([eraseChunk]byte) }}

// Overwrite writes zeros over the dead extents of a segment and answers how
// many bytes they are: the cost of a purge, whatever the segment's size. Every
// extent must lie inside area, and area behind the header slots; else nothing
// is written. The file must name the segment in the clear. No key is needed:
// an erasure that was interrupted is finished by whoever opens the store.
//
// What a file does not have need not be erased: an extent that reaches beyond
// its end, reserved and never written, is cut there, and the file never grows.
//
// The order, and what a crash leaves:
//
//  1. zeros are written: a crash leaves any part of them, and the caller, whose
//     durable record of the dead extents stands, writes all of them again;
//  2. the file is synced: from here on the bytes are gone, and the caller may
//     record that, and give blocks back ([GiveBack]).
func Overwrite(fs vfs.FS, path string, id crypto.SegmentID, dead []Extent, area Extent) (bytes uint64, err error) {
	if area.Off < DataStart || area.End() < area.Off {
		return 0, fmt.Errorf("overwrite segment %s: area [%d, +%d) is not behind the header slots", path, area.Off, area.Len)
	}
	for _, x := range dead {
		if !x.within(area) {
			return 0, fmt.Errorf("overwrite segment %s: extent [%d, +%d) is outside of area [%d, +%d)", path, x.Off, x.Len, area.Off, area.Len)
		}
	}
	h, size, err := openOwn(fs, path, id)
	if err != nil {
		return 0, fmt.Errorf("overwrite segment %s: %w", path, err)
	}
	defer func() {
		if cerr := h.Close(); err == nil && cerr != nil {
			bytes, err = 0, fmt.Errorf("overwrite segment %s: %w", path, cerr)
		}
	}()
	sorted := slices.Clone(dead)
	slices.SortFunc(sorted, func(a, b Extent) int { return compareU64(a.Off, b.Off) })
	merged := clip(Coalesce(sorted), size)
	if bytes, err = zeroExtents(h, merged); err != nil {
		return 0, fmt.Errorf("overwrite segment %s: %w", path, err)
	}
	return bytes, nil
}

func compareU64(a, b uint64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// clip cuts extents at the file's end.
func clip(xs []Extent, size uint64) []Extent {
	out := xs[:0]
	for _, x := range xs {
		if x.Off < size {
			out = append(out, Extent{x.Off, min(x.Len, size-x.Off)})
		}
	}
	return out
}

// zeroExtents writes and syncs.
func zeroExtents(h vfs.File, xs []Extent) (n uint64, err error) {
	if len(xs) == 0 {
		return 0, nil
	}
	from, hinted := xs[0].Off, uint64(0)
	for _, x := range xs {
		if err := zero(h, x); err != nil {
			return 0, err
		}
		if n += x.Len; n-hinted >= eraseChunk { // the disk begins while more is written
			if err := startWriteback(h, from, int(x.End()-from)); err != nil {
				return 0, err
			}
			from, hinted = x.End(), n
		}
	}
	return n, h.SyncData()
}

// zero writes zeros over one extent. A vfs.File may change the slice that it is
// given to write, so the zeros are made anew each time; that costs next to
// nothing beside the write.
func zero(h vfs.File, x Extent) error {
	buf := eraseBuffers.Get().(*[eraseChunk]byte)
	defer eraseBuffers.Put(buf)
	for x.Len > 0 {
		n := min(x.Len, eraseChunk)
		clear(buf[:n])
		if err := writeFull(h, buf[:n], x.Off); err != nil {
			return fmt.Errorf("zeros at offset %d: %w", x.Off, err)
		}
		x.Off, x.Len = x.Off+n, x.Len-n
	}
	return nil
}

// openOwn opens a segment file for writing after its header has named the
// segment, and answers its size. It makes no file.
func openOwn(fs vfs.FS, path string, id crypto.SegmentID) (h vfs.File, size uint64, err error) {
	h, size, err = openExisting(fs, path)
	if err != nil {
		return nil, 0, err
	}
	if err := checkOwn(h, path, id); err != nil {
		_ = h.Close()
		return nil, 0, err
	}
	return h, size, nil
}

// openExisting opens a regular file that is there: OpenReadWrite by itself would
// make one, and follow a link that somebody has put in its place to a file that
// is not the store's.
func openExisting(fs vfs.FS, path string) (vfs.File, uint64, error) {
	st, err := statSelf(fs, path)
	if err != nil {
		return nil, 0, err
	}
	if !st.Mode().IsRegular() {
		return nil, 0, fmt.Errorf("%s is not a regular file: %w", path, iofs.ErrInvalid)
	}
	h, err := fs.OpenReadWrite(path, writeCategory)
	if err != nil {
		return nil, 0, err
	}
	return h, uint64(st.Size()), nil
}

// statSelf describes what stands at path, not what a link there leads to. Only
// the operating system's file system has links.
func statSelf(fs vfs.FS, path string) (iofs.FileInfo, error) {
	if vfs.Root(fs) == vfs.Default {
		return os.Lstat(path)
	}
	return fs.Stat(path)
}

// checkOwn reads the start of both slots: after a reseal either may be the one
// that is left. The rest of a slot may be damaged: that must not keep anybody
// from erasing.
func checkOwn(h vfs.File, path string, id crypto.SegmentID) error {
	f := &File{f: h, path: path}
	b := make([]byte, idPrefix)
	for off := uint64(0); off < DataStart; off += HeaderSlotSize {
		if err := f.readAt(b, off); err != nil {
			return err
		}
		if namedAs(b, id) {
			return nil
		}
	}
	return fault.Corrupt(path, 0, "no header slot names segment %v: %w", id, fault.ErrForeign)
}

// CheckErased reads the extents and answers a CorruptionError where a byte of
// them is not zero. What lies beyond the file's end is erased.
func CheckErased(f *File, dead []Extent) error {
	size, err := f.Size()
	if err != nil {
		return err
	}
	buf := make([]byte, 64<<10)
	for _, x := range clip(slices.Clone(dead), uint64(size)) {
		for x.Len > 0 {
			n := min(x.Len, uint64(len(buf)))
			if err := f.readAt(buf[:n], x.Off); err != nil {
				return err
			}
			if i := slices.IndexFunc(buf[:n], func(c byte) bool { return c != 0 }); !allZero(buf[:n]) {
				return fault.Corrupt(f.path, int64(x.Off)+int64(i), "dead bytes are not erased: %w", fault.ErrDamaged)
			}
			x.Off, x.Len = x.Off+n, x.Len-n
		}
	}
	return nil
}
