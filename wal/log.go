package wal

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"oubliette/crypto"
	"oubliette/internal/fault"
	"oubliette/internal/meta"
)

// Entry is one call's wish to be logged.
type Entry struct {
	Kind    Kind
	Signer  *crypto.Signer
	Payload []byte // at most MaxPayload bytes; not changed until Append returns
	Value   any    // handed to Publish, for the memtable

	Seq uint64 // set when Append returns nil
	At  Position
}

// Config is what a log stands on.
type Config struct {
	DB     *meta.DB
	Index  crypto.IndexID
	Epoch  uint64
	MapKey crypto.Secret

	// NoSync publishes groups that are not durable yet: a crash may lose the
	// newest, but none before a lost one.
	NoSync bool

	// Ledger, when not nil, is given every group that has a record that deletes,
	// sealed and signed, before the database is: as [DecodeStubbed] reads it.
	// When it returns nil the group is durable there, also with NoSync. It must
	// neither keep nor change the bytes. An error ends the log. It is called by
	// one goroutine at a time, in group order.
	Ledger func(group []byte) error

	// Publish makes a durable group visible. It is called by one goroutine at
	// a time, in group order, before the calls return.
	Publish func(at Position, bytes int, entries []*Entry)
}

// Log is the log of one index for one session. It is safe for concurrent use.
//
// The first of the calls that wait leads: it takes what has queued, commits it
// as one group, and hands the lead to the first that came meanwhile. So one
// sync serves all that arrived during the sync before it, and those that were let
// go by it and come back at once.
//
// Why nobody waits for ever and nobody leads beside another: the lead is
// somebody's while leading is set, and it is handed over only with mu held, to
// the first of the queue, who cannot leave while it lies in turn. Who leads
// takes itself with the rest, or finds the queue emptied by Fail; either way it
// comes to finish, also by way of a panic, and finish tells everyone it took
// and hands on. A turn is sent to at most twice, the lead and then Fail's word,
// and Fail does not wait for room.
type Log struct {
	cfg     Config
	session *session

	// at, busy, enc, records and wrote belong to whoever leads.
	at      Position
	busy    time.Time // until when groups are not gathered
	enc     encoder
	records []Record
	wrote   map[crypto.UserID]bool // who has a record in the group

	mu struct {
		sync.Mutex
		leading bool
		queue   []*waiter
		away    int   // calls of the last group whose callers may come back
		err     error // why the log takes nothing more
	}
}

type waiter struct {
	entry *Entry
	turn  chan bool // true: lead; false: done
	err   error
}

// New begins a fresh session behind at.
func New(cfg Config, at Position) *Log {
	return &Log{
		cfg:     cfg,
		session: newSession(crypto.NewSessionID(), cfg.Index, cfg.Epoch, cfg.MapKey),
		at:      at,
		wrote:   make(map[crypto.UserID]bool),
	}
}

// Session is the id of this run.
func (l *Log) Session() crypto.SessionID { return l.session.id }

// Append commits the entry and answers when it is durable and published. ctx
// counts until the entry has joined a group, not after.
func (l *Log) Append(ctx context.Context, e *Entry) error {
	if err := e.check(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	w := &waiter{entry: e, turn: make(chan bool, 1)}
	if err := l.join(w); err != nil {
		return err
	}
	select {
	case lead := <-w.turn:
		if lead {
			l.lead()
		}
	case <-ctx.Done():
		return l.leave(ctx, w)
	}
	return w.err
}

// check refuses what replay would refuse, or what would take the group's other
// calls down.
func (e *Entry) check() error {
	switch {
	case len(e.Payload) > MaxPayload:
		return fmt.Errorf("log record of %d bytes, at most %d", len(e.Payload), MaxPayload)
	case e.Kind != KindUpsert && !e.Kind.deletes():
		return fmt.Errorf("log record of unknown kind %d", e.Kind)
	case e.Signer == nil:
		return errors.New("log record without a signer")
	}
	return nil
}

// join queues w, with the lead when nobody has it.
func (l *Log) join(w *waiter) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.err != nil {
		return l.mu.err
	}
	l.mu.queue = append(l.mu.queue, w)
	l.mu.away = max(l.mu.away-1, 0)
	if !l.mu.leading {
		l.mu.leading = true
		w.turn <- true
	}
	return nil
}

// leave withdraws w if no group has taken it yet; else it waits for the group.
func (l *Log) leave(ctx context.Context, w *waiter) error {
	l.mu.Lock()
	// A waiter that was given the lead has to lead: its group may as well hold
	// it.
	if i := slices.Index(l.mu.queue, w); i >= 0 && len(w.turn) == 0 {
		l.mu.queue = slices.Delete(l.mu.queue, i, i+1)
		l.mu.Unlock()
		return ctx.Err()
	}
	l.mu.Unlock()
	if <-w.turn {
		l.lead()
	}
	return w.err
}

var errUnfinished = failed(errors.New("the call that committed the group did not come back"))

// lead commits one group. It is called by the first of the queue; when Fail has
// emptied the queue meanwhile there is nothing to commit, and Fail has told why.
func (l *Log) lead() {
	l.gather()
	group := l.take()
	err := errUnfinished
	defer func() {
		if err == errUnfinished {
			// A panic: the group may stand in the database, and its calls take the rows
			// that it names for dead. The database records nothing more of that.
			l.cfg.DB.Fail(err)
		}
		l.finish(group, err)
	}()
	if len(group) == 0 {
		err = nil
		return
	}
	err = l.commit(group)
}

// finish tells the members of a group and hands the lead on.
func (l *Log) finish(group []*waiter, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, w := range group {
		w.err = err
		if i > 0 { // the leader is group[0] and does not wait
			w.turn <- false
		}
	}
	if err != nil {
		l.failLocked(err)
	}
	l.mu.away = len(group)
	l.mu.leading = len(l.mu.queue) > 0
	if l.mu.leading {
		l.mu.queue[0].turn <- true
	}
}

// failLocked ends the log: what is queued is told, what comes is refused. The
// first error stays.
func (l *Log) failLocked(err error) {
	if l.mu.err != nil {
		return
	}
	l.mu.err = err
	for _, w := range l.mu.queue {
		w.err = err
		select {
		case w.turn <- false:
		default: // the lead lies there: it will find no group
		}
	}
	l.mu.queue = nil
}

// A leader lets others run for at most gatherTurns turns. One that takes longer than
// slowTurn was held up by work that has nothing to do with the log, on processors
// that have none to spare: then no group waits for a turn for busyFactor times as long.
const (
	gatherTurns = 4
	slowTurn    = time.Millisecond
	busyFactor  = 100
)

// gather lets the callers that the group before has let go come back, who are about
// to run: then one sync serves all of them, and not one half after the other. It
// waits for nobody: when no more came in a turn, or all are there, it is over. A
// caller alone is not held up.
func (l *Log) gather() {
	if _, away := l.waiting(); away == 0 || time.Now().Before(l.busy) {
		return
	}
	queued := 0
	for range gatherTurns {
		n, away := l.waiting()
		if n == queued || n >= maxRecords || away == 0 {
			return
		}
		queued = n
		began := time.Now()
		runtime.Gosched()
		if took := time.Since(began); took > slowTurn {
			l.busy = time.Now().Add(busyFactor * took)
			return
		}
	}
}

// waiting is how many calls wait, and how many of the last group may come back.
func (l *Log) waiting() (queued, away int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.mu.queue), l.mu.away
}

// take cuts the next group off the queue.
func (l *Log) take() []*waiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, size := 0, 0
	for n < len(l.mu.queue) && n < maxRecords {
		size += len(l.mu.queue[n].entry.Payload) + recordOverhead
		if n > 0 && size > MaxGroup {
			break
		}
		n++
	}
	group := append([]*waiter(nil), l.mu.queue[:n]...)
	l.mu.queue = slices.Delete(l.mu.queue, 0, n) // clears behind: payloads are large
	return group
}

// commit writes a group and publishes it.
//
// Order: seal and sign in memory; the ledger, synced, where the group deletes
// something; one database batch with one value, synced; publish. A crash before
// the ledger's sync leaves nothing, or a ledger with a torn end, which its next
// opening cuts off. A crash between that and the database's sync leaves a ledger
// that is one group ahead, or the group in both (the database's own log is
// checksummed a batch, so it is never there in part): nothing was acknowledged,
// and whoever opens the store takes the deletes from the ledger. With NoSync it
// may be several groups ahead. A crash after both leaves the group, which replay
// publishes.
//
// An error of the ledger or of the database leaves the same, in this process:
// the group may be there. So the log has failed and no number is given out again
// in this session; who begins another one behind a position of before has to
// compare store and ledger first.
func (l *Log) commit(group []*waiter) error {
	h := header{
		Index: l.cfg.Index, Session: l.session.id, Epoch: l.session.epoch,
		Group: l.at.Group + 1, FirstSeq: l.at.Seq + 1, Count: uint32(len(group)),
		Previous: l.at.Head, LastDelete: l.at.LastDelete,
	}
	records, signers := l.number(group)
	defer l.release()
	value, sum := l.enc.group(l.session, &h, records, signers)
	at := h.behind(sum, anyDeletes(records))
	if l.cfg.Ledger != nil && at.LastDelete.Group == at.Group {
		if err := l.cfg.DB.Err(); err != nil {
			return failed(err) // the ledger is not told of what the database takes no more
		}
		if err := l.cfg.Ledger(l.enc.stubbed(records)); err != nil {
			return failed(fmt.Errorf("ledger: %s: %w", groupName(h.Index, h.Group), err))
		}
	}
	if err := l.store(h.Group, value); err != nil {
		return failed(err)
	}
	l.at = at
	entries := make([]*Entry, len(group))
	for i, w := range group {
		entries[i], w.entry.At = w.entry, l.at
	}
	l.cfg.Publish(l.at, len(value), entries)
	return nil
}

// store commits the group to the database.
func (l *Log) store(group uint64, value []byte) error {
	batch := l.cfg.DB.NewBatch()
	batch.Set(meta.GroupKey(l.cfg.Index, group), value)
	if l.cfg.NoSync {
		return l.cfg.DB.CommitLazy(batch)
	}
	return l.cfg.DB.Commit(batch)
}

// number gives each entry its sequence number and collects the signers, in the
// order of their first records.
func (l *Log) number(group []*waiter) ([]Record, []*crypto.Signer) {
	l.records = l.records[:0]
	var signers []*crypto.Signer
	clear(l.wrote)
	for i, w := range group {
		e := w.entry
		e.Seq = l.at.Seq + 1 + uint64(i)
		user := e.Signer.User()
		if !l.wrote[user] {
			l.wrote[user] = true
			signers = append(signers, e.Signer)
		}
		l.records = append(l.records, Record{Kind: e.Kind, User: user, Seq: e.Seq, Payload: e.Payload})
	}
	return l.records, signers
}

// release lets go of what the group's calls brought.
func (l *Log) release() {
	clear(l.records)
	l.enc.release()
}

func failed(err error) error {
	if errors.Is(err, fault.ErrFailed) {
		return err
	}
	return fmt.Errorf("%w: %w", fault.ErrFailed, err)
}

// Err is nil, or why the log takes nothing more.
func (l *Log) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mu.err
}

// Fail ends the log from outside: with fault.ErrFailed when the database is
// seen to have failed elsewhere, with another error at close. Calls that a group
// has taken finish with it; those that wait are answered err and not written.
func (l *Log) Fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failLocked(err)
}
