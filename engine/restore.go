package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"os"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/internal/archive"
	"oubliette/internal/fault"
	"oubliette/segment"
)

// Restore makes a store in dir of the stream that Backup has written. It needs no
// key. The folder must not be there, or be empty; its parent has to be there.
// When it returns nil the store is whole and durable, closed in good order, and
// everything that had been deleted and applied when the backup was taken has been
// overwritten in it; a delete that had not been applied yet is hidden, and erased
// with the next writer's key, as after a crash. A ledger is left alone: a store that
// keeps one takes from it what the backup lacks when it is opened.
//
// A stream that was cut is io.ErrUnexpectedEOF, one that was altered ErrDamaged,
// all that is no backup ErrForeign, a later format ErrNewer, each a
// CorruptionError with the offset. After an error there is no store (but where
// the disk fails once more at taking its name back; the error says so). A crash
// leaves none, or a whole one; what it leaves in the folder dir.restoring is
// destroyed by the next Restore to dir.
//
// The restored store is a twin of the source, with the same index ids and keys.
// Both may be written on. An item that is deleted in one is not deleted in the
// other; a user who has met a later epoch of the source refuses the twin, which
// looks to him like one that was put back.
//
// Order: everything is made in dir.restoring/store, segments and their folders
// synced, the database in synced batches; then that store is opened and closed,
// which finishes every erasure; then it is renamed, and both folders are synced.
func Restore(ctx context.Context, r io.Reader, dir string) error {
	return RestoreWith(ctx, r, dir, nil)
}

// RestoreWith is Restore with options, which count as for Open, but for the ledger.
func RestoreWith(ctx context.Context, r io.Reader, dir string, opts *Options) (err error) {
	o := opts.withDefaults()
	if err := o.validate(); err != nil {
		return err
	}
	if dir == "" || o.ReadOnly {
		return fmt.Errorf("restore: no folder, or one that is not to be written: %w", ErrInvalid)
	}
	fs := o.FS
	dir = fs.PathJoin(dir)
	if err := absent(fs, dir); err != nil {
		return err
	}
	in := &restoring{fs: fs, root: dir + ".restoring"}
	in.store = fs.PathJoin(in.root, "store")
	if err := in.begin(o); err != nil {
		return err
	}
	defer func() {
		left := in.end()
		if err == nil && left != nil { // the store is in place
			o.Logger.Warn("a restore leaves its folder", "err", left)
			return
		}
		err = errors.Join(err, left)
	}()
	if err := in.fill(ctx, r, o); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	if err := in.recover(o); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	return in.place(dir)
}

// absent refuses a folder that is in use.
func absent(fs vfs.FS, dir string) error {
	if _, err := fs.Stat(fs.PathDir(dir)); err != nil {
		return err
	}
	names, err := fs.List(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err == nil && len(names) > 0 {
		err = fmt.Errorf("%s is not empty: %w", dir, iofs.ErrExist)
	}
	return err
}

// restoring is the folder in which a store is made.
type restoring struct {
	fs    vfs.FS
	root  string // holds LOCK and the store
	store string
	lock  io.Closer
}

// begin makes the folder, durably, and destroys what an earlier Restore has left
// there.
func (in *restoring) begin(o *Options) error {
	if err := in.ours(); err != nil {
		return err
	}
	if err := in.fs.MkdirAll(in.root, 0o700); err != nil {
		return err
	}
	var err error
	if in.lock, err = lockStore(o, in.root); err != nil {
		return err
	}
	if err = in.destroy(); err == nil {
		if err = in.fs.MkdirAll(in.store, 0o700); err == nil {
			if err = syncDir(in.fs, in.root); err == nil {
				err = syncDir(in.fs, in.fs.PathDir(in.root))
			}
		}
	}
	if err != nil {
		return errors.Join(err, in.end())
	}
	return nil
}

// ours refuses a folder that no Restore has made: it would be destroyed. No other
// folder holds nothing but a lock and a folder called store.
func (in *restoring) ours() error {
	if err := realDir(in.fs, in.root); err != nil {
		return err
	}
	names, err := in.fs.List(in.root)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	for _, n := range names {
		if n != lockFile && n != in.fs.PathBase(in.store) {
			return fault.Corrupt(in.root, 0, "holds %q, which no restore has left there: %w", n, fault.ErrForeign)
		}
	}
	return err
}

// realDir refuses what is there and is no folder: a link may lead to a store.
func realDir(fs vfs.FS, path string) error {
	var info iofs.FileInfo
	var err error
	if vfs.Root(fs) == vfs.Default {
		info, err = os.Lstat(path)
	} else {
		info, err = fs.Stat(path)
	}
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err == nil && !info.IsDir() {
		err = fault.Corrupt(path, 0, "is no folder: %w", fault.ErrForeign)
	}
	return err
}

// destroy removes the store that is being made, as files are removed everywhere:
// headers overwritten and synced first. Done again it does no harm.
func (in *restoring) destroy() error {
	segments := in.fs.PathJoin(in.store, segmentsDir)
	for _, dir := range []string{in.store, segments} {
		if err := realDir(in.fs, dir); err != nil {
			return err
		}
	}
	indexes, err := in.fs.List(segments)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, index := range indexes {
		dir := in.fs.PathJoin(segments, index)
		if err := realDir(in.fs, dir); err != nil {
			return err
		}
		files, err := in.fs.List(dir)
		if err != nil {
			return err
		}
		for _, name := range files {
			if !strings.HasSuffix(name, segmentSuffix) {
				continue
			}
			if err := segment.DestroyHeader(in.fs, in.fs.PathJoin(dir, name)); err != nil {
				return err
			}
		}
	}
	if err := in.fs.RemoveAll(in.store); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return syncDir(in.fs, in.root)
}

// end takes the folder away, with whatever is still in it.
func (in *restoring) end() error {
	err := in.destroy()
	if err == nil {
		if err = in.fs.RemoveAll(in.root); err == nil {
			err = syncDir(in.fs, in.fs.PathDir(in.root))
		}
	}
	err = errors.Join(err, in.lock.Close())
	if err != nil {
		err = fmt.Errorf("restore: what is left in %s: %w", in.root, err)
	}
	return err
}

// recover opens the store and closes it again: what the backup's files hold of
// the deleted is overwritten, and the store says that it was closed.
func (in *restoring) recover(o *Options) error {
	opts := *o
	opts.Ledger, opts.restoring = nil, true
	db, err := Open(in.store, &opts)
	if err != nil {
		return err
	}
	if err = db.recovered(); err != nil {
		return errors.Join(err, db.Close())
	}
	err = db.Close()
	var pending *PendingError
	if errors.As(err, &pending) && pending.Err == nil {
		o.Logger.Warn("deletes that had not been applied wait for a writer's key", "indexes", pending.Indexes)
		return nil
	}
	return err
}

// recovered is nil when Open has finished all that it finishes without a key. What
// it could not do it leaves to the next Open: a store that is only being made need
// not have that.
func (db *DB) recovered() error {
	var errs []error
	for _, c := range db.mu.catalogue {
		if c.err != nil {
			errs = append(errs, c.err)
			continue
		}
		m, err := db.readManifest(c)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		errs = append(errs, db.eraseOldSlots(c, m))
		for i := range m.Segments {
			dead, err := db.readDead(c.id, &m.Segments[i])
			if err == nil && len(dead.Pending) > 0 && !db.overwritten(m.Segments[i].ID, dead.Generation) {
				err = fmt.Errorf("dead rows of segment %s could not be overwritten", m.Segments[i].ID)
			}
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// place gives the store its name. A crash before the first sync leaves the store
// under one name or the other. Where it fails, the name is taken back.
func (in *restoring) place(dir string) error {
	if err := in.fs.Remove(dir); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	err := in.fs.Rename(in.store, dir)
	if err == nil {
		if err = syncDir(in.fs, in.fs.PathDir(dir)); err == nil {
			err = syncDir(in.fs, in.root)
		}
	}
	if err == nil {
		return nil
	}
	if back := in.fs.Rename(dir, in.store); back != nil && !errors.Is(back, os.ErrNotExist) {
		return fmt.Errorf("restore: the store is in %s, and may be gone after a crash: %w", dir, errors.Join(err, back))
	}
	return fmt.Errorf("restore: %w", err)
}

// fill writes what stands in the stream.
func (in *restoring) fill(ctx context.Context, r io.Reader, o *Options) error {
	if err := prepareDir(in.fs, in.store, false); err != nil {
		return err
	}
	f := &filler{fs: in.fs, dir: in.store, opts: o, files: make(map[archive.Segment]*filled)}
	err := archive.Read(readerUnder{ctx, r}, f)
	return errors.Join(err, f.finish(err == nil))
}

// readerUnder is a reader that ends with its context: between two reads.
type readerUnder struct {
	ctx context.Context
	r   io.Reader
}

func (r readerUnder) Read(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(b)
}
