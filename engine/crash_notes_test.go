package engine_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// crashNotes are sealed bytes of every version that ever lived, wherever it
// stood, and the sequence number at which it died.
type crashNotes struct {
	chunks map[uint64]crashVersion // eight bytes of sealed rows
	first  []uint64                // a bit for each of their first 24 bits: tells most places apart
	died   map[crashVersion]uint64
}

func newCrashNotes() *crashNotes {
	return &crashNotes{chunks: make(map[uint64]crashVersion), first: make([]uint64, 1<<18), died: make(map[crashVersion]uint64)}
}

func (n *crashNotes) add(v crashVersion, sealed []byte) {
	for ; len(sealed) >= 8; sealed = sealed[8:] {
		c := binary.LittleEndian.Uint64(sealed)
		n.chunks[c] = v
		n.first[c>>6&(1<<18-1)] |= 1 << (c & 63)
	}
}

// crashLedger is where the ledger of the crash tests stands.
const crashLedger = "/ledger"

// search tells for every version how many eight-byte pieces of it stand
// anywhere in any file of the store, or of the given folders and files. Where
// item bytes have no business at all, in the database and in the ledger, they
// are an error, whoever lives.
func (n *crashNotes) search(fs vfs.FS, paths ...string) (map[crashVersion]int, error) {
	if len(paths) == 0 {
		paths = []string{storeDir, crashLedger}
	}
	files, err := crashFiles(fs, paths...)
	if err != nil {
		return nil, err
	}
	found := make(map[crashVersion]int)
	for path, b := range files {
		segment := strings.HasSuffix(path, ".seg")
		if v, elsewhere := n.count(b, found); elsewhere && !segment {
			return nil, fmt.Errorf("%s, which is no segment, holds bytes of %v", path, v)
		}
	}
	return found, nil
}

// count adds the pieces that stand in b, and answers one of them.
func (n *crashNotes) count(b []byte, found map[crashVersion]int) (v crashVersion, any bool) {
	for i := 0; i+8 <= len(b); i++ {
		c := binary.LittleEndian.Uint64(b[i:])
		if n.first[c>>6&(1<<18-1)]&(1<<(c&63)) == 0 {
			continue
		}
		if at, ok := n.chunks[c]; ok {
			found[at]++
			v, any = at, true
		}
	}
	return v, any
}

// crashFiles reads every file of folders and files that are there, again when one
// has been removed meanwhile: the database below removes old files when it likes.
func crashFiles(fs vfs.FS, paths ...string) (files map[string][]byte, err error) {
	for range 100 {
		files = make(map[string][]byte)
		for _, path := range paths {
			if err = crashRead(fs, path, files); err != nil {
				break
			}
		}
		if !errors.Is(err, os.ErrNotExist) {
			return files, err
		}
	}
	return files, err
}

// crashRead reads a file, or every file of a folder; nothing where nothing is.
func crashRead(fs vfs.FS, path string, files map[string][]byte) error {
	info, err := fs.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.IsDir():
		return readTree(fs, path, files)
	}
	files[path], err = readFile(fs, path)
	return err
}

// residue is an error when a piece of a version for which dead holds is in any
// file.
func (n *crashNotes) residue(fs vfs.FS, dead func(crashVersion) bool, paths ...string) error {
	found, err := n.search(fs, paths...)
	if err != nil {
		return err
	}
	for v, pieces := range found {
		if dead(v) {
			return fmt.Errorf("%d pieces of %v are left (died at %d)", pieces, v, n.died[v])
		}
	}
	return nil
}
