package meta

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// MaxBatch is how many bytes a batch may hold, keys and values together.
// Pebble's own limit is 4 GiB, where it panics; a group of the log is 24 MiB.
const MaxBatch = 256 << 20

var (
	// ErrBatchTooLarge: a batch went beyond MaxBatch. Nothing was written.
	ErrBatchTooLarge = errors.New("batch too large")
	errBatchUsed     = errors.New("batch was committed or closed before")
	errRange         = errors.New("range has no end, or ends before it starts")
)

// Batch collects changes that are committed together or not at all. It is used
// by one goroutine, ends with one Commit, CommitLazy or Close, and keeps copies
// of what it is given. Its first error makes Commit refuse it whole.
type Batch struct {
	p   *pebble.Batch // nil when used up
	err error
}

// NewBatch makes an empty batch.
func (db *DB) NewBatch() *Batch { return &Batch{p: db.p.NewBatch()} }

// Set sets a key's value.
func (b *Batch) Set(key, value []byte) {
	if b.room(len(key) + len(value)) {
		b.note(b.p.Set(key, value, nil))
	}
}

// Delete deletes a key, which need not be there.
func (b *Batch) Delete(key []byte) {
	if b.room(len(key)) {
		b.note(b.p.Delete(key, nil))
	}
}

// DeleteRange deletes the keys from start up to, not including, end.
func (b *Batch) DeleteRange(start, end []byte) {
	switch c := bytes.Compare(start, end); {
	case len(end) == 0 || c > 0:
		b.note(fmt.Errorf("delete range %x to %x: %w", start, end, errRange))
	case c < 0 && b.room(len(start)+len(end)):
		b.note(b.p.DeleteRange(start, end, nil))
	}
}

// Len is the batch's size in bytes as it goes into the log; an empty one has a
// few.
func (b *Batch) Len() int {
	if b.p == nil {
		return 0
	}
	return b.p.Len()
}

// Close drops the batch. After Commit it does nothing.
func (b *Batch) Close() {
	if b.p != nil {
		_ = b.p.Close() // its one error: closed before, which p == nil rules out
		b.p = nil
	}
}

func (b *Batch) note(err error) {
	if b.err == nil {
		b.err = err
	}
}

// room tells whether a change of n bytes may be added.
func (b *Batch) room(n int) bool {
	switch {
	case b.p == nil:
		b.note(errBatchUsed)
	case n > MaxBatch-b.p.Len():
		b.note(fmt.Errorf("%d bytes and %d more, at most %d: %w", b.p.Len(), n, MaxBatch, ErrBatchTooLarge))
	}
	return b.err == nil
}

// Commit makes the batch's changes and uses it up. Nil says that they are
// durable, with all commits before them, and that nothing has failed to be
// written before. Otherwise the error is fault.ErrFailed and unwraps to the
// cause: whether the changes are there shows when the store is reopened. A
// batch with an error of its own (Batch), ErrClosed and ErrReadOnly change
// nothing.
func (db *DB) Commit(b *Batch) error { return db.commit(b, pebble.Sync) }

// CommitLazy is Commit without a sync of its own: the changes are durable with
// the next Commit, or some time later, or not at all after a crash: then none
// behind them is there either. It is for marks that are found out again when
// they are missing, and for who wants no syncs.
func (db *DB) CommitLazy(b *Batch) error { return db.commit(b, pebble.NoSync) }

func (db *DB) commit(b *Batch, w *pebble.WriteOptions) error {
	defer b.Close()
	if err := db.enter(); err != nil {
		return err
	}
	defer db.leave()
	if err := db.refuse(b); err != nil {
		return err
	}
	if err := db.p.Apply(b.p, w); err != nil {
		db.latch.Fail(err) // no telling what it did
	}
	// Pebble never heard of a failed write, so its word counts for nothing
	// before the latch has been looked at again.
	return db.Err()
}

func (db *DB) refuse(b *Batch) error {
	switch {
	case db.readOnly:
		return ErrReadOnly
	case b.err != nil:
		return b.err
	case b.p == nil:
		return errBatchUsed
	}
	return db.Err()
}
