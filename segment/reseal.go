package segment

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/crypto"
	"oubliette/internal/fault"
)

// Reseal seals the data key to the reader key of a later epoch, in the slot
// that is free, syncs the file, and answers the place of the slot that holds
// it so far. key opens that one.
//
// The order, and what a crash leaves: the free slot is written and synced; the
// other one is not touched. A crash leaves any part of the new slot, and the old
// one whole: the segment opens under the old epoch until the new one is
// committed. The caller commits the epoch together with the old slot as a dead
// extent, and erases that with [EraseSlot]. No writer may be at work on the
// segment.
func (f *File) Reseal(fs vfs.FS, key crypto.ReaderKey, commit crypto.Hash, epoch uint64, reader crypto.ReaderPublic) (old Extent, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	secret, at, err := f.openDEKLocked(key, commit)
	if err != nil {
		return Extent{}, err
	}
	defer secret.Wipe()
	if now := f.mu.slots[at].id.Epoch; epoch <= now {
		return Extent{}, fmt.Errorf("reseal segment %s: epoch %d is not after %d", f.path, epoch, now)
	}
	id := Identity{Index: f.index, Segment: f.segment, Epoch: epoch}
	sealed, err := crypto.SealDEK(reader, id.dekInfo(), secret)
	if err != nil {
		return Extent{}, fmt.Errorf("reseal segment %s: %w", f.path, err)
	}
	s := slot{id: id, sealed: sealed}
	f.mu.slots[1-at] = nil // whatever becomes of the write, it is not what was read
	if err := writeSlot(fs, f.path, f.segment, slotExtent(1-at), s.encode()); err != nil {
		return Extent{}, fmt.Errorf("reseal segment %s: %w", f.path, err)
	}
	f.mu.slots[1-at] = &s
	return slotExtent(at), nil
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

// EraseSlot overwrites one header slot, a dead extent of an epoch's change, with
// zeros and syncs. It needs no key. It refuses unless the other slot is whole
// and of a later epoch than the erased one, so that it can't destroy the
// segment; doing it again does no harm. A File that is open keeps what it read
// until [File.Refresh].
func EraseSlot(fs vfs.FS, path string, id crypto.SegmentID, at Extent) error {
	if at != slotExtent(0) && at != slotExtent(1) {
		return fmt.Errorf("erase header slot of segment %s: [%d, +%d) is no slot", path, at.Off, at.Len)
	}
	if err := checkReplaced(fs, path, id, int(at.Off/HeaderSlotSize)); err != nil {
		return fmt.Errorf("erase header slot of segment %s: %w", path, err)
	}
	if err := writeSlot(fs, path, id, at, make([]byte, HeaderSlotSize)); err != nil {
		return fmt.Errorf("erase header slot of segment %s: %w", path, err)
	}
	return nil
}

// checkReplaced tells whether the slot beside the one to be erased replaces it.
func checkReplaced(fs vfs.FS, path string, id crypto.SegmentID, erased int) error {
	h, err := fs.Open(path)
	if err != nil {
		return err
	}
	defer h.Close()
	f := &File{f: h, path: path}
	b := make([]byte, DataStart)
	if err := f.readAt(b, 0); err != nil {
		return err
	}
	at := slotExtent(1 - erased)
	kept, err := decodeSlot(b[at.Off:at.End()])
	if err != nil {
		return fault.Corrupt(path, int64(at.Off), "the other slot is not whole: %w", err)
	}
	if kept.id.Segment != id {
		return fault.Corrupt(path, int64(at.Off), "the other slot is of segment %v: %w", kept.id.Segment, fault.ErrForeign)
	}
	old := slotExtent(erased)
	if s, err := decodeSlot(b[old.Off:old.End()]); err == nil && s.id.Epoch >= kept.id.Epoch {
		return fmt.Errorf("the other slot is of epoch %d, this one of epoch %d", kept.id.Epoch, s.id.Epoch)
	}
	return nil
}

// Refresh reads the header slots again. On an error the file keeps what it had.
func (f *File) Refresh() error { return f.readHeader() }
