package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"oubliette/compaction"
	"oubliette/internal/fault"
	"oubliette/internal/meta"
	"oubliette/wal"
)

// State is how far the erasure of a delete has come.
type State uint8

// The states, in the order in which a delete reaches them.
const (
	// Unknown: the receipt is older than what the store remembers of its log, so
	// whether it is this store's is not known.
	Unknown State = iota
	// Hidden: no read shows the items; their bytes are still on the disk.
	Hidden
	// Erased: their bytes have been overwritten in place and the overwrite synced.
	Erased
)

// String is the state's name.
func (s State) String() string { return [...]string{"unknown", "hidden", "erased"}[min(s, Erased)] }

// Wait is what a hidden delete waits for.
type Wait uint8

// What there is to wait for.
const (
	WaitNothing Wait = iota // it is erased
	WaitTurn                // maintenance's next turn, PurgeWithin/2 after the delete at the latest
	WaitKey                 // a caller with a writer's key
	WaitError               // maintenance has failed and tries again: Erasure.Err
)

// String says what is waited for.
func (w Wait) String() string {
	return [...]string{"nothing", "its turn", "a writer's key", "a failure to pass"}[min(w, WaitError)]
}

// Erasure is what has become of a delete.
type Erasure struct {
	State State
	Wait  Wait
	Err   error // of maintenance's last turn, with WaitError

	// Counted: the figures and times below are known. They are not before the delete
	// has been applied, nor once Options.KeepStatus has passed.
	Counted bool
	Asked   int // distinct ids
	// Rows is how many items were there, each found and dead: the true count. Items
	// that had expired, and whose deaths had not been logged yet, are among them.
	Rows  int
	Bytes uint64 // of their rows, sealed; overwritten when State is Erased

	// Times by Options.Now, in milliseconds; zero where not reached or not known.
	AppliedAt, ErasedAt time.Time
	// Rewritten: no segment that held a row of this delete, or of one that was applied
	// with it, is there any more. Its living rows stand under fresh keys, its header
	// has been overwritten.
	Rewritten   bool
	RewrittenAt time.Time
}

// reached is a status with what a certificate says beyond it.
type reached struct {
	Erasure
	segments, gone int // with rows of this delete or of one applied with it; those that are not there any more
}

// Status tells how far the erasure of a delete has come. A receipt of another index
// is ErrInvalid. One that this store's history does not hold is ErrCorrupt: an
// acknowledged delete is missing, because the store was put back to an earlier
// state or goes on from one that the receipt does not belong to. Anybody whose key
// opens the index may ask. It looks up a few records and does not wait for
// maintenance.
func (ix *Index) Status(ctx context.Context, r Receipt, opts ...OpOption) (Erasure, error) {
	c, err := ix.begin(ctx, opts, 0)
	if err != nil {
		return Erasure{}, err
	}
	defer c.leave()
	if err := c.mine(r); err != nil {
		return Erasure{}, err
	}
	st, err := c.status(r)
	return st.Erasure, err
}

// mine refuses receipts of other indexes, and to look for any while what is on the
// disk is not known.
func (s *state) mine(r Receipt) error {
	if r.Index != s.cat.id || r.Seq == 0 {
		return fmt.Errorf("receipt of delete %d of index %s, this one is %s: %w", r.Seq, r.Index, s.cat.id, ErrInvalid)
	}
	return s.db.meta.Err()
}

func (s *state) status(r Receipt) (reached, error) {
	out := reached{Erasure: s.progress(r.Seq)}
	known, err := s.holds(r)
	switch {
	case err != nil:
		return reached{}, err
	case !known:
		return reached{}, nil // Unknown
	}
	if err := s.history(r.Seq, &out); err != nil {
		return reached{}, err
	}
	switch {
	case out.Counted && out.Asked != r.Count:
		return reached{}, fault.Corrupt("receipt", 0, "of %d ids, delete %d was of %d: %w", r.Count, r.Seq, out.Asked, fault.ErrDamaged)
	case out.Counted && out.Rows > out.Asked:
		return reached{}, fault.Corrupt("outcome", 0, "delete %d of %d ids found %d items: %w", r.Seq, out.Asked, out.Rows, fault.ErrDamaged)
	}
	return out, nil
}

// progress is how far the store has come with what has that sequence number.
func (s *state) progress(seq uint64) (out Erasure) {
	failed := s.work.lastError()
	s.mu.RLock()
	defer s.mu.RUnlock()
	switch out.State = Hidden; {
	case seq <= s.mu.erased:
		out.State = Erased
	case s.mu.keys == nil:
		out.Wait = WaitKey
	case failed != nil:
		out.Wait, out.Err = WaitError, failed
	default:
		out.Wait = WaitTurn
	}
	return out
}

// holds tells whether the receipt is one of this history. false: it is from before
// what is remembered of it.
func (s *state) holds(r Receipt) (bool, error) {
	sessions, published := s.allSessions()
	missing := func(format string, args ...any) error {
		return fault.Corrupt(fmt.Sprintf("log of index %q", s.cat.name), 0, "delete %d of session %s: %s: %w", r.Seq, r.Session, fmt.Sprintf(format, args...), fault.ErrDamaged)
	}
	if r.Seq > published.Seq || r.Group > published.Group {
		return false, missing("is not there, the last is %d in group %d", published.Seq, published.Group)
	}
	at := slices.IndexFunc(sessions, func(x compaction.Session) bool { return x.ID == r.Session })
	switch {
	case at < 0 && len(sessions) >= compaction.MaxSessions && r.Seq <= sessions[0].Last.Seq:
		return false, nil
	case at < 0:
		return false, missing("no such session")
	case r.Seq > sessions[at].Last.Seq, at > 0 && r.Seq <= sessions[at-1].Last.Seq:
		return false, missing("is not of this session")
	case r.Group == sessions[at].Last.Group && r.Head != sessions[at].Last.Head:
		return false, missing("the chain has another head there")
	}
	value, ok, err := s.db.meta.Get(meta.GroupKey(s.cat.id, r.Group))
	switch {
	case err != nil:
		return false, err
	case !ok && r.Group > s.goneUpTo():
		return false, missing("group %d is not there", r.Group)
	case !ok:
		return true, nil
	}
	if head, first, last, err := wal.Identify(value); err != nil || head != r.Head || r.Seq < first || r.Seq > last {
		return false, missing("group %d is another one", r.Group)
	}
	return true, nil
}

// goneUpTo is up to which group the log need not have what the ledger or dead
// records have.
func (s *state) goneUpTo() uint64 {
	if b := s.behind.Load(); b != nil { // looked at first: the manifest has it when there is none any more
		return b.to.Group
	}
	s.installMu.Lock()
	defer s.installMu.Unlock()
	return s.manifest.Start.Group
}

// allSessions are the runs of the log that are remembered, oldest first, and where
// the log stands.
func (s *state) allSessions() ([]compaction.Session, wal.Position) {
	b := s.behind.Load() // before the manifest, which has them when there is none any more
	s.installMu.Lock()
	m := compaction.Manifest{Sessions: slices.Clone(s.manifest.Sessions)}
	s.installMu.Unlock()
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, x := range s.mu.sessions {
		m.Cover(x.ID, x.Last)
	}
	if b != nil {
		for _, x := range b.sessions {
			m.Cover(x.ID, x.Last)
		}
	}
	return m.Sessions, s.mu.published
}

// errEnough ends a scan of records early; it never leaves the engine.
var errEnough = errors.New("enough")
