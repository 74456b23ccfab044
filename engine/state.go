package engine

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"oubliette/compaction"
	"oubliette/crypto"
	"oubliette/wal"
)

// state is an index that somebody has unlocked: what all its handles share. It
// is made with the first key and lives until the store is closed or the index
// deleted.
type state struct {
	db     *DB
	cat    *catalogued
	mapKey crypto.Secret            // of the newest epoch
	past   map[uint64]crypto.Secret // of earlier epochs, for the indexes written then
	tokens *crypto.Tokenizer
	log    *wal.Log // nil when the store is open for reading only
	work   *maintenance

	since time.Time // when it was read: counts are from then on

	loading sync.Mutex // held while the state is read from disk, or taken apart
	loaded  bool
	over    error // it is taken apart, or never to be read: why

	// ops counts calls under way; it is raised only under mu's read lock, and
	// not once ended is set.
	ops atomic.Int64

	// behind: the log has not caught up with the ledger; nil: it has.
	behind atomic.Pointer[behind]

	// publishMu keeps publishing and freezing apart: a group's tombstones go
	// into one set, and not into one that has been cut off.
	publishMu sync.Mutex

	// rollMu guards active, the segment that takes new rows; nil: none yet.
	rollMu sync.Mutex
	active *memtable

	// installMu guards manifest and is held while one is committed: manifests
	// are written one after the other.
	installMu sync.Mutex
	manifest  *compaction.Manifest
	// settled: up to here everything published has been applied, or had nothing
	// to apply and was not worth a commit. The next manifest says so.
	settled settled
	pruned  []byte // how far prune has come; guarded by installMu

	mu struct { // guards what readers and the log's leader share; never held across I/O
		sync.RWMutex
		view      *view
		fresh     []compaction.Event // versions published since the last apply
		published wal.Position
		sessions  []compaction.Session // of the log, with the last group of each that is published
		logged    []loggedGroup        // groups that the log still holds, oldest first
		wrote     int64                // bytes of log since the state was read, and in it then
		cut       int64                // wrote at the last freeze
		since     time.Time            // when the oldest change not yet applied was published; zero: none
		ages      ages                 // of the deletes not erased yet
		applied   uint64               // sequence number up to which dead records cover
		erased    uint64               // up to which the bytes are off the disk
		expires   uint64               // no later than the earliest expiry of an item; 0: none expires
		keys      *keyring             // of the last caller who may write: maintenance's
		reader    crypto.ReaderKey     // of the first caller who may read, for it as well
		dim       dimension
		watcher   *time.Timer        // runs for what becomes overdue; nil: none does
		waiting   chan struct{}      // closed and replaced when memory has been freed
		doomed    []crypto.SegmentID // files that could not be destroyed yet

		// Of certificates: when the newest was applied and overwritten, and in which
		// segments.
		appliedAt, erasedAt time.Time
		overwrittenIn       map[crypto.SegmentID]bool

		ended  error // what calls are answered from now on
		counts Counts
	}
	idle *idleness // guarded by mu: closed when ended is set and ops is 0
}

type idleness struct {
	once sync.Once
	ch   chan struct{}
}

// loggedGroup: bytes is the sum over the log up to and with the group.
type loggedGroup struct {
	group uint64
	bytes int64
}

func newState(db *DB, c *catalogued, ring *keyring) *state {
	s := &state{db: db, cat: c, mapKey: ring.mapKey.Clone(), tokens: crypto.NewTokenizer(ring.id)}
	s.since = s.now()
	s.mu.waiting = make(chan struct{})
	s.mu.overwrittenIn = make(map[crypto.SegmentID]bool)
	s.idle = &idleness{ch: make(chan struct{})}
	return s
}

// state answers the shared state of an index and reads it from disk if nobody
// has yet. An error leaves nothing behind; the next call tries again.
func (db *DB) state(c *catalogued, ring *keyring) (*state, error) {
	db.mu.Lock()
	if db.mu.closed {
		db.mu.Unlock()
		return nil, fmt.Errorf("store: %w", ErrClosed)
	}
	if now := db.mu.catalogue[c.name]; now != c {
		db.mu.Unlock()
		if now != nil && now.id == c.id {
			return nil, errEpochOver
		}
		return nil, fmt.Errorf("index %q: %w", c.name, ErrIndexNotFound)
	}
	s := db.mu.states[c.id]
	if s == nil {
		s = newState(db, c, ring)
		db.mu.states[c.id] = s
	}
	db.mu.Unlock()

	s.loading.Lock()
	defer s.loading.Unlock()
	if s.over != nil {
		return nil, s.over
	}
	if s.loaded {
		return s, nil
	}
	if err := s.load(); err != nil {
		s.over = err // who waits for it here must not read it on its own
		db.forget(s)
		return nil, err
	}
	s.loaded = true
	return s, nil
}

// forget takes a state that could not be read away again.
func (db *DB) forget(s *state) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.mu.states[s.cat.id] == s {
		delete(db.mu.states, s.cat.id)
	}
}

// enter begins a call: until leave, the state is not taken apart. A caller who
// may write leaves its keys for maintenance.
func (s *state) enter(ring *keyring) error {
	s.mu.RLock()
	if err := s.mu.ended; err != nil {
		s.mu.RUnlock()
		return err
	}
	s.ops.Add(1)
	bring := ring != nil && (ring.signer != nil && s.mu.keys != ring || s.mu.reader.IsZero() && !ring.reader.IsZero())
	s.mu.RUnlock()
	if bring {
		s.bring(ring)
	}
	return nil
}

// bring leaves a caller's keys for maintenance: whoever writes lets it place and
// overwrite, and with whoever reads it moves rows as well.
func (s *state) bring(ring *keyring) {
	s.mu.Lock()
	if s.mu.reader.IsZero() {
		s.mu.reader = ring.reader
	}
	if ring.signer != nil {
		s.mu.keys = ring
	}
	s.mu.Unlock()
	if ring.signer != nil {
		s.work.wake()
	}
}

func (s *state) leave() {
	if s.ops.Add(-1) > 0 {
		return
	}
	s.mu.RLock()
	ended, idle := s.mu.ended != nil, s.idle
	s.mu.RUnlock()
	if ended && s.ops.Load() == 0 {
		idle.once.Do(func() { close(idle.ch) })
	}
}

// end refuses calls from now on and waits for those under way.
func (s *state) end(why error) {
	s.mu.Lock()
	s.mu.ended = why
	s.unwatchLocked()
	idle := s.idle
	s.mu.Unlock()
	s.ops.Add(1)
	s.leave()
	<-idle.ch
}

// revive lets calls in again that end has refused, when the log has failed
// meanwhile: reads go on with what is in memory until the store is opened again.
// What the database shows from now on may not be on the disk, so the state must
// not be read from it anew. Maintenance has ended.
func (s *state) revive(failed error) {
	s.over = nil
	s.log.Fail(failed)
	s.work.mu.Lock()
	s.work.err = failed
	s.work.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.ended, s.mu.keys = nil, nil
	s.watchLocked(0)
	s.idle = &idleness{ch: make(chan struct{})}
}

// shut takes the state apart without erasing anything: its index is gone.
func (s *state) shut(why error) {
	s.loading.Lock()
	defer s.loading.Unlock()
	s.over = why
	if !s.loaded {
		return
	}
	s.end(why)
	s.work.stop()
	s.drop()
}

// close finishes what the keys at hand allow and takes the state apart. It is
// a *PendingError when deleted items stay on disk.
func (s *state) close() error {
	s.loading.Lock()
	defer s.loading.Unlock()
	s.over = fmt.Errorf("store: %w", ErrClosed)
	if !s.loaded {
		return nil
	}
	s.end(s.over)
	err := s.work.finish(context.Background())
	if s.log != nil {
		s.log.Fail(s.over)
	}
	s.drop()
	return err
}

// drop lets files and secrets go. Nothing runs any more.
func (s *state) drop() {
	s.mu.Lock()
	v := s.swapLocked(newView(nil, nil, nil))
	s.mu.Unlock()
	for _, o := range v.open {
		if o.mem.writer != nil {
			_ = o.mem.writer.Close() // its rows are synced; what is lost is a descriptor
		}
	}
	v.release()
	s.mapKey.Wipe()
	wipeAll(s.past)
}

// keys are a writer's keys for maintenance, with a reader's if one has come; nil
// when no writer has come yet.
func (s *state) keys() *keyring {
	s.mu.RLock()
	defer s.mu.RUnlock()
	k := s.mu.keys
	if k != nil && k.reader.IsZero() && !s.mu.reader.IsZero() {
		return k.with(s.mu.reader)
	}
	return k
}
