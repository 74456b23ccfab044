package meta

import (
	"bytes"
	"crypto/sha256"
	"hash"
	"io"
	"slices"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/internal/fault"
)

// manifestFile is a manifest that is being written.
type manifestFile struct {
	vfs.File
	fs     *owned
	number uint64
	length uint64
	sum    hash.Hash
}

// Write appends.
func (m *manifestFile) Write(p []byte) (int, error) {
	m.sum.Write(p) // first: a file may change what it is given
	m.length += uint64(len(p))
	return m.File.Write(p)
}

// Sync makes durable what was written, and notes that it is.
func (m *manifestFile) Sync() error {
	if err := m.File.Sync(); err != nil {
		return err
	}
	x := mark{number: m.number, length: m.length}
	copy(x.sum[:], m.sum.Sum(nil))
	m.fs.mu.Lock()
	defer m.fs.mu.Unlock()
	m.fs.updateLocked(func(n *identity) { n.setMark(x, m.fs.mu.inUse) })
	return nil
}

// checkManifest holds a manifest against its mark. What stands behind may be torn,
// and speaks of nothing that anything has been removed for.
func (o *owned) checkManifest(name string, number uint64, f vfs.File) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	m, ok := o.mu.markOf(number)
	if !ok {
		return fault.Corrupt(name, 0, "is not the manifest of this database: %w", fault.ErrForeign)
	}
	fi, err := f.Stat()
	if err != nil {
		return o.noteRead(err)
	}
	if uint64(fi.Size()) < m.length {
		return fault.Corrupt(name, fi.Size(), "ends before its %d bytes: %w", m.length, fault.ErrDamaged)
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(f, 0, int64(m.length))); err != nil {
		return o.noteRead(err)
	}
	if !bytes.Equal(sum.Sum(nil)[:len(m.sum)], m.sum[:]) {
		return fault.Corrupt(name, 0, "is not what was written: %w", fault.ErrDamaged)
	}
	o.mu.inUse = number
	return nil
}

// moved leaves of all manifests the one to which the marker has been moved.
func (o *owned) moved() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.mu.next == 0 {
		return // a marker that a crash has left
	}
	o.mu.inUse, o.mu.next = o.mu.next, 0
	o.updateLocked(func(n *identity) {
		n.marks = slices.DeleteFunc(n.marks, func(m mark) bool { return m.number != o.mu.inUse })
	})
}
