package engine

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/crypto"
	"oubliette/internal/codec"
	"oubliette/internal/fault"
)

// The names inside a store's folder.
const (
	formatFile  = "FORMAT"
	lockFile    = "LOCK"
	pebbleDir   = "pebble"
	segmentsDir = "segments"
)

const (
	formatMagic    = "OUBLIETT"
	formatVersion  = 1
	formatSize     = 8 + 2 + 8
	writeCategory  = vfs.DiskWriteCategory("oubliette")
	formatChecksum = 8
)

// encodeFormat is the FORMAT file: magic, version, and the first 8 bytes of
// SHA-256 over both.
func encodeFormat() []byte {
	var e codec.Encoder
	e.Raw([]byte(formatMagic))
	e.U16(formatVersion)
	sum := crypto.Sum(e.B)
	e.Raw(sum[:formatChecksum])
	return e.B
}

// checkFormat tells foreign, newer and damaged apart.
func checkFormat(path string, b []byte) error {
	d := codec.NewDecoder(b)
	if magic := d.Raw(len(formatMagic)); !bytes.Equal(magic, []byte(formatMagic)) {
		return fault.Corrupt(path, 0, "%w", fault.ErrForeign)
	}
	if v := d.U16(); d.Err() == nil && v > formatVersion {
		return fault.Corrupt(path, 8, "store format %d, this build reads up to %d: %w", v, formatVersion, fault.ErrNewer)
	} else if d.Err() == nil && v < formatVersion {
		return fault.Corrupt(path, 8, "store format %d never was: %w", v, fault.ErrDamaged)
	}
	end := d.Offset()
	got := d.Raw(formatChecksum)
	if d.Done() != nil {
		return fault.Corrupt(path, int64(len(b)), "%d bytes long, not %d: %w", len(b), formatSize, fault.ErrDamaged)
	}
	if want := crypto.Sum(b[:end]); !bytes.Equal(got, want[:formatChecksum]) {
		return fault.Corrupt(path, int64(end), "checksum does not fit: %w", fault.ErrDamaged)
	}
	return nil
}

// prepareDir makes a fresh store's folder, or checks that an existing one is a
// store's.
//
// Order: folders, synced; FORMAT written and synced, the store's folder synced —
// only then is the database made. A crash before leaves no database, and the next
// Open does it all again, over a FORMAT that may be cut short. Once there is a
// database, FORMAT has to be whole.
func prepareDir(fs vfs.FS, dir string, readOnly bool) error {
	path := fs.PathJoin(dir, formatFile)
	b, err := readSmall(fs, path, 4096)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err == nil && checkFormat(path, b) == nil {
		// A process that was killed may have got no further than to a FORMAT that
		// is not durable, nor is the folder's name: without a database it is all
		// done again.
		if stored, err := hasDatabase(fs, dir); err != nil || stored {
			return err
		}
	}
	fresh, listErr := isFresh(fs, dir)
	switch {
	case listErr != nil:
		return listErr
	case fresh && readOnly:
		return fmt.Errorf("no store in %s: %w", dir, os.ErrNotExist)
	case fresh:
		return createDir(fs, dir, path)
	case err != nil:
		return fault.Corrupt(path, 0, "is missing beside other files: %w", fault.ErrForeign)
	case checkFormat(path, b) == nil:
		return nil // what is missing is told with the database
	default:
		return checkFormat(path, b)
	}
}

// checkOurs refuses a folder that holds what is not a store's.
func checkOurs(fs vfs.FS, dir string) error {
	path := fs.PathJoin(dir, formatFile)
	if _, err := fs.Stat(path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	fresh, err := isFresh(fs, dir)
	if err == nil && !fresh {
		err = fault.Corrupt(path, 0, "is missing beside other files: %w", fault.ErrForeign)
	}
	return err
}

// hasDatabase tells whether the store's database has been made.
func hasDatabase(fs vfs.FS, dir string) (bool, error) {
	names, err := fs.List(fs.PathJoin(dir, pebbleDir))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return len(names) > 0, err
}

// isFresh tells whether nothing has been stored in dir yet: it holds at most
// what prepareDir makes itself before the database.
func isFresh(fs vfs.FS, dir string) (bool, error) {
	names, err := fs.List(dir)
	if err != nil {
		return false, err
	}
	for _, n := range names {
		switch n {
		case lockFile, formatFile, pebbleDir + ".creating":
		case segmentsDir:
			inside, err := fs.List(fs.PathJoin(dir, n))
			if err != nil || len(inside) > 0 {
				return false, err
			}
		default:
			return false, nil
		}
	}
	return true, nil
}

func createDir(fs vfs.FS, dir, path string) error {
	// A FORMAT that is there but foreign and not ours to overwrite: only a
	// prefix of our own bytes may be what a crash left.
	if b, err := readSmall(fs, path, 4096); err == nil && !bytes.HasPrefix(encodeFormat(), b) && !allZero(b) {
		return checkFormat(path, b)
	}
	if err := fs.MkdirAll(fs.PathJoin(dir, segmentsDir), 0o700); err != nil {
		return err
	}
	if err := syncDir(fs, dir); err != nil { // a whole FORMAT says that the folder is there
		return err
	}
	f, err := fs.Create(path, writeCategory)
	if err != nil {
		return err
	}
	if err := writeWhole(f, encodeFormat()); err != nil {
		return err
	}
	if err := syncDir(fs, dir); err != nil {
		return err
	}
	return syncDir(fs, fs.PathDir(dir))
}

// writeWhole writes and syncs a small file, and closes it. A file system may write
// less than it was given and answer no error.
func writeWhole(f vfs.File, b []byte) error {
	n, err := f.Write(b)
	if err == nil && n != len(b) {
		err = io.ErrShortWrite
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func allZero(b []byte) bool { return len(bytes.Trim(b, "\x00")) == 0 }

// syncDir makes creations and removals in dir durable.
func syncDir(fs vfs.FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// readSmall reads a file of at most max bytes.
func readSmall(fs vfs.FS, path string, max int64) ([]byte, error) {
	f, err := fs.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() > max {
		return nil, fault.Corrupt(path, max, "%d bytes long: %w", info.Size(), fault.ErrForeign)
	}
	b := make([]byte, info.Size())
	if _, err := io.ReadFull(f, b); err != nil {
		return nil, err
	}
	return b, nil
}
