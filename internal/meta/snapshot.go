package meta

import (
	"errors"
	"sync"

	"github.com/cockroachdb/pebble/v2"
)

// Snapshot is the database as it was at one moment. Until it is closed, Close of
// the database waits for it. It is safe for concurrent use, but for Close.
type Snapshot struct {
	db    *DB
	p     *pebble.Snapshot
	close sync.Once
	err   error
}

// Snapshot answers the database as it is now: of each batch that is being
// committed all or nothing.
func (db *DB) Snapshot() (*Snapshot, error) {
	if err := db.enter(); err != nil {
		return nil, err
	}
	return &Snapshot{db: db, p: db.p.NewSnapshot()}, nil
}

// Close lets the snapshot go. Called again it does nothing.
func (s *Snapshot) Close() error {
	s.close.Do(func() {
		s.err = s.db.told(s.p.Close())
		s.db.leave()
	})
	return s.err
}

// Get is DB.Get, of the snapshot.
func (s *Snapshot) Get(key []byte) (value []byte, found bool, err error) {
	v, closer, err := s.p.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, s.db.told(err)
	}
	value = append([]byte{}, v...)
	return value, true, s.db.told(closer.Close())
}

// Scan is DB.Scan, of the snapshot.
func (s *Snapshot) Scan(lower, upper []byte, fn func(key, value []byte) error) error {
	it, err := s.p.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return s.db.told(err)
	}
	ferr := each(it, fn)
	if err := it.Close(); err != nil && ferr == nil {
		return s.db.told(err) // Close repeats what the iteration met
	}
	return ferr
}
