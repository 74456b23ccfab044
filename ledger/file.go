package ledger

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Ledger is where entries are kept: a [File], or what somebody else makes of it.
// It is safe for concurrent use.
type Ledger interface {
	// Append adds an entry. When it returns nil the entry is durable, behind all
	// that were appended before. After an error it takes nothing more: the entry
	// may be there or not. It does not keep the bytes.
	Append(entry []byte) error
	// Entries are those that were there when it was called, in their order. The
	// bytes are the receiver's. An error is the last that it yields.
	Entries() iter.Seq2[Stored, error]
}

// Stored is an entry and where it stands.
type Stored struct {
	Entry  []byte
	Offset int64 // in the ledger, for errors
}

// ErrLocked: another process, or another File of this one, has the ledger open
// for appending.
var ErrLocked = errors.New("ledger is in use")

// File is a ledger in one file (docs/format/ledger.md). It is safe for concurrent
// use. Who opens it for appending holds a lock on a file beside it, called like it
// with ".lock" behind: two stores that append to one ledger, or one store opened
// twice by a copy, would write over each other's entries.
type File struct {
	path  string
	store [16]byte
	file  vfs.File
	lock  io.Closer // nil: open for reading

	mu struct {
		sync.Mutex
		end    int64 // where the next frame goes
		buf    []byte
		err    error // why it takes nothing more
		closed bool
	}
}

var _ Ledger = (*File)(nil)

// keptBuffer is how large a frame's buffer may be that is kept for the next.
const keptBuffer = 1 << 20

var errReadOnly = errors.New("ledger is open for reading")

// OpenFile opens a store's ledger for appending and makes it when it is missing.
// (A ledger that was lost is told by the store, whose indexes a new one does not
// know.) It reads the file once, to find its end.
//
// Order, where it is missing: head into a file called like it with ".creating"
// behind, synced; renamed; the directory synced. A crash before the rename leaves
// no ledger, and at most a file that the next OpenFile writes anew; after it,
// a whole one.
//
// Order, where its last append was cut off by a crash: zeros over what is left of
// it, synced. vfs can shorten no file, and what is left must not stand behind the
// next frame. A crash in between leaves less of it, and the next OpenFile goes
// on. The entry was acknowledged to nobody.
//
// File and directory are synced once more whatever was there: a process that was
// killed leaves what is written and not durable, and what is read here is acted on.
//
// What is no ledger, or another store's, is ErrNotOurs; damage is ErrAltered.
func OpenFile(fs vfs.FS, path string, store [16]byte) (*File, error) {
	lock, err := lockFile(fs, path)
	if err != nil {
		return nil, err
	}
	f, err := openLocked(fs, path, store)
	if err != nil {
		return nil, fmt.Errorf("ledger %s: %w", path, errors.Join(err, lock.Close()))
	}
	f.lock = lock
	return f, nil
}

// ReadFile opens a ledger for reading. It changes nothing, takes no lock, and
// shows what was there when it was called; an append that is under way, or was
// cut off, is not. Whose ledger it is, Store says.
func ReadFile(fs vfs.FS, path string) (*File, error) {
	file, err := fs.Open(path)
	if err != nil {
		return nil, err
	}
	f := &File{path: path, file: file}
	if _, err := f.start(); err != nil {
		return nil, fmt.Errorf("ledger %s: %w", path, errors.Join(err, file.Close()))
	}
	f.mu.err = errReadOnly
	return f, nil
}

// lockFile locks the file beside path. The lock of a file keeps other processes
// out; within one it goes by the name, so symbolic links are followed first.
func lockFile(fs vfs.FS, path string) (io.Closer, error) {
	if vfs.Root(fs) == vfs.Default {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			path = real
		}
		if abs, err := filepath.Abs(path); err == nil {
			path = abs
		}
	}
	lock, err := fs.Lock(path + ".lock")
	if err == nil {
		return lock, nil
	}
	if errors.As(err, new(*os.PathError)) {
		return nil, fmt.Errorf("lock ledger: %w", err)
	}
	return nil, fmt.Errorf("ledger %s: %w: %w", path, ErrLocked, err)
}

func openLocked(fs vfs.FS, path string, store [16]byte) (*File, error) {
	if _, err := fs.Stat(path); errors.Is(err, os.ErrNotExist) {
		if err := createFile(fs, path, store); err != nil {
			return nil, err
		}
	} else if err != nil {
		return nil, err
	}
	file, err := fs.OpenReadWrite(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, err
	}
	f := &File{path: path, file: file}
	torn, err := f.start()
	if err == nil && f.store != store {
		err = wrong(ErrNotOurs, "it is of store %x, this one is %x", f.store, store)
	}
	if err == nil {
		err = f.wipe(torn)
	}
	if err == nil {
		err = syncFolder(fs, fs.PathDir(path))
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return f, nil
}

func syncFolder(fs vfs.FS, path string) error {
	dir, err := fs.OpenDir(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func createFile(fs vfs.FS, path string, store [16]byte) error {
	making := path + ".creating"
	file, err := fs.Create(making, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	n, err := file.Write(encodeHeader(store))
	if err == nil && n < headerSize {
		err = io.ErrShortWrite
	}
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	if err := fs.Rename(making, path); err != nil {
		return err
	}
	return syncFolder(fs, fs.PathDir(path))
}

// start reads the head and finds the end. It answers where what is left of an
// append that was cut off ends.
func (f *File) start() (torn int64, err error) {
	info, err := f.file.Stat()
	if err != nil {
		return 0, err
	}
	head := make([]byte, min(headerSize, info.Size()))
	if _, err := f.file.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	store, bad := decodeHeader(head)
	if bad != nil {
		bad.Offset = 0
		return 0, bad
	}
	f.store = store
	f.mu.end, torn, err = newScanner(f.file, info.Size()).end()
	return torn, err
}

// wipe writes zeros from the end up to torn, and syncs all that is there.
func (f *File) wipe(torn int64) error {
	zeros := make([]byte, 64<<10)
	for at := f.mu.end; at < torn; {
		n, err := f.file.WriteAt(zeros[:min(int64(len(zeros)), torn-at)], at)
		if err == nil && n == 0 {
			err = io.ErrShortWrite
		}
		if err != nil {
			return err
		}
		clear(zeros) // a file may change what it is given
		at += int64(n)
	}
	return f.file.Sync()
}

// Store is the id of the store whose ledger it is.
func (f *File) Store() [16]byte { return f.store }

// String is the path.
func (f *File) String() string { return f.path }

// Append writes a frame behind the last one and syncs. A crash before the sync
// leaves the frame, nothing, or a part of it, which the next OpenFile cuts off.
func (f *File) Append(entry []byte) error {
	if len(entry) < entryHead || len(entry) > MaxEntry {
		return fmt.Errorf("ledger entry of %d bytes, at most %d", len(entry), MaxEntry)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.mu.err != nil {
		return fmt.Errorf("ledger %s: %w", f.path, f.mu.err)
	}
	f.mu.buf = appendFrame(f.mu.buf[:0], entry, f.mu.end)
	size := len(f.mu.buf)
	n, err := f.file.WriteAt(f.mu.buf, f.mu.end)
	if err == nil && n < size {
		err = io.ErrShortWrite
	}
	if err == nil {
		err = f.file.Sync()
	}
	if cap(f.mu.buf) > keptBuffer {
		f.mu.buf = nil
	}
	if err != nil {
		f.mu.err = fmt.Errorf("an append failed, open it again: %w", err)
		return fmt.Errorf("ledger %s: %w", f.path, f.mu.err)
	}
	f.mu.end += int64(size)
	return nil
}

// Entries reads the file. Damage is an Error of kind ErrAltered.
func (f *File) Entries() iter.Seq2[Stored, error] {
	f.mu.Lock()
	end, closed := f.mu.end, f.mu.closed
	f.mu.Unlock()
	return func(yield func(Stored, error) bool) {
		if closed {
			yield(Stored{}, fmt.Errorf("ledger %s: %w", f.path, os.ErrClosed))
			return
		}
		s := newScanner(f.file, end)
		for s.off < end {
			entry, at, err := s.next()
			if errors.Is(err, errNoFrame) { // it was whole when the file was opened
				bad := wrong(ErrAltered, "%w", err)
				bad.Offset = at
				err = bad
			}
			if !yield(Stored{entry, at}, err) || err != nil {
				return
			}
		}
	}
}

// Close lets go of file and lock. It must not be called while entries are read.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.mu.closed {
		return nil
	}
	f.mu.closed, f.mu.err = true, os.ErrClosed
	err := f.file.Close()
	if f.lock != nil {
		err = errors.Join(err, f.lock.Close())
	}
	return err
}
