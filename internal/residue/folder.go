package residue

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	// maxRounds is how often new files may come while a search goes on.
	maxRounds = 16
	// maxDepth is how deep folders may stand in one another; a link that leads
	// back up would have no end.
	maxDepth = 64
)

// folder searches all files below dir, and those that have come meanwhile,
// until a listing shows nothing new.
func (r *run) folder(dir string) error {
	seen := make(map[string]bool)
	for range maxRounds {
		files, err := Files(r.fs, dir)
		if err != nil {
			return err
		}
		fresh := slices.DeleteFunc(files, func(f string) bool { return seen[f] })
		if len(fresh) == 0 {
			return nil
		}
		for _, path := range fresh {
			seen[path] = true
			if err := r.file(path); err != nil {
				return err
			}
		}
	}
	return fmt.Errorf("residue: new files keep coming in %s", dir)
}

// Files answers the path of every file below dir, sorted. What is gone while it
// looks is left out; a missing dir, and what is neither file nor folder, is an
// error.
func Files(fs vfs.FS, dir string) ([]string, error) {
	info, err := fs.Stat(dir)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("residue: %s is no folder", dir)
	}
	return appendFiles(nil, fs, dir, 0)
}

func appendFiles(out []string, fs vfs.FS, dir string, depth int) ([]string, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("residue: more than %d folders in one another at %s", maxDepth, dir)
	}
	names, err := fs.List(dir)
	if err != nil {
		if depth > 0 && errors.Is(err, os.ErrNotExist) {
			return out, nil
		}
		return nil, err
	}
	slices.Sort(names)
	for _, name := range names {
		path := fs.PathJoin(dir, name)
		info, err := fs.Stat(path)
		switch {
		case errors.Is(err, os.ErrNotExist):
		case err != nil:
			return nil, err
		case info.IsDir():
			if out, err = appendFiles(out, fs, path, depth+1); err != nil {
				return nil, err
			}
		case !info.Mode().IsRegular():
			return nil, fmt.Errorf("residue: %s is neither file nor folder", path)
		default:
			out = append(out, path)
		}
	}
	return out, nil
}
