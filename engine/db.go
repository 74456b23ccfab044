package engine

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"oubliette/crypto"
	"oubliette/internal/fskind"
	"oubliette/internal/meta"
	"oubliette/segment"
)

// DB is an open store. It is safe for concurrent use.
type DB struct {
	dir    string
	opts   *Options
	lock   io.Closer
	meta   *meta.DB
	access *access
	blocks *segment.BlockCache
	kept   kept        // the ledger
	disk   fskind.Kind // under the segment files

	// adminMu: one change of the catalogue at a time.
	adminMu sync.Mutex

	gate    gate    // keeps a backup's last step and changes in place apart
	backups backups // the one under way

	// erased: the generations of dead records whose extents Open has overwritten.
	// It does not change after Open.
	erased map[crypto.SegmentID]uint64
	// waiting: the indexes whose log held deletes not applied yet when the store
	// was opened and that root has not drained since; guarded by mu.
	waiting map[crypto.IndexID]bool
	// unerased: why Open could not overwrite what an index's dead records list;
	// guarded by mu after Open.
	unerased map[crypto.IndexID]error
	// slotsLeft: the indexes with header slots of an epoch that is over which could
	// not be overwritten; guarded by adminMu after Open.
	slotsLeft map[crypto.IndexID]bool

	mu struct { // guards what indexes there are; never held across I/O
		sync.Mutex
		closed    bool
		catalogue map[string]*catalogued
		states    map[crypto.IndexID]*state
		// unfinished: files that recovery or DeleteIndex could not destroy. The
		// maintenance of their index goes on with them if it is there, and
		// DeleteIndex, Close and the next Open try again.
		unfinished map[crypto.IndexID][]crypto.SegmentID
	}
}

// Open opens the store in dir and makes it when there is none; dir's parent has
// to exist. One process at a time may have a store open: ErrLocked. What a
// crash left half done — segment files on their way in or out, overwrites of
// deleted rows — is finished before Open returns, without a key.
func Open(dir string, opts *Options) (*DB, error) {
	o := opts.withDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	if dir == "" {
		return nil, fmt.Errorf("empty store folder: %w", ErrInvalid)
	}
	dir = o.FS.PathJoin(dir) // cleaned: one spelling for all that is done with it
	if !o.ReadOnly {
		if _, err := o.FS.Stat(o.FS.PathDir(dir)); err != nil {
			return nil, err // more than one folder's creation would not be durable
		}
		if err := o.FS.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
	}
	if _, err := o.FS.Stat(dir); err != nil {
		return nil, err
	}
	if err := checkOurs(o.FS, dir); err != nil {
		return nil, err // and make no lock file there
	}
	lock, err := lockStore(o, dir)
	if err != nil {
		return nil, err
	}
	db, err := open(dir, o)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	db.lock = lock
	return db, nil
}

func open(dir string, o *Options) (*DB, error) {
	if err := prepareDir(o.FS, dir, o.ReadOnly); err != nil {
		return nil, err
	}
	if err := checkDatabase(o, dir); err != nil {
		return nil, err
	}
	m, err := meta.Open(o.FS, o.FS.PathJoin(dir, pebbleDir), meta.Options{
		ReadOnly: o.ReadOnly, Logger: o.Logger,
	})
	if err != nil {
		return nil, err
	}
	db := &DB{dir: dir, opts: o, meta: m, access: newAccess(m, o.ReadOnly), blocks: segment.NewBlockCache(o.CacheSize)}
	db.erased = make(map[crypto.SegmentID]uint64)
	db.waiting = make(map[crypto.IndexID]bool)
	db.unerased = make(map[crypto.IndexID]error)
	db.slotsLeft = make(map[crypto.IndexID]bool)
	db.mu.unfinished = make(map[crypto.IndexID][]crypto.SegmentID)
	db.mu.states = make(map[crypto.IndexID]*state)
	db.kept = newKept()
	db.disk = fskind.Of(o.FS, o.FS.PathJoin(dir, segmentsDir))
	if err = db.check(); err == nil && !o.ReadOnly {
		err = db.begin()
	}
	if err != nil {
		return nil, errors.Join(err, db.kept.close(), m.Close())
	}
	db.noteWaiting()
	return db, nil
}

// check holds what is there against what is known of it, and changes nothing.
func (db *DB) check() (err error) {
	if err = db.checkClean(); err != nil {
		return err
	}
	if db.mu.catalogue, err = loadCatalogue(db.meta); err != nil {
		return err
	}
	return db.openLedger()
}

// begin makes a store that was closed, or has crashed, one that is open for writing.
func (db *DB) begin() error {
	if err := db.removeClean(); err != nil {
		return err
	}
	if err := db.recover(); err != nil {
		return err
	}
	return db.attachLedger()
}

// writable refuses what a store opened for reading does not do.
func (db *DB) writable() error {
	if db.opts.ReadOnly {
		return ErrReadOnly
	}
	return nil
}

// certain is nil while it is known what indexes and users there are. Once the log has
// failed, a change of them that has been told as failed may be there all the same when
// the store is opened again: a user whom nobody knows of now is not to be called
// revoked, nor an index deleted or not found. adminMu is held.
func (db *DB) certain() error { return db.meta.Err() }

func (db *DB) segmentDir(index crypto.IndexID) string {
	return db.opts.FS.PathJoin(db.dir, segmentsDir, index.String())
}

func (db *DB) segmentPath(index crypto.IndexID, id crypto.SegmentID) string {
	return db.opts.FS.PathJoin(db.segmentDir(index), id.String()+segmentSuffix)
}

const segmentSuffix = ".seg"

// parseSegmentName reads the name of a segment's file.
func parseSegmentName(name string) (id crypto.SegmentID, ok bool) {
	digits, ok := strings.CutSuffix(name, segmentSuffix)
	b, err := hex.DecodeString(digits)
	if !ok || err != nil || len(b) != len(id) {
		return id, false
	}
	copy(id[:], b)
	return id, id.String() == digits
}

// LoadIndex answers a handle of an index. With WithIndexKey it is bound to that
// key (with WithUserID, a user's), which is checked now; without, every call has
// to bring one. The first
// handle with a key reads the index's manifest and replays its log; others
// share what it has read.
func (db *DB) LoadIndex(ctx context.Context, name string, opts ...OpOption) (*Index, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c, err := db.find(name)
	if err != nil {
		return nil, err
	}
	o := gather(opts)
	if (o.given || o.named) && o.key.IsZero() {
		return nil, fmt.Errorf("index %q: %w", name, ErrKeyRequired)
	}
	return db.handle(ctx, c, o.key, o.user)
}

// Close closes the store. It waits for calls under way but for a Backup, which it
// ends, erases what has been
// deleted as far as a writer's keys are at hand, and closes every segment with
// its index. A *PendingError names the indexes where deleted items stay on
// disk; the store is closed all the same. After it every call answers
// ErrClosed.
func (db *DB) Close() error {
	db.endBackups()
	db.adminMu.Lock() // no index is being made or deleted
	defer db.adminMu.Unlock()
	waiting, unerased := db.waitingIndexes()
	db.mu.Lock()
	if db.mu.closed {
		db.mu.Unlock()
		return fmt.Errorf("store: %w", ErrClosed)
	}
	db.mu.closed = true
	states := db.mu.states
	db.mu.states = nil
	db.mu.Unlock()

	var pending PendingError
	var errs []error
	if !db.opts.ReadOnly {
		pending.Indexes, pending.Err = waiting, unerased
	}
	for _, s := range states {
		err := s.close()
		var p *PendingError
		if errors.As(err, &p) {
			pending.Indexes = append(pending.Indexes, p.Indexes...)
			pending.Err = errors.Join(pending.Err, p.Err)
		} else {
			errs = append(errs, err)
		}
	}
	for index, err := range db.finishRemovals() {
		pending.Indexes = append(pending.Indexes, index.String())
		pending.Err = errors.Join(pending.Err, err)
	}
	if len(pending.Indexes) > 0 {
		errs = append(errs, &pending)
	}
	// Before the database is closed: users who come leave anchors in it.
	db.access.wipe()
	errs = append(errs, db.closeDatabase(), db.kept.close(), db.lock.Close())
	return errors.Join(errs...)
}

// closeDatabase closes the database and, when nothing has failed in it, leaves
// word of what it held.
func (db *DB) closeDatabase() error {
	if db.opts.ReadOnly || db.meta.Err() != nil {
		return db.meta.Close()
	}
	digest, derr := stateDigest(db.meta)
	if err := db.meta.Close(); err != nil || derr != nil {
		return errors.Join(derr, err)
	}
	return db.writeClean(digest)
}
