package meta

import (
	"crypto/sha256"
	"errors"
	"io"
	iofs "io/fs"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/errors/oserror"
	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/crypto"
	"oubliette/internal/fault"
)

// owned is the file system that Pebble runs on. It knows which files are the
// database's: log files and tables begin with a head (head.go), and IDENTITY says
// which log files there are and how much of the manifest is durable (identity.go).
//
// Order, for a log file: head, synced; the directory synced; IDENTITY, synced; then
// Pebble gets it. A crash before leaves a log without a head, or one that is not
// listed: nothing has been written to it. For one that goes: IDENTITY without it,
// synced, then it is removed; what Pebble removes it has flushed. One that is used
// again gets its new head, synced, before its new name. For a manifest: written and
// synced; IDENTITY, synced; then Pebble goes on, so nothing is removed that only a
// manifest of before needs. When the marker has moved to a new manifest, durably,
// the one before is taken out of IDENTITY, and then the old marker is removed.
type owned struct {
	ordered
	dir        string
	readFailed atomic.Bool // what Pebble says then may follow from it

	mu struct { // held while IDENTITY is written; a leaf but for the file system
		sync.Mutex
		identity
		inUse uint64 // the manifest that the marker names
		next  uint64 // the one to which it is being moved
	}
}

func newOwned(fs ordered, dir string) *owned { return &owned{ordered: fs, dir: dir} }

// kind is what sort of file a name is of.
type kind int

const (
	kindOther kind = iota
	kindLog
	kindTable
	kindManifest
	kindMarker // that names a manifest
)

// kindOf reads the name of a file.
func (o *owned) kindOf(name string) (kind, uint64) {
	base := o.PathBase(name)
	digits, k := "", kindOther
	switch {
	case strings.HasSuffix(base, ".log"):
		digits, k = strings.TrimSuffix(base, ".log"), kindLog
	case strings.HasSuffix(base, ".sst"):
		digits, k = strings.TrimSuffix(base, ".sst"), kindTable
	case strings.HasPrefix(base, marker+"manifest."):
		digits, k = base[strings.LastIndexByte(base, '-')+1:], kindMarker
	case strings.HasPrefix(base, "MANIFEST-"):
		digits, k = strings.TrimPrefix(base, "MANIFEST-"), kindManifest
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	if err != nil {
		return kindOther, 0
	}
	return k, n
}

// begin makes the directory of a new database and gives it its identity. The caller
// syncs the directory.
func (o *owned) begin() error {
	if err := makeDir(o.FS, o.dir); err != nil {
		return err
	}
	o.mu.id = [16]byte(crypto.NewIndexID())
	o.update(func(*identity) {})
	o.update(func(*identity) {}) // both slots
	return nil
}

// makeDir makes a directory and those above it, durably.
func makeDir(fs vfs.FS, dir string) error {
	if _, err := fs.Stat(dir); !oserror.IsNotExist(err) {
		return err
	}
	above := fs.PathDir(dir)
	if err := makeDir(fs, above); err != nil {
		return err
	}
	if err := fs.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return syncDir(fs, above)
}

// load reads the identity of a database and looks for its log files.
func (o *owned) load() error {
	path := o.PathJoin(o.dir, identityFile)
	b, err := o.readIdentity(path)
	if oserror.IsNotExist(err) {
		return fault.Corrupt(path, 0, "is missing: %w", fault.ErrDamaged)
	}
	if err != nil {
		return err
	}
	if o.mu.identity, err = decodeIdentity(path, b); err != nil {
		return err
	}
	names, err := o.List(o.dir)
	if err != nil {
		return o.noteRead(err)
	}
	missing := slices.Clone(o.mu.logs)
	for _, name := range names {
		if k, number := o.kindOf(name); k == kindLog {
			missing = slices.DeleteFunc(missing, func(l uint64) bool { return l == number })
		}
	}
	if len(missing) > 0 {
		return fault.Corrupt(o.dir, 0, "log file %06d.log is missing: %w", missing[0], fault.ErrDamaged)
	}
	return nil
}

func (o *owned) readIdentity(path string) ([]byte, error) {
	f, err := o.ordered.Open(path)
	if err != nil {
		return nil, o.noteRead(err)
	}
	defer f.Close()
	b := make([]byte, identitySize+1)
	n, err := io.ReadFull(f, b)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, o.noteRead(err)
	}
	return b[:n], nil
}

// update changes IDENTITY, durably. A failure is latched.
func (o *owned) update(change func(*identity)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.updateLocked(change)
}

func (o *owned) updateLocked(change func(*identity)) {
	change(&o.mu.identity)
	if o.readOnly {
		return
	}
	o.mu.generation++
	path := o.PathJoin(o.dir, identityFile)
	f, err := o.ordered.OpenReadWrite(path, vfs.WriteCategoryUnspecified)
	if err == nil {
		_, err = f.WriteAt(o.mu.encode(), o.mu.slot())
		err = errors.Join(err, f.Sync(), f.Close())
	}
	if err != nil {
		o.Fail(&iofs.PathError{Op: "write", Path: path, Err: err})
	}
}

func (o *owned) databaseID() [16]byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.mu.id
}

// lists tells whether a log file has to be there.
func (o *owned) lists(log uint64) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Contains(o.mu.logs, log)
}

// noteRead notes that a read has failed, and answers its error.
func (o *owned) noteRead(err error) error {
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && !oserror.IsNotExist(err) {
		o.readFailed.Store(true)
	}
	return err
}

// Create makes a file, with its head.
func (o *owned) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := o.ordered.Create(name, c)
	if err != nil {
		return nil, err
	}
	switch k, number := o.kindOf(name); k {
	case kindTable, kindLog:
		return o.writeHead(name, k, number, f)
	case kindManifest:
		return &manifestFile{File: f, fs: o, number: number, sum: sha256.New()}, nil
	case kindMarker:
		o.mu.Lock()
		defer o.mu.Unlock()
		o.mu.next = number
	}
	return f, nil
}

// writeHead begins a file.
func (o *owned) writeHead(name string, k kind, number uint64, f vfs.File) (vfs.File, error) {
	_, err := f.Write(encodeHead(o.databaseID(), number))
	if err == nil && k == kindLog {
		if err = f.Sync(); err == nil {
			o.syncDir(o.PathDir(name))
		}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if k == kindLog {
		o.update(func(n *identity) { n.addLog(number) })
	}
	return &headed{File: f, fs: o, skip: headSize}, nil
}

// ReuseForWrite makes a log file of one that is not needed any more.
func (o *owned) ReuseForWrite(oldname, newname string, c vfs.DiskWriteCategory) (vfs.File, error) {
	k, number := o.kindOf(newname)
	if k != kindLog {
		return o.ordered.ReuseForWrite(oldname, newname, c)
	}
	o.forget(oldname)
	o.rehead(oldname, number, c)
	f, err := o.ordered.ReuseForWrite(oldname, newname, c)
	if err != nil {
		return nil, err
	}
	return o.writeHead(newname, k, number, f) // once more: behind it Pebble goes on
}

// rehead gives a log file that is to be used again its new head. That it can't is
// latched, as in syncDir: also once latched opening a file takes a descriptor.
func (o *owned) rehead(name string, number uint64, c vfs.DiskWriteCategory) {
	f, err := o.ordered.OpenReadWrite(name, c)
	if err == nil {
		_, err = f.WriteAt(encodeHead(o.databaseID(), number), 0)
		err = errors.Join(err, f.Sync(), f.Close())
	}
	if err != nil {
		o.Fail(&iofs.PathError{Op: "write", Path: name, Err: err})
	}
}

// Open opens a file for reading, when it is the one that it has to be.
func (o *owned) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	f, err := o.ordered.Open(name, opts...)
	if err != nil {
		return nil, o.noteRead(err)
	}
	switch k, number := o.kindOf(name); k {
	case kindTable, kindLog:
		return o.readHead(name, k, number, f)
	case kindManifest:
		if err := o.checkManifest(name, number, f); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	return &headed{File: f, fs: o}, nil
}

// Stat describes a file without its head.
func (o *owned) Stat(name string) (vfs.FileInfo, error) {
	fi, err := o.ordered.Stat(name)
	if err != nil {
		return nil, o.noteRead(err)
	}
	if k, _ := o.kindOf(name); k == kindTable || k == kindLog {
		return sized{fi, max(fi.Size()-headSize, 0)}, nil
	}
	return fi, nil
}

// OpenDir opens a directory for syncing.
func (o *owned) OpenDir(name string) (vfs.File, error) {
	f, err := o.ordered.OpenDir(name)
	return f, o.noteRead(err)
}

// List answers the names in a directory.
func (o *owned) List(dir string) ([]string, error) {
	names, err := o.ordered.List(dir)
	return names, o.noteRead(err)
}

// Lock locks a file.
func (o *owned) Lock(name string) (io.Closer, error) {
	l, err := o.ordered.Lock(name)
	return l, o.noteRead(err)
}

// Remove removes a file that IDENTITY does not ask for any more.
func (o *owned) Remove(name string) error {
	switch k, _ := o.kindOf(name); k {
	case kindLog:
		o.forget(name)
	case kindMarker:
		o.settle(name) // the new marker is durable
		o.moved()
		return o.FS.Remove(name)
	}
	return o.ordered.Remove(name)
}

// forget takes a log file off the list.
func (o *owned) forget(name string) {
	_, number := o.kindOf(name)
	o.mu.Lock()
	defer o.mu.Unlock()
	if slices.Contains(o.mu.logs, number) {
		o.updateLocked(func(n *identity) { n.dropLog(number) })
	}
}
