package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/internal/residue"
)

// usage is what a store takes on disk: lengths of files. Holes that erasures
// have punched count, too.
type usage struct {
	Segments fileUsage `json:"segments"`
	Log      fileUsage `json:"log"`
	Other    fileUsage `json:"other"`
}

type fileUsage struct {
	Files int   `json:"files"`
	Bytes int64 `json:"bytes"`
}

func (u *usage) total() fileUsage {
	return fileUsage{
		u.Segments.Files + u.Log.Files + u.Other.Files,
		u.Segments.Bytes + u.Log.Bytes + u.Other.Bytes,
	}
}

// usage is that of the command's store.
func (a *app) usage() (usage, error) {
	dir, err := a.storeDir()
	if err != nil {
		return usage{}, err
	}
	return usageOf(vfs.Default, dir)
}

func usageOf(fs vfs.FS, dir string) (u usage, err error) {
	files, err := residue.Files(fs, dir)
	if err != nil {
		return u, err
	}
	for _, path := range files {
		info, err := fs.Stat(path)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return u, err
		}
		part := u.part(dir, path)
		part.Files++
		part.Bytes += info.Size()
	}
	return u, nil
}

// part is where a file of the store in dir counts.
func (u *usage) part(dir, path string) *fileUsage {
	rest, err := filepath.Rel(dir, path)
	if err != nil {
		return &u.Other
	}
	switch top, _, _ := strings.Cut(filepath.ToSlash(rest), "/"); top {
	case "segments":
		return &u.Segments
	case "pebble":
		return &u.Log
	}
	return &u.Other
}
