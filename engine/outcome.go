package engine

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"time"

	"oubliette/compaction"
	"oubliette/crypto"
	"oubliette/internal/fault"
	"oubliette/internal/meta"
)

// callTally counts what the calls of one apply have found.
type callTally struct {
	calls    []compaction.Call // by number
	segments []crypto.SegmentID
}

// newCallTally begins with how many ids each call asked for.
func newCallTally(events []compaction.Event) *callTally {
	seqs := make([]uint64, 0, len(events))
	for i := range events {
		if events[i].Call != 0 {
			seqs = append(seqs, events[i].Call)
		}
	}
	slices.Sort(seqs)
	t := new(callTally)
	for i, seq := range seqs {
		if i == 0 || seq != seqs[i-1] {
			t.calls = append(t.calls, compaction.Call{Seq: seq})
		}
		t.calls[len(t.calls)-1].Asked++
	}
	return t
}

// add counts the rows of a segment that have died, and tells whether calls have found
// any of them.
func (t *callTally) add(id crypto.SegmentID, deaths []compaction.Death) (found bool) {
	for i := range deaths {
		d := &deaths[i]
		if d.Call == 0 {
			continue
		}
		at, ok := slices.BinarySearchFunc(t.calls, d.Call, func(c compaction.Call, seq uint64) int { return cmp.Compare(c.Seq, seq) })
		if !ok {
			continue // of an apply before, which could not look through all segments
		}
		t.calls[at].Rows++
		t.calls[at].Bytes += d.Extent.Len
		found = true
	}
	if found {
		t.segments = append(t.segments, id)
	}
	return found
}

// rows is how many rows the calls have found.
func (t *callTally) rows() (n uint64) {
	for i := range t.calls {
		n += uint64(t.calls[i].Rows)
	}
	return n
}

// outcome puts what an apply has found into the edit.
func (e *edit) outcome(t *callTally, through uint64, whole bool) {
	if len(t.calls) == 0 || e.s.db.opts.KeepStatus < 0 {
		return
	}
	e.note(&compaction.Outcome{Kind: compaction.OutcomeFound, Through: through, Whole: whole, Segments: t.segments, Calls: t.calls})
	e.s.prune(e.batch)
}

// erased puts into the edit that all is off the disk up to a sequence number. It
// answers false when the manifest says so already, or when no delete is among it.
func (e *edit) erased(upto uint64) bool {
	if upto <= e.next.Erased || upto > e.next.Applied.Seq {
		return false
	}
	e.next.Erased = upto
	if e.s.db.opts.KeepStatus >= 0 {
		e.note(&compaction.Outcome{Kind: compaction.OutcomeErased, Through: upto})
	}
	return true
}

// moved puts into the edit that segments have gone, their living rows moved.
func (e *edit) moved(ids []crypto.SegmentID) {
	if e.s.db.opts.KeepStatus < 0 {
		return
	}
	for _, id := range ids {
		e.note(&compaction.Outcome{Kind: compaction.OutcomeMoved, Segment: id})
	}
}

func (e *edit) note(o *compaction.Outcome) {
	o.Index, o.Epoch, o.Time, o.Version = e.s.cat.id, e.s.cat.record.Epoch, e.s.db.opts.Now(), e.next.Version+1
	e.batch.Set(outcomeKey(o), o.Sign(e.signer))
}

// outcomeKey is where an outcome stands.
func outcomeKey(o *compaction.Outcome) []byte {
	if o.Kind == compaction.OutcomeMoved {
		return meta.MovedKey(o.Index, uint8(o.Kind), o.Segment)
	}
	return meta.OutcomeKey(o.Index, uint8(o.Kind), o.Through, o.Version)
}

// pruneStep is how many outcomes of each kind an apply looks at.
const pruneStep = 64

// prune drops outcomes that are older than Options.KeepStatus says. Those of the
// first two kinds stand in the order in which they were written, oldest first; of
// the third a few more are looked at each time, round and round.
func (s *state) prune(batch *meta.Batch) {
	oldest := s.db.opts.Now().Add(-s.db.opts.KeepStatus)
	for _, kind := range []compaction.OutcomeKind{compaction.OutcomeFound, compaction.OutcomeErased, compaction.OutcomeMoved} {
		from := meta.OutcomeKindPrefix(s.cat.id, uint8(kind))
		end := meta.PrefixEnd(from)
		if kind == compaction.OutcomeMoved && s.pruned != nil {
			from = s.pruned
		}
		s.pruneKind(batch, kind, from, end, oldest)
	}
}

func (s *state) pruneKind(batch *meta.Batch, kind compaction.OutcomeKind, from, end []byte, oldest time.Time) {
	n := 0
	var last []byte
	err := s.db.meta.Scan(from, end, func(key, value []byte) error {
		last = append(slices.Clone(key), 0) // the next key behind it
		o, err := s.cat.outcome(key, value)
		switch n++; {
		case err != nil || o == nil || o.Time.Before(oldest): // what cannot be read is of no use to anybody
			batch.Delete(slices.Clone(key))
		case kind != compaction.OutcomeMoved:
			return errEnough
		}
		if n >= pruneStep {
			return errEnough
		}
		return nil
	})
	if kind == compaction.OutcomeMoved {
		if s.pruned = last; err == nil {
			s.pruned = nil // it has come round
		}
	}
}

// outcome reads what stands under a key. It is nil when nobody can tell whether it
// is a writer's: it was noted in an epoch whose record is not there any more.
//
// What was noted in an earlier epoch counts for calls up to that epoch's end, as root
// has pinned it: whoever could write then cannot speak of what came later.
func (c *catalogued) outcome(key, value []byte) (*compaction.Outcome, error) {
	epoch, known := uint64(0), true
	o, err := compaction.DecodeOutcome(value, c.id, func(user crypto.UserID, e uint64) (crypto.VerifyKey, bool) {
		past := c.past[e]
		if epoch = e; e == c.record.Epoch {
			return c.record.Writer(user)
		}
		if known = e > c.record.Epoch || past != nil; past == nil {
			return crypto.VerifyKey{}, false
		}
		return past.Writer(user)
	})
	switch {
	case err != nil && !known:
		return nil, nil
	case err == nil && !bytes.Equal(key, outcomeKey(o)):
		err = fmt.Errorf("outcome: stands under another key than its own: %w", fault.ErrDamaged)
	case err == nil && epoch < c.record.Epoch && o.Through > c.after(epoch).Pin.Seq:
		err = fmt.Errorf("outcome: of epoch %d, which ended at %d, speaks of %d: %w", epoch, c.after(epoch).Pin.Seq, o.Through, fault.ErrDamaged)
	}
	if err != nil {
		return nil, &fault.CorruptionError{Path: fmt.Sprintf("outcome of index %q", c.name), Err: err}
	}
	return o, nil
}

// after is the record of the epoch behind one whose record is there.
func (c *catalogued) after(epoch uint64) *crypto.EpochRecord {
	if next := c.past[epoch+1]; next != nil {
		return next
	}
	return c.record
}
