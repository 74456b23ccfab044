package segment

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/crypto"
)

// Reseal seals the data key to the reader key of a later epoch, in the slot
// that is free, and syncs the file. key opens the one that holds it so far.
//
// The order, and what a crash leaves: the free slot is written and synced; the
// other one is not touched. A crash leaves any part of the new slot, and the old
// one whole: the segment opens under the old epoch until the new one is
// committed. The caller commits the epoch, whose record names the reader key, and
// then erases the old slot with [EraseOldSlot]. No writer may be at work on the
// segment.
func (f *File) Reseal(fs vfs.FS, key crypto.ReaderKey, commit crypto.Hash, epoch uint64, reader crypto.ReaderPublic) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	secret, at, err := f.openDEKLocked(key, commit)
	if err != nil {
		return err
	}
	defer secret.Wipe()
	if now := f.mu.slots[at].id.Epoch; epoch <= now {
		return fmt.Errorf("reseal segment %s: epoch %d is not after %d", f.path, epoch, now)
	}
	id := Identity{Index: f.index, Segment: f.segment, Epoch: epoch}
	sealed, err := crypto.SealDEK(reader, id.dekInfo(), secret)
	if err != nil {
		return fmt.Errorf("reseal segment %s: %w", f.path, err)
	}
	s := slot{id: id, reader: reader.Hash(), sealed: sealed}
	f.mu.slots[1-at] = nil // whatever becomes of the write, it is not what was read
	if err := writeSlot(fs, f.path, f.segment, slotExtent(1-at), s.encode()); err != nil {
		return fmt.Errorf("reseal segment %s: %w", f.path, err)
	}
	f.mu.slots[1-at] = &s
	return nil
}

func slotExtent(i int) Extent { return Extent{uint64(i) * HeaderSlotSize, HeaderSlotSize} }

func writeSlot(fs vfs.FS, path string, id crypto.SegmentID, at Extent, b []byte) error {
	h, _, err := openOwn(fs, path, id)
	if err != nil {
		return err
	}
	if err = writeFull(h, b, at.Off); err == nil {
		err = h.SyncData()
	}
	if cerr := h.Close(); err == nil {
		err = cerr
	}
	return err
}

// EraseOldSlot overwrites the header slot beside the one that seals to reader,
// the hash of the reader key of the newest epoch record, with zeros and syncs,
// unless there is none: then it answers false. It needs no key. It touches
// nothing where no whole slot of this segment names that key, so it cannot
// destroy the segment, and doing it again does no harm. A File that is open
// keeps what it read until [File.Refresh].
func EraseOldSlot(fs vfs.FS, path string, id crypto.SegmentID, reader crypto.Hash) (erased bool, err error) {
	return eraseOldSlot(fs, path, id, reader, false)
}

// EraseOldSlotAgain is EraseOldSlot after one that has failed. What cannot be
// synced may read as zeros all the same, and not be on the disk: zeros are written
// and synced whatever is read there.
func EraseOldSlotAgain(fs vfs.FS, path string, id crypto.SegmentID, reader crypto.Hash) error {
	_, err := eraseOldSlot(fs, path, id, reader, true)
	return err
}

func eraseOldSlot(fs vfs.FS, path string, id crypto.SegmentID, reader crypto.Hash, again bool) (erased bool, err error) {
	old, err := oldSlot(fs, path, id, reader, again)
	if err != nil || old < 0 {
		return false, err
	}
	if err := writeSlot(fs, path, id, slotExtent(old), make([]byte, HeaderSlotSize)); err != nil {
		return false, fmt.Errorf("erase header slot of segment %s: %w", path, err)
	}
	return true, nil
}

// oldSlot is the slot that is not empty (with orEmpty: or is) beside
// the one that counts, or -1. Two that name the same reader key are nobody's
// honest doing: neither is touched.
func oldSlot(fs vfs.FS, path string, id crypto.SegmentID, reader crypto.Hash, orEmpty bool) (int, error) {
	h, err := fs.Open(path)
	if err != nil {
		return -1, err
	}
	defer h.Close()
	b := make([]byte, DataStart)
	if err := (&File{f: h, path: path}).readAt(b, 0); err != nil {
		return -1, err
	}
	var counts, empty [2]bool
	for i := range 2 {
		at := slotExtent(i)
		s, err := decodeSlot(b[at.Off:at.End()])
		counts[i] = err == nil && s.id.Segment == id && s.reader == reader
		empty[i] = allZero(b[at.Off:at.End()])
	}
	for i := range 2 {
		if counts[i] && !counts[1-i] && (orEmpty || !empty[1-i]) {
			return 1 - i, nil
		}
	}
	return -1, nil
}

// Refresh reads the header slots again. On an error the file keeps what it had.
func (f *File) Refresh() error { return f.readHeader() }
