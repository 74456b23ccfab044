package meta

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/internal/fault"
	"oubliette/internal/latchfs"
)

var (
	// ErrClosed: the database was closed before the call.
	ErrClosed = errors.New("metadata database is closed")
	// ErrReadOnly: the database was opened for reading only.
	ErrReadOnly = errors.New("metadata database is open for reading only")
)

// DB is an open database. It is safe for concurrent use.
type DB struct {
	dir      string
	readOnly bool
	latch    *latchfs.FS
	p        *pebble.DB
	cache    *pebble.Cache

	closeOnce sync.Once
	closeErr  error

	// mu counts the calls under way, so that Close waits for them: Pebble
	// panics when it is used after its Close. It is held for no call.
	mu struct {
		sync.Mutex
		calls  int
		closed bool
		idle   sync.Cond // calls is 0
	}
}

// Open opens the database in dir, a directory of its own, and makes it when it
// is missing and o allows: a crash meanwhile leaves no database or a whole one,
// and perhaps a directory beside it that the next Open removes. Damage found is
// a fault.CorruptionError; a failed write is fault.ErrFailed. The caller sees to
// it that nobody else opens the store.
func Open(fs vfs.FS, dir string, o Options) (*DB, error) {
	log := o.logger()
	latch := latchfs.New(fs, func(err error) {
		log.Error("metadata: write failed, nothing more is written until the store is reopened", "dir", dir, "err", err)
	})
	db := &DB{dir: dir, readOnly: o.ReadOnly, latch: latch}
	db.mu.idle.L = &db.mu.Mutex
	err := db.start(o, log)
	if err == nil {
		err = db.Err()
	}
	if err != nil {
		err = db.told(err)
		_ = db.closePebble() // it says nothing that err does not
		return nil, fmt.Errorf("open metadata in %s: %w", dir, err)
	}
	return db, nil
}

// Err is nil, or an error that is fault.ErrFailed and unwraps to the first
// failure to write. Once set it stays.
func (db *DB) Err() error {
	if err := db.latch.Err(); err != nil {
		return fmt.Errorf("%w: %w", fault.ErrFailed, err)
	}
	return nil
}

// Fail ends writing from outside, as a failed write does: what belongs to a commit
// and does not stand in the database could not be written.
func (db *DB) Fail(err error) { db.latch.Fail(err) }

// Close waits for the calls under way, closes the database and frees its
// memory. It always returns, also after a failed write; what it answers then is
// Err. Called again it answers the same. It must not be called from within
// Scan.
func (db *DB) Close() error {
	db.closeOnce.Do(func() {
		db.mu.Lock()
		db.mu.closed = true
		for db.mu.calls > 0 {
			db.mu.idle.Wait()
		}
		db.mu.Unlock()
		err := db.closePebble()
		if failed := db.Err(); failed != nil {
			err = failed // whatever Pebble said follows from it
		}
		db.closeErr = err
	})
	return db.closeErr
}

// enter begins a call, leave ends it.
func (db *DB) enter() error {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.mu.closed {
		return ErrClosed
	}
	db.mu.calls++
	return nil
}

func (db *DB) leave() {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.mu.calls--; db.mu.calls == 0 {
		db.mu.idle.Broadcast()
	}
}

// told puts an error of Pebble's into the store's words. Once latched, Pebble
// may have been told of files that are not as it wrote them: whatever it says
// then is a consequence, and not called corruption.
func (db *DB) told(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, fault.ErrFailed) {
		return err
	}
	if failed := db.Err(); failed != nil {
		return fmt.Errorf("%w (then: %w)", failed, err)
	}
	if pebble.IsCorruptionError(err) {
		return &fault.CorruptionError{Path: db.dir, Err: err}
	}
	return err
}

// Options opens a database. The zero value is good.
type Options struct {
	// ReadOnly opens what is there and changes nothing.
	ReadOnly bool
	// Logger gets what goes wrong; nil drops it. It is called by goroutines that
	// may hold any of Pebble's locks, so its handler must not call the database.
	Logger *slog.Logger
	// CacheSize is how many bytes of blocks are cached, 8 MiB when 0.
	CacheSize int64

	tune tuning
}

func (o Options) logger() *slog.Logger {
	if o.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return o.Logger
}
