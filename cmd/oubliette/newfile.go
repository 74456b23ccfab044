package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// newFile is a file that is to hold a document. It is there whole or not at all,
// and a file that is there already is never overwritten.
type newFile struct {
	path string
	tmp  *os.File // beside it
}

// reserve looks whether the file can be written, before anything is done of which
// it is to speak. path "" is no file: all else does nothing then.
func reserve(path, flag string) (*newFile, error) {
	switch {
	case path == "":
		return nil, nil
	case path == "-":
		return nil, fmt.Errorf("%w: --%s -: it is written to a file, where it is durable", errUsage, flag)
	}
	if _, err := os.Lstat(path); err == nil {
		return nil, fmt.Errorf("--%s: %s is there already, and is not overwritten", flag, path)
	} else if !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("--%s: %w", flag, err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.creating")
	if err != nil {
		return nil, fmt.Errorf("--%s: %w", flag, err)
	}
	return &newFile{path, tmp}, nil
}

// write gives the file its bytes and its name.
//
// Order: the bytes into a file beside it, S · that file gets the name · its folder,
// S. A crash before the last S leaves no file of that name or the whole one, and
// perhaps the one beside it.
func (f *newFile) write(b []byte) error {
	if f == nil {
		return nil
	}
	_, err := f.tmp.Write(b)
	if err == nil {
		err = f.tmp.Sync()
	}
	if err = errors.Join(err, f.tmp.Close()); err == nil {
		err = f.name()
	}
	if err == nil {
		err = syncPath(filepath.Dir(f.path))
	}
	return err
}

// name gives the file its name. A link fails where somebody else has made a file
// of it meanwhile; a rename, for file systems without links, would not.
func (f *newFile) name() error {
	err := os.Link(f.tmp.Name(), f.path)
	if err == nil || errors.Is(err, os.ErrExist) {
		return err
	}
	if _, err := os.Lstat(f.path); !errors.Is(err, os.ErrNotExist) {
		return errors.Join(os.ErrExist, err)
	}
	return os.Rename(f.tmp.Name(), f.path)
}

// done takes away what is left beside the file. It is called whether the file has
// been written or not.
func (f *newFile) done() {
	if f == nil {
		return
	}
	_ = f.tmp.Close()           // it is closed already if it was written
	_ = os.Remove(f.tmp.Name()) // it is gone if it was renamed
}
