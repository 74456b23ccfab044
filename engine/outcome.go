package engine

import (
	"cmp"
	"slices"
	"time"

	"oubliette/compaction"
	"oubliette/crypto"
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

// add counts the rows of a segment that have died.
func (t *callTally) add(id crypto.SegmentID, deaths []compaction.Death) {
	found := false
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
	o := compaction.Outcome{Kind: compaction.OutcomeFound, Through: through, Whole: whole, Segments: t.segments, Calls: t.calls}
	e.note(&o, meta.OutcomeKey(e.s.cat.id, uint8(o.Kind), through, e.next.Version+1))
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
		o := compaction.Outcome{Kind: compaction.OutcomeErased, Through: upto}
		e.note(&o, meta.OutcomeKey(e.s.cat.id, uint8(o.Kind), upto, 0))
	}
	return true
}

// moved puts into the edit that segments have gone, their living rows moved.
func (e *edit) moved(ids []crypto.SegmentID) {
	if e.s.db.opts.KeepStatus < 0 {
		return
	}
	for _, id := range ids {
		o := compaction.Outcome{Kind: compaction.OutcomeMoved, Segment: id}
		e.note(&o, meta.MovedKey(e.s.cat.id, uint8(o.Kind), id))
	}
}

func (e *edit) note(o *compaction.Outcome, key []byte) {
	o.Index, o.Epoch, o.Time = e.s.cat.id, e.s.cat.record.Epoch, e.s.db.opts.Now()
	e.batch.Set(key, o.Sign(e.signer))
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
		o, err := compaction.DecodeOutcome(value, s.cat.id, s.cat.outcomeWriter)
		switch n++; {
		case err != nil || o.Time.Before(oldest): // one that does not read is of no use to anybody
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

// outcomeWriter is the key under which a user's outcomes verify. Those of an
// earlier epoch count as long as its record is there: what they could claim falsely
// is counts and times, by somebody who could write then; whether something is
// erased stands in the manifest.
func (c *catalogued) outcomeWriter(user crypto.UserID, epoch uint64) (crypto.VerifyKey, bool) {
	if past := c.past[epoch]; past != nil && epoch != c.record.Epoch {
		return past.Writer(user)
	}
	return c.writer(user, epoch)
}
