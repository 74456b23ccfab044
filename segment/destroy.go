package segment

import (
	"errors"
	"fmt"
	iofs "io/fs"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// DestroyHeader overwrites both header slots with zeros and syncs: no key opens
// a row of the segment any more. It needs no key and does not look at what is
// there, so that a file whose making was interrupted is destroyed too; the
// caller takes the path from a record of the segment's id. A missing file is
// fine; of a short one only what is there is overwritten.
func DestroyHeader(fs vfs.FS, path string) error {
	err := destroyHeader(fs, path)
	switch {
	case errors.Is(err, iofs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("destroy the header of segment %s: %w", path, err)
	}
	return nil
}

func destroyHeader(fs vfs.FS, path string) error {
	h, size, err := openExisting(fs, path)
	if err != nil {
		return err
	}
	_, err = zeroExtents(h, clip([]Extent{{0, DataStart}}, size))
	if cerr := h.Close(); err == nil {
		err = cerr
	}
	return err
}

// Destroy overwrites a segment's header and removes the file. A missing file
// is fine. The order, and what a crash leaves:
//
//  1. the header is overwritten and synced: before that the file is as it was;
//     after it, it holds nothing that can be opened;
//  2. the name is removed: durable when the caller has synced the directory.
//     A crash before that brings the name back, with the header gone.
//
// The caller's durable record that the file is doomed stands until then, so the
// next opener does both again. An error of the first step removes nothing.
func Destroy(fs vfs.FS, path string) error {
	if err := DestroyHeader(fs, path); err != nil {
		return err
	}
	if err := fs.Remove(path); err != nil && !errors.Is(err, iofs.ErrNotExist) {
		return fmt.Errorf("remove segment %s: %w", path, err)
	}
	return nil
}
