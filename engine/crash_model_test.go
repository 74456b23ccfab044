package engine_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/crypto"
	"oubliette/engine"
)

// crashModel is what a store should hold: index → id → version of the item. It
// is never changed once somebody else has it.
type crashModel struct {
	indexes map[string]map[string]int
}

func newCrashModel() *crashModel { return &crashModel{indexes: make(map[string]map[string]int)} }

// with is a copy in which change has been made to one index.
func (m *crashModel) with(index string, change func(items map[string]int)) *crashModel {
	c := &crashModel{indexes: maps.Clone(m.indexes)}
	items := maps.Clone(c.indexes[index])
	if items == nil {
		items = make(map[string]int)
	}
	change(items)
	c.indexes[index] = items
	return c
}

func (m *crashModel) without(index string) *crashModel {
	c := &crashModel{indexes: maps.Clone(m.indexes)}
	delete(c.indexes, index)
	return c
}

// crashVersion names one version of one item of one index.
type crashVersion struct {
	index, id string
	version   int
}

func (v crashVersion) String() string { return fmt.Sprintf("%s/%s@%d", v.index, v.id, v.version) }

func (m *crashModel) lives(v crashVersion) bool {
	version, ok := m.indexes[v.index][v.id]
	return ok && version == v.version
}

// crashNotes are sealed bytes of every version that ever lived, wherever it
// stood, and the sequence number at which it died.
type crashNotes struct {
	chunks map[uint64]crashVersion // eight bytes of sealed rows
	first  []bool                  // by their first 20 bits: tells most places apart
	died   map[crashVersion]uint64
	// sessions are those in which calls were acknowledged: their nonces are used.
	sessions map[crypto.SessionID]bool
}

func newCrashNotes() *crashNotes {
	return &crashNotes{
		chunks: make(map[uint64]crashVersion), first: make([]bool, 1<<20), died: make(map[crashVersion]uint64),
		sessions: make(map[crypto.SessionID]bool),
	}
}

func (n *crashNotes) add(v crashVersion, sealed []byte) {
	for ; len(sealed) >= 8; sealed = sealed[8:] {
		c := binary.LittleEndian.Uint64(sealed)
		n.chunks[c], n.first[c&(1<<20-1)] = v, true
	}
}

// search tells for every version how many eight-byte pieces of it stand
// anywhere in any file of the store.
func (n *crashNotes) search(fs vfs.FS) (map[crashVersion]int, error) {
	files, err := crashFiles(fs)
	if err != nil {
		return nil, err
	}
	found := make(map[crashVersion]int)
	for _, b := range files {
		for i := 0; i+8 <= len(b); i++ {
			c := binary.LittleEndian.Uint64(b[i:])
			if !n.first[c&(1<<20-1)] {
				continue
			}
			if v, ok := n.chunks[c]; ok {
				found[v]++
			}
		}
	}
	return found, nil
}

// crashFiles reads every file of a store, again when one has been removed
// meanwhile: the database below removes old files when it likes.
func crashFiles(fs vfs.FS) (files map[string][]byte, err error) {
	for range 100 {
		files = make(map[string][]byte)
		if err = readTree(fs, storeDir, files); !errors.Is(err, os.ErrNotExist) {
			return files, err
		}
	}
	return files, err
}

// residue is an error when a piece of a version for which dead holds is in any
// file.
func (n *crashNotes) residue(fs vfs.FS, dead func(crashVersion) bool) error {
	found, err := n.search(fs)
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

// crashItem is the item of a version. Sizes differ, so that rows do not line
// up with blocks.
func crashItem(id string, version int) engine.Item {
	size := 200
	if len(id) > 0 && id[0] == 'L' {
		size = 1700 + 37*(version%7)
	}
	it := sizedItem(id, version, size)
	if crashExpires(id) {
		it.ExpiresAt = time.UnixMilli(expiry).UTC()
	}
	return it
}
