package meta

import (
	"bytes"
	"errors"

	"github.com/cockroachdb/pebble/v2"
)

// Get answers a copy of a key's value, and whether there is one.
func (db *DB) Get(key []byte) (value []byte, found bool, err error) {
	if err := db.enter(); err != nil {
		return nil, false, err
	}
	defer db.leave()
	v, closer, err := db.p.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, db.told(err)
	}
	value = bytes.Clone(v)
	if value == nil {
		value = []byte{}
	}
	return value, true, db.told(closer.Close())
}

// Last answers a copy of the last key that begins with prefix, and of its value.
func (db *DB) Last(prefix []byte) (key, value []byte, found bool, err error) {
	if err := db.enter(); err != nil {
		return nil, nil, false, err
	}
	defer db.leave()
	it, err := db.p.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: PrefixEnd(prefix)})
	if err != nil {
		return nil, nil, false, db.told(err)
	}
	if found = it.Last(); found {
		if v, verr := it.ValueAndErr(); verr == nil {
			key, value = bytes.Clone(it.Key()), bytes.Clone(v)
		}
	}
	return key, value, found, db.told(it.Close()) // which repeats what the iteration met
}

// Scan calls fn for the keys from lower up to, not including, upper, in order;
// nil is no bound. It sees the database as it was when Scan was called. The
// slices are valid until fn returns. An error of fn ends the scan and is
// answered as it is.
func (db *DB) Scan(lower, upper []byte, fn func(key, value []byte) error) error {
	if err := db.enter(); err != nil {
		return err
	}
	defer db.leave()
	it, err := db.p.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return db.told(err)
	}
	ferr := each(it, fn)
	if err := it.Close(); err != nil && ferr == nil {
		return db.told(err) // Close repeats what the iteration met
	}
	return ferr
}

// each runs fn over the iterator. A value that cannot be read ends it; Close
// tells why.
func each(it *pebble.Iterator, fn func(key, value []byte) error) error {
	for ok := it.First(); ok; ok = it.Next() {
		v, err := it.ValueAndErr()
		if err != nil {
			return nil
		}
		if err := fn(it.Key(), v); err != nil {
			return err
		}
	}
	return nil
}
