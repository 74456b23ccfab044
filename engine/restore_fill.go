package engine

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/crypto"
	"oubliette/internal/archive"
	"oubliette/internal/fault"
	"oubliette/internal/meta"
	"oubliette/segment"
)

// filler writes what a stream holds into a store's folder, and nowhere else: the
// name of a file is made of ids of fixed size. It is an archive.Sink.
//
// Order: pieces, each file synced before another is opened; files that do not
// belong to the store destroyed, and the folders synced; then records, in batches
// of which the last is synced.
type filler struct {
	fs    vfs.FS
	dir   string
	opts  *Options
	files map[archive.Segment]*filled

	open vfs.File // the file that takes pieces
	name archive.Segment

	db    *meta.DB
	batch *meta.Batch
}

// filled is a segment file that has been written.
type filled struct {
	length uint64
	kept   bool
}

// fillBatch is how many bytes of records one batch takes.
const fillBatch = 4 << 20

func (f *filler) path(s archive.Segment) string {
	return f.fs.PathJoin(f.indexDir(s.Index), s.ID.String()+segmentSuffix)
}

func (f *filler) indexDir(index crypto.IndexID) string {
	return f.fs.PathJoin(f.dir, segmentsDir, index.String())
}

// Piece writes into a segment file.
func (f *filler) Piece(s archive.Segment, off uint64, b []byte) error {
	x := f.files[s]
	if x == nil {
		x = new(filled)
		f.files[s] = x
	}
	if off > x.length {
		return fault.Corrupt(archive.Name, 0, "segment %s: a piece at offset %d behind %d bytes: %w", s.ID, off, x.length, fault.ErrDamaged)
	}
	if err := f.turnTo(s); err != nil {
		return err
	}
	end := off + uint64(len(b))
	if n, err := f.open.WriteAt(b, int64(off)); err != nil || n != len(b) {
		return fmt.Errorf("write %s: %d of %d bytes at offset %d: %w", f.path(s), n, len(b), off, err)
	}
	x.length = max(x.length, end)
	return nil
}

// turnTo opens the file that the next piece goes into.
func (f *filler) turnTo(s archive.Segment) (err error) {
	if f.open != nil && f.name == s {
		return nil
	}
	if err := f.leave(); err != nil {
		return err
	}
	if err := f.fs.MkdirAll(f.indexDir(s.Index), 0o700); err != nil {
		return err
	}
	f.name = s
	f.open, err = f.fs.OpenReadWrite(f.path(s), writeCategory)
	return err
}

// leave syncs and closes the file that is open.
func (f *filler) leave() error {
	h := f.open
	if f.open = nil; h == nil {
		return nil
	}
	return errors.Join(h.Sync(), h.Close())
}

// File keeps a segment file, which has to be all there.
func (f *filler) File(s archive.Segment, length uint64) error {
	x := f.files[s]
	if x == nil || x.length != length || length == 0 {
		return fault.Corrupt(archive.Name, 0, "segment %s: its %d bytes are not all there: %w", s.ID, length, fault.ErrDamaged)
	}
	x.kept = true
	return nil
}

// Record puts a record into the database. Each index has a folder, also one
// without a segment.
func (f *filler) Record(key, value []byte) error {
	if f.db == nil {
		if err := f.begin(); err != nil {
			return err
		}
	}
	if _, ok := meta.ParseCatalogueKey(key); ok && len(value) == len(crypto.IndexID{}) {
		if err := f.fs.MkdirAll(f.indexDir(crypto.IndexID(value)), 0o700); err != nil {
			return err
		}
	}
	if f.batch == nil {
		f.batch = f.db.NewBatch()
	}
	f.batch.Set(key, value)
	if f.batch.Len() < fillBatch {
		return nil
	}
	batch := f.batch
	f.batch = nil
	return f.db.CommitLazy(batch)
}

// begin ends with the files and makes the database.
func (f *filler) begin() error {
	if err := f.leave(); err != nil {
		return err
	}
	for s, x := range f.files {
		if x.kept {
			continue
		}
		if err := segment.Destroy(f.fs, f.path(s)); err != nil {
			return err
		}
	}
	var err error
	f.db, err = meta.Open(f.fs, f.fs.PathJoin(f.dir, pebbleDir), meta.Options{Logger: f.opts.Logger})
	return err
}

// finish makes durable what has been written, if it counts.
func (f *filler) finish(counts bool) error {
	if counts && f.db == nil { // a store without a record
		if err := f.begin(); err != nil {
			return err
		}
	}
	err := f.leave()
	if f.db == nil {
		return err
	}
	if f.batch == nil {
		f.batch = f.db.NewBatch()
	}
	if counts {
		err = errors.Join(err, f.db.Commit(f.batch))
	} else {
		f.batch.Close()
	}
	err = errors.Join(err, f.db.Close())
	if err != nil || !counts {
		return err
	}
	return f.syncDirs()
}

func (f *filler) syncDirs() error {
	root := f.fs.PathJoin(f.dir, segmentsDir)
	names, err := f.fs.List(root)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := syncDir(f.fs, f.fs.PathJoin(root, name)); err != nil {
			return err
		}
	}
	return syncDir(f.fs, root)
}
