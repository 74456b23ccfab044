package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// wholeFile is a file that is written whole or not at all: until then a file that
// is there already stays as it is. A nil one takes nothing.
type wholeFile struct {
	path string
	tmp  *os.File // beside it
}

// beginFile looks whether a file can be written, before a run takes minutes. path ""
// is no file.
func beginFile(path string) (*wholeFile, error) {
	if path == "" {
		return nil, nil
	}
	// A rename would put the file in the place of a device or of a link.
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is there already, and is no regular file", path)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	name := fmt.Sprintf(".%s.%s.creating", filepath.Base(path), rand.Text())
	tmp, err := os.OpenFile(filepath.Join(filepath.Dir(path), name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &wholeFile{path, tmp}, nil
}

// write gives the file its bytes and its name.
//
// Order: the bytes into the file beside it, S · the rename. A crash between any two
// leaves what was there before, and perhaps the file beside it.
func (f *wholeFile) write(b []byte) error {
	_, err := f.tmp.Write(b)
	if err == nil {
		err = f.tmp.Sync()
	}
	if err = errors.Join(err, f.tmp.Close()); err == nil {
		err = os.Rename(f.tmp.Name(), f.path)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", f.path, err)
	}
	return nil
}

// done takes away what is left beside the file, whether it was written or not.
func (f *wholeFile) done() {
	if f == nil {
		return
	}
	_ = f.tmp.Close()           // it is closed already if it was written
	_ = os.Remove(f.tmp.Name()) // it is gone if it was renamed
}
