package segment

import (
	"crypto/cipher"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/crypto"
	"oubliette/internal/fault"
)

// ErrLocked: the file's data key has not been opened, see [File.Unlock].
var ErrLocked = errors.New("segment is locked")

// dek is an opened data key and the commitment that it was held against.
type dek struct {
	aead   cipher.AEAD
	commit crypto.Hash
}

// File is a segment file open for reading. It is safe for concurrent use and
// reference counted: the one who opened it holds the first reference, and the
// last Release closes it.
type File struct {
	f       vfs.File
	path    string
	index   crypto.IndexID
	segment crypto.SegmentID
	refs    atomic.Int64
	size    atomic.Int64 // a lower bound; the file only grows
	key     atomic.Pointer[dek]

	// mu guards the slots and makes one Unlock at a time do the work.
	mu struct {
		sync.Mutex
		slots [2]*slot // nil: empty or not valid
	}
}

// Open opens a segment file and checks its header slots. want names the index
// and the segment; its epoch does not matter. A slot that is torn or was
// zeroed does no harm as long as the other one is whole: that is what a crash
// during a reseal leaves.
func Open(fs vfs.FS, path string, want Identity) (*File, error) {
	h, err := fs.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open segment: %w", err)
	}
	f := newFile(h, path, want)
	if err := f.readHeader(); err != nil {
		_ = h.Close() // the header's error is the one that matters
		return nil, err
	}
	return f, nil
}

func newFile(h vfs.File, path string, id Identity) *File {
	f := &File{f: h, path: path, index: id.Index, segment: id.Segment}
	f.refs.Store(1)
	return f
}

// readHeader keeps the valid slots. When there is none it keeps what it had.
func (f *File) readHeader() error {
	b := make([]byte, DataStart)
	if err := f.readAt(b, 0); err != nil {
		return err
	}
	slots, err := f.validSlots(b)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mu.slots = slots
	return nil
}

// validSlots decodes a header. One valid slot is enough; without any, the error
// is that of the first slot that is not empty.
func (f *File) validSlots(header []byte) (slots [2]*slot, err error) {
	for i := range slots {
		at := slotExtent(i)
		s, serr := f.ownSlot(header[at.Off:at.End()])
		switch {
		case serr == nil:
			slots[i] = &s
		case err == nil && !errors.Is(serr, errEmptySlot):
			err = fault.Corrupt(f.path, int64(at.Off), "%w", serr)
		}
	}
	if slots[0] != nil || slots[1] != nil {
		return slots, nil
	}
	if err == nil {
		err = fault.Corrupt(f.path, 0, "both header slots are empty: %w", fault.ErrDamaged)
	}
	return slots, err
}

// ownSlot decodes a slot that must be this segment's.
func (f *File) ownSlot(b []byte) (slot, error) {
	s, err := decodeSlot(b)
	if err == nil && (s.id.Index != f.index || s.id.Segment != f.segment) {
		return slot{}, fmt.Errorf("header of segment %v of index %v, wanted is segment %v of index %v: %w",
			s.id.Segment, s.id.Index, f.segment, f.index, fault.ErrForeign)
	}
	return s, err
}

// newestLocked is the number of the valid slot of the highest epoch.
func (f *File) newestLocked() int {
	a, b := f.mu.slots[0], f.mu.slots[1]
	if a == nil || b != nil && b.id.Epoch > a.id.Epoch {
		return 1
	}
	return 0
}

// Epoch is the epoch of the newest valid slot: the one whose reader key opens
// it.
func (f *File) Epoch() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.mu.slots[f.newestLocked()].id.Epoch
}

// SealedTo tells whether a slot names a reader key by its hash. It needs no key,
// and proves no more than that somebody has written so.
func (f *File) SealedTo(reader crypto.Hash) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.mu.slots {
		if s != nil && s.reader == reader {
			return true
		}
	}
	return false
}

// Unlock opens the data key with an epoch's reader key and holds it against
// the commitment from the signed record that made the segment live. It does
// nothing when that has been done. Both slots are tried, the newest first:
// between the reseal of a header and the commit of its epoch the older one is
// the one that counts.
func (f *File) Unlock(key crypto.ReaderKey, commit crypto.Hash) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if k := f.key.Load(); k != nil {
		return f.checkCommit(k.commit, commit, 0)
	}
	secret, _, err := f.openDEKLocked(key, commit)
	if err != nil {
		return err
	}
	// The cipher holds a copy that can't be wiped; this one is.
	f.key.Store(&dek{aead: crypto.NewAEAD(secret), commit: commit})
	secret.Wipe()
	return nil
}

// openDEKLocked opens whichever slot the key opens, and says which it was.
func (f *File) openDEKLocked(key crypto.ReaderKey, commit crypto.Hash) (secret crypto.Secret, at int, err error) {
	newest := f.newestLocked()
	var wrong error
	for _, i := range [2]int{newest, 1 - newest} {
		s := f.mu.slots[i]
		if s == nil {
			continue
		}
		if secret, err = crypto.OpenDEK(key, s.id.dekInfo(), s.sealed); err != nil {
			continue
		}
		got := crypto.CommitDEK(secret, f.index, f.segment)
		if wrong = f.checkCommit(got, commit, i); wrong == nil {
			return secret, i, nil
		}
		secret.Wipe() // anybody can seal one to the public key; the other slot may be the writer's
	}
	if wrong != nil {
		return crypto.Secret{}, 0, wrong
	}
	return crypto.Secret{}, 0, fault.Corrupt(f.path, int64(newest*HeaderSlotSize),
		"data key of epoch %d does not open: %w", f.mu.slots[newest].id.Epoch, fault.ErrDamaged)
}

func (f *File) checkCommit(got, want crypto.Hash, slot int) error {
	if got == want {
		return nil
	}
	return fault.Corrupt(f.path, int64(slot*HeaderSlotSize),
		"data key does not fit its signed commitment: %w", fault.ErrDamaged)
}

// Unlocked tells whether rows can be read.
func (f *File) Unlocked() bool { return f.key.Load() != nil }

// Lock forgets the data key. A read under way may still finish.
func (f *File) Lock() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.key.Store(nil)
}

// Path is the name that the file was opened under.
func (f *File) Path() string { return f.path }

// Size is the file's length in bytes, as the file system says it now.
func (f *File) Size() (int64, error) {
	st, err := f.f.Stat()
	if err != nil {
		return 0, fmt.Errorf("size of segment %s: %w", f.path, err)
	}
	f.size.Store(st.Size())
	return st.Size(), nil
}

// Retain adds a reference. It panics on a closed file: the caller had none to
// share.
func (f *File) Retain() {
	if f.refs.Add(1) <= 1 {
		panic("segment: Retain of a closed file")
	}
}

// Release gives a reference back; the last one forgets the key and closes the
// file. The error of closing a file from which nothing is pending says nothing
// and is dropped: what had to be durable was synced.
func (f *File) Release() {
	switch n := f.refs.Add(-1); {
	case n == 0:
		f.Lock()
		_ = f.f.Close()
	case n < 0:
		panic("segment: Release of a closed file")
	}
}

// inside refuses an extent that the file does not hold, before it can size an
// allocation.
func (f *File) inside(x Extent) error {
	if x.End() >= x.Off && x.End() <= uint64(f.size.Load()) {
		return nil
	}
	size, err := f.Size()
	if err != nil {
		return err
	}
	if !x.within(Extent{0, uint64(size)}) {
		return fault.Corrupt(f.path, int64(min(x.Off, maxFileSize)), "%d bytes wanted at %d, the file ends at %d: %w",
			x.Len, x.Off, size, fault.ErrDamaged)
	}
	return nil
}

// readAt fills b. A file that is too short is corrupt; any other failure is
// the disk's and is answered as it is.
func (f *File) readAt(b []byte, off uint64) error {
	n, err := f.f.ReadAt(b, int64(off))
	switch {
	case n == len(b):
		return nil
	case err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return fault.Corrupt(f.path, int64(off), "%d bytes wanted, the file ends after %d: %w", len(b), n, fault.ErrDamaged)
	}
	return fmt.Errorf("read segment %s at offset %d: %w", f.path, off, err)
}
