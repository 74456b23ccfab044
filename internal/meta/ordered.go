package meta

import (
	"io"
	iofs "io/fs"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/internal/latchfs"
)

// marker begins the names of the files by which Pebble finds its manifest and
// its format version.
const marker = "marker."

// ordered makes what is in a directory durable before a marker comes or goes.
//
// When Pebble moves on to a new manifest it makes the manifest, then a marker
// that names it, removes the old marker, and syncs the directory once, at the
// end. POSIX lets a crash before that keep any of the three without the others:
// a marker that names nothing, or no marker at all, which to Pebble is an empty
// database. File systems with an ordered journal do not do that; this one sync
// or two a manifest make it not matter.
type ordered struct {
	*latchfs.FS
	readOnly bool
}

// Lock takes none for reading: the store has a lock of its own, and a disk that
// cannot be written to may be read.
func (o ordered) Lock(name string) (io.Closer, error) {
	if o.readOnly {
		return io.NopCloser(nil), nil
	}
	return o.FS.Lock(name)
}

// Create syncs first when it makes a marker, and reserves a log's space.
func (o ordered) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	o.settle(name)
	f, err := o.FS.Create(name, c)
	return reserving(name, f, o.Err, err)
}

// Remove syncs first when it removes a marker.
func (o ordered) Remove(name string) error {
	o.settle(name)
	return o.FS.Remove(name)
}

// settle makes the directory of a marker durable.
func (o ordered) settle(name string) {
	if strings.HasPrefix(o.PathBase(name), marker) {
		o.syncDir(o.PathDir(name))
	}
}

// syncDir makes the names in a directory durable. That it can't, be it for want of a
// descriptor, is latched: Pebble, which panics where its log can't move on, is told of
// no failure, and from here on of no success that counts.
func (o ordered) syncDir(dir string) {
	if o.Err() != nil {
		return
	}
	if err := syncDir(o.FS, dir); err != nil {
		o.Fail(&iofs.PathError{Op: "sync", Path: dir, Err: err})
	}
}
