package meta

import (
	"errors"
	"fmt"
	iofs "io/fs"
	"log/slog"

	"github.com/cockroachdb/errors/oserror"
	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/internal/fault"
)

// creating is what is put behind the name of a directory that is not complete.
const creating = ".creating"

// start opens Pebble in db.dir and makes a new database first when there is
// none.
func (db *DB) start(o Options, log *slog.Logger) error {
	missing, err := db.missing()
	switch {
	case err != nil:
		return err
	case o.ReadOnly && missing:
		return iofs.ErrNotExist
	case !o.ReadOnly:
		if err := db.create(missing, o, log); err != nil {
			return err
		}
	}
	files := newOwned(ordered{db.latch, o.ReadOnly}, db.dir)
	if err = files.load(); err == nil {
		err = db.openPebble(db.dir, o.pebble(files, log))
	}
	if err == nil || files.readFailed.Load() || db.Err() != nil || errors.As(err, new(*fault.CorruptionError)) {
		return err
	}
	// Every read was done: so what was read is not what was written, or is missing
	// (Pebble calls by that name the least of what it finds).
	return &fault.CorruptionError{Path: db.dir, Err: err}
}

// create makes a new database at one stroke: beside its place, then renamed.
// Pebble itself makes one in several steps and makes their directory entries
// durable together at the end; a crash between them may keep the later without
// the earlier, and what is left does not open.
func (db *DB) create(missing bool, o Options, log *slog.Logger) error {
	tmp := db.dir + creating
	if err := db.latch.RemoveAll(tmp); err != nil && !oserror.IsNotExist(err) {
		return err
	}
	if !missing {
		return nil
	}
	files := newOwned(ordered{db.latch, false}, tmp)
	if err := files.begin(); err != nil {
		return err
	}
	opts := o.pebble(files, log)
	opts.ErrorIfNotExists = false
	if err := db.openPebble(tmp, opts); err != nil {
		return err
	}
	if err := db.closePebble(); err != nil {
		return err
	}
	if err := syncDir(db.latch, tmp); err != nil { // IDENTITY's name
		return err
	}
	// An empty directory in the place goes first: a rename would not replace it
	// everywhere.
	if err := db.latch.Remove(db.dir); err != nil && !oserror.IsNotExist(err) {
		return err
	}
	if err := db.latch.Rename(tmp, db.dir); err != nil {
		return err
	}
	return syncDir(db.latch, db.latch.PathDir(db.dir))
}

// missing tells whether there is no database: no directory, or an empty one.
func (db *DB) missing() (bool, error) {
	names, err := db.latch.List(db.dir)
	if oserror.IsNotExist(err) {
		return true, nil
	}
	return len(names) == 0, err
}

func (db *DB) openPebble(dir string, opts *pebble.Options) error {
	compactions := newScheduler(db.latch)
	opts.Experimental.CompactionScheduler = compactions
	p, err := pebble.Open(dir, opts)
	if err != nil {
		opts.Cache.Unref()
		return err
	}
	db.p, db.cache = p, opts.Cache
	compactions.begin()
	return db.Err()
}

func (db *DB) closePebble() error {
	if db.p == nil {
		return nil
	}
	err := db.p.Close()
	db.cache.Unref()
	db.p, db.cache = nil, nil
	return err
}

func syncDir(fs vfs.FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	if err := d.Sync(); err != nil {
		_ = d.Close()
		return fmt.Errorf("sync %s: %w", dir, err)
	}
	return d.Close()
}
