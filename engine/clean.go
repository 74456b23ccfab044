package engine

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"

	"oubliette/crypto"
	"oubliette/internal/codec"
	"oubliette/internal/fault"
	"oubliette/internal/meta"
)

// cleanFile stands in a store's folder from Close to the next Open for writing
// and says what the database held. Pebble takes a damaged end of its log for
// the torn end that a crash leaves; a store that was closed in good order has
// none, so there it is damage.
const cleanFile = "CLEAN"

const (
	cleanMagic   = "OUBLCLN\x00"
	cleanVersion = 1
)

// encodeClean is the CLEAN file: magic, version, digest, and the first 8 bytes
// of SHA-256 over all before it.
func encodeClean(digest crypto.Hash) []byte {
	var e codec.Encoder
	e.Raw([]byte(cleanMagic))
	e.U16(cleanVersion)
	e.Raw(digest[:])
	sum := crypto.Sum(e.B)
	e.Raw(sum[:formatChecksum])
	return e.B
}

// stateDigest is SHA-256 over every record of the database but dead records,
// outcomes and the log, of which it takes each index's last group: dead records
// hang from the manifest and groups from the log's chain; of outcomes there may be
// many, and what is read and erased does not depend on them.
func stateDigest(db *meta.DB) (digest crypto.Hash, err error) {
	h := sha256.New()
	note := func(key, value []byte) error {
		e := codec.Encoder{B: make([]byte, 0, 8+len(key)+len(value))}
		e.Blob(key)
		e.Blob(value)
		h.Write(e.B)
		return nil
	}
	var indexes [][]byte
	ranges := [][2][]byte{
		{nil, meta.AllDeadPrefix()},
		{meta.PrefixEnd(meta.AllDeadPrefix()), meta.AllOutcomesPrefix()},
		{meta.PrefixEnd(meta.AllOutcomesPrefix()), meta.AllGroupsPrefix()},
		{meta.PrefixEnd(meta.AllGroupsPrefix()), nil},
	}
	for _, r := range ranges {
		err = errors.Join(err, db.Scan(r[0], r[1], func(key, value []byte) error {
			if _, ok := meta.ParseCatalogueKey(key); ok {
				indexes = append(indexes, bytes.Clone(value))
			}
			return note(key, value)
		}))
	}
	for _, id := range indexes {
		if len(id) != len(crypto.IndexID{}) {
			continue // told when the catalogue is read
		}
		key, value, ok, lerr := db.Last(meta.GroupPrefix(crypto.IndexID(id)))
		if err = errors.Join(err, lerr); ok {
			_ = note(key, value)
		}
	}
	h.Sum(digest[:0])
	return digest, err
}

// writeClean says that the store has been closed in good order. The database is
// closed and synced by then. A CLEAN that a crash cut short counts as none.
func (db *DB) writeClean(digest crypto.Hash) error {
	fs, path := db.opts.FS, db.opts.FS.PathJoin(db.dir, cleanFile)
	f, err := fs.Create(path, writeCategory)
	if err != nil {
		return err
	}
	if err := writeWhole(f, encodeClean(digest)); err != nil {
		return err
	}
	return syncDir(fs, db.dir)
}

// checkClean holds the database against the CLEAN file, if there is a whole one.
func (db *DB) checkClean() error {
	path := db.opts.FS.PathJoin(db.dir, cleanFile)
	b, err := readSmall(db.opts.FS, path, 4096)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	digest, err := stateDigest(db.meta)
	if err != nil {
		return err
	}
	whole := crypto.Hash{}
	if len(b) == len(encodeClean(whole)) {
		copy(whole[:], b[len(cleanMagic)+2:])
	}
	if bytes.Equal(b, encodeClean(whole)) && whole != digest {
		return fault.Corrupt(db.opts.FS.PathJoin(db.dir, pebbleDir), 0,
			"is not what it was when the store was closed (without the file CLEAN it opens as after a crash): %w", fault.ErrDamaged)
	}
	return nil
}

// removeClean comes before the first change: synced, so that no crash brings the
// file back beside a later state.
func (db *DB) removeClean() error {
	err := db.opts.FS.Remove(db.opts.FS.PathJoin(db.dir, cleanFile))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("begin to change the store: %w", err)
	}
	return syncDir(db.opts.FS, db.dir)
}

// checkDatabase tells whether a database is missing where one has been: there are
// segment files, or the store was closed with one.
func checkDatabase(o *Options, dir string) error {
	fs, path := o.FS, o.FS.PathJoin(dir, pebbleDir)
	if stored, err := hasDatabase(fs, dir); err != nil || stored {
		return err
	}
	inside, err := fs.List(fs.PathJoin(dir, segmentsDir))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if _, clean := fs.Stat(fs.PathJoin(dir, cleanFile)); len(inside) == 0 && clean != nil {
		return nil
	}
	return fault.Corrupt(path, 0, "is missing beside segment files: %w", fault.ErrDamaged)
}
