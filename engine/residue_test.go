package engine_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/engine"
)

// residue is the sealed bytes of items, noted while they lived, to be searched
// for after they were deleted.
type residue struct {
	chunks map[uint64]string // eight bytes of a row → whose
	first  [1 << 16]bool     // the first two bytes of all chunks: most places are told by them alone
}

// note reads the sealed bytes of items where they stand. It may be called on
// one residue any number of times. It makes sure that the search finds them
// now: a search that finds nothing would prove nothing.
func (r *residue) note(t testing.TB, s *store, ix *engine.Index, ids []string, opts ...engine.OpOption) {
	t.Helper()
	rows, err := ix.SealedRows(context.Background(), ids, opts...)
	must(t, err)
	for _, row := range rows {
		r.add(row.ID, row.Bytes)
	}
	found := r.search(t, s.fs)
	for _, id := range ids {
		if found[id] == 0 {
			t.Errorf("the search does not find %q while it lives", id)
		}
	}
}

// add notes bytes: every eight of them, and the last eight.
func (r *residue) add(name string, b []byte) {
	if r.chunks == nil {
		r.chunks = make(map[uint64]string)
	}
	for len(b) >= 8 {
		c := binary.LittleEndian.Uint64(b)
		r.chunks[c], r.first[uint16(c)] = name, true
		if len(b) > 8 && len(b) < 16 {
			b = b[len(b)-8:]
		} else {
			b = b[8:]
		}
	}
}

// search answers how many of the noted chunks stand in any file, by item.
func (r *residue) search(t testing.TB, fs vfs.FS) map[string]int {
	t.Helper()
	found := make(map[string]int)
	for path, b := range readAll(t, fs) {
		for i := 0; i+8 <= len(b); i++ {
			if !r.first[binary.LittleEndian.Uint16(b[i:])] {
				continue
			}
			if name, ok := r.chunks[binary.LittleEndian.Uint64(b[i:])]; ok {
				found[name]++
				found[name+" in "+path]++
			}
		}
	}
	return found
}

// wantGone fails when a byte of what was noted stands in any file, or would
// come back after a crash now: what was overwritten must have been synced.
func (r *residue) wantGone(t testing.TB, fs vfs.FS) {
	t.Helper()
	if len(r.chunks) == 0 {
		t.Fatal("nothing was noted")
	}
	for where, n := range r.search(t, fs) {
		t.Errorf("%d pieces of %s are left", n, where)
	}
	if mem, ok := fs.(*vfs.MemFS); ok {
		for where, n := range r.search(t, mem.CrashClone(vfs.CrashCloneCfg{})) {
			t.Errorf("after a crash, %d pieces of %s come back", n, where)
		}
	}
}

// readAll is every file below the store's folder, by path.
func readAll(t testing.TB, fs vfs.FS) map[string][]byte {
	t.Helper()
	out := make(map[string][]byte)
	if err := readTree(fs, storeDir, out); err != nil {
		t.Fatalf("reading every file: %v", err)
	}
	return out
}

func readTree(fs vfs.FS, dir string, out map[string][]byte) error {
	names, err := fs.List(dir)
	if err != nil {
		return err
	}
	slices.Sort(names)
	for _, name := range names {
		path := fs.PathJoin(dir, name)
		info, err := fs.Stat(path)
		switch {
		case errors.Is(err, os.ErrNotExist):
			continue // removed meanwhile
		case err != nil:
			return err
		case info.IsDir():
			err = readTree(fs, path, out)
		default:
			var b []byte
			if b, err = readFile(fs, path); errors.Is(err, os.ErrNotExist) {
				continue // likewise
			}
			out[path] = b
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}

func readFile(fs vfs.FS, path string) ([]byte, error) {
	f, err := fs.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	b := make([]byte, info.Size())
	_, err = io.ReadFull(io.NewSectionReader(f, 0, info.Size()), b)
	return b, err
}

// writeFile puts a file in place of what is there.
func writeFile(t testing.TB, fs vfs.FS, path string, b []byte) {
	t.Helper()
	f, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	must(t, err)
	_, err = f.Write(slices.Clone(b)) // a file may change what it is given
	must(t, err)
	must(t, f.Sync())
	must(t, f.Close())
}
