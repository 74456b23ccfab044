package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"oubliette/internal/archive"
)

// Backup writes a copy of the whole store to w, as one stream that Restore makes
// a store of again. It needs no key. The copy is of one moment between the call
// and its return: what was acknowledged before the call is in it, each Upsert and
// Delete that runs meanwhile wholly or not at all.
//
// Upserts, deletes, reads, erasures within their deadline, Purge, Compact,
// changes of users and of keys go on meanwhile, however slow w is. What waits: the
// rewriting of segments in the background, until the backup has ended; and, for
// the moment in which the last megabytes are read, changes in place (an overwrite,
// a file that is destroyed). A backup ends when w takes bytes faster than upserts
// bring them.
//
// The stream is a copy outside of the store, which no later delete reaches. It
// holds, sealed, what the store's files held when each was copied: also of items
// that were deleted while the backup ran. Restore overwrites those.
//
// There is one backup at a time: a second is ErrBackup. Close ends it with
// ErrClosed, the end of ctx with its error; both are told when the call of w's
// Write that is under way has returned, and the store does not wait for it. After
// any error what w has been given is no backup, and Restore says so. A store open
// for reading can be backed up; one whose log has failed, or of which an index's
// records are damaged, is an error.
func (db *DB) Backup(ctx context.Context, w io.Writer) error {
	b, err := db.beginBackup(ctx)
	if err != nil {
		return err
	}
	r, pipe := io.Pipe()
	// Whoever ends the backup frees both sides of the pipe, whatever w does.
	stop := context.AfterFunc(b.ctx, func() { _ = r.CloseWithError(context.Cause(b.ctx)) })
	go func() {
		err := b.run(pipe)
		b.end(err)
		_ = pipe.CloseWithError(err) // nil is EOF
	}()
	defer func() { // also when w panics
		b.cancel(errWriterLeft)
		<-b.done
		stop()
	}()
	_, err = io.CopyBuffer(struct{ io.Writer }{w}, r, make([]byte, 256<<10)) // by Write alone
	if err != nil {
		b.cancel(err)
	}
	<-b.done
	if err = errors.Join(err, b.err); err == nil {
		return nil
	}
	if cause := context.Cause(b.ctx); cause != nil {
		err = cause // what has ended it, not what followed
	}
	return fmt.Errorf("backup: %w", err)
}

var (
	errWriterLeft  = errors.New("nobody takes what is written")
	errTooMuchDead = errors.New("more has been deleted while it ran than can be kept listed for it")
)

// backups is the one backup that may be under way.
type backups struct {
	mu     sync.Mutex
	closed bool
	cur    *backup
}

// backup is one under way.
//
// The database says what of the files counts, and changes while they are copied.
// So the files are copied first, and the database last, as it is at one moment:
// the snapshot. Every byte that the snapshot counts on has to be in the copy, and
// everything that it does not list as overwritten must not.
//
//  1. Pin: from here on dead extents stay listed although they are overwritten
//     on time. Whatever is overwritten up to the snapshot may have been copied
//     before: the snapshot lists it, and Restore overwrites it in the copy.
//  2. Copy, round by round, what the files have that has not been copied: rows in
//     open segments as far as nobody is writing, whole segments that have an
//     index. It streams, and holds nothing up.
//  3. When little is left, the last step, with the gate held: take the snapshot,
//     read into memory what the segments that it lists have beyond what has been
//     copied, and the header slots that have changed. A row that the snapshot's
//     log knows was in its file before the log knew it. Nothing is overwritten
//     between the snapshot and the end of this reading: what dies after the
//     snapshot has to be whole in the copy. That alone needs the gate, not the
//     rest; w is not written to while it is held.
//  4. Let go of gate and pin; write what has been read, the list of files, and
//     the records of the snapshot.
//
// What may happen between 1 and 3, and why it does no harm. A segment is closed:
// what was copied behind its rows while it was open is copied again. Segments are
// rewritten (by Compact, or because a file has failed) or their index is deleted:
// the snapshot does not list them, and Restore destroys what it has of them. An
// epoch begins: the last step copies the header slots again. A call fails, or is
// under way at the snapshot: what it has written is covered by no record, as
// after a crash.
//
// What is restored is a store as a crash at the snapshot would have left it, with
// all that was written there. Both it and the source may be written on: every run
// of the log draws a fresh session, no segment that was open is appended to, each
// new one has a fresh data key, and an index that either writes behind the rows of
// the same segment is sealed under a key of a fresh salt. So no nonce is used twice.
type backup struct {
	db     *DB
	ctx    context.Context
	cancel context.CancelCauseFunc
	out    *archive.Writer
	files  map[archive.Segment]*copied

	done chan struct{} // closed when nothing is read any more
	err  error         // guarded by done
}

func (db *DB) beginBackup(ctx context.Context) (*backup, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	db.backups.mu.Lock()
	defer db.backups.mu.Unlock()
	switch {
	case db.backups.closed:
		return nil, fmt.Errorf("store: %w", ErrClosed)
	case db.backups.cur != nil:
		return nil, ErrBackup
	}
	b := &backup{db: db, files: make(map[archive.Segment]*copied), done: make(chan struct{})}
	b.ctx, b.cancel = context.WithCancelCause(ctx)
	db.pin(b)
	db.backups.cur = b
	return b, nil
}

// end lets everything go that the backup has held.
func (b *backup) end(err error) {
	b.err = err
	b.db.unpin()
	b.db.backups.mu.Lock()
	b.db.backups.cur = nil
	b.db.backups.mu.Unlock()
	close(b.done)
}

// endBackups lets no backup begin any more and ends the one under way. It does
// not wait for who takes its bytes.
func (db *DB) endBackups() {
	db.backups.mu.Lock()
	db.backups.closed = true
	b := db.backups.cur
	db.backups.mu.Unlock()
	if b != nil {
		b.cancel(fmt.Errorf("store: %w", ErrClosed))
		<-b.done
	}
}
