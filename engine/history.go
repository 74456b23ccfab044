package engine

import (
	"errors"
	"slices"
	"time"

	"oubliette/compaction"
	"oubliette/crypto"
	"oubliette/internal/meta"
)

// history fills in what has been noted of a call.
func (s *state) history(seq uint64, out *reached) error {
	segments, err := s.foundBy(seq, out)
	if err != nil || out.State != Erased {
		return err
	}
	if out.ErasedAt, err = s.erasedAt(seq); err != nil || !out.Counted {
		return err
	}
	return s.rewritten(segments, out)
}

// foundBy adds up what the applies have found that looked for the call: the first
// that could look through all segments, and those before it that could not.
func (s *state) foundBy(seq uint64, out *reached) (segments []crypto.SegmentID, err error) {
	var sum compaction.Call
	err = s.eachOutcome(compaction.OutcomeFound, seq, func(o *compaction.Outcome) bool {
		if c, ok := o.Call(seq); ok {
			sum.Rows += c.Rows
			sum.Bytes += c.Bytes
			segments = append(segments, o.Segments...)
			if o.Whole {
				out.Counted, out.AppliedAt = true, o.Time
				out.Asked, out.Rows, out.Bytes = int(c.Asked), int(sum.Rows), sum.Bytes
			}
		}
		return !o.Whole
	})
	return segments, err
}

// erasedAt is when the call was seen to be off the disk.
func (s *state) erasedAt(seq uint64) (at time.Time, err error) {
	err = s.eachOutcome(compaction.OutcomeErased, seq, func(o *compaction.Outcome) bool {
		at = o.Time
		return false
	})
	return at, err
}

// eachOutcome goes through the notes of a kind that cover a sequence number or later
// ones, in order, until fn answers false.
func (s *state) eachOutcome(kind compaction.OutcomeKind, seq uint64, fn func(*compaction.Outcome) bool) error {
	end := meta.PrefixEnd(meta.OutcomeKindPrefix(s.cat.id, uint8(kind)))
	err := s.db.meta.Scan(meta.OutcomeKey(s.cat.id, uint8(kind), seq, 0), end, func(key, value []byte) error {
		o, err := s.cat.outcome(key, value)
		if err == nil && o != nil && !fn(o) {
			err = errEnough
		}
		return err
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// rewritten tells whether all of the segments have gone, and since when.
func (s *state) rewritten(segments []crypto.SegmentID, out *reached) error {
	slices.SortFunc(segments, func(a, b crypto.SegmentID) int { return slices.Compare(a[:], b[:]) })
	segments = slices.Compact(segments)
	out.segments = len(segments)
	s.installMu.Lock()
	for _, id := range segments {
		if s.manifest.Segment(id) == nil {
			out.gone++
		}
	}
	s.installMu.Unlock()
	if out.gone < out.segments {
		return nil
	}
	out.Rewritten, out.RewrittenAt = true, out.ErasedAt
	for _, id := range segments {
		at, err := s.movedAt(id)
		if err != nil {
			return err
		}
		if at.After(out.RewrittenAt) {
			out.RewrittenAt = at
		}
	}
	return nil
}

// movedAt is when a segment went, as somebody says who may still write; zero: nobody
// does. That it has gone stands in the manifest.
func (s *state) movedAt(id crypto.SegmentID) (time.Time, error) {
	key := meta.MovedKey(s.cat.id, uint8(compaction.OutcomeMoved), id)
	value, ok, err := s.db.meta.Get(key)
	if err != nil || !ok {
		return time.Time{}, err
	}
	o, err := s.cat.outcome(key, value)
	if err != nil || o == nil {
		return time.Time{}, err
	}
	if _, writes := s.cat.record.Writer(o.User); !writes {
		return time.Time{}, nil
	}
	return o.Time, nil
}

// oldestOutcome is the earliest epoch in which something was noted of the index's
// deletes; 0: nothing is.
func (db *DB) oldestOutcome(c *catalogued) (epoch uint64) {
	for _, kind := range []compaction.OutcomeKind{compaction.OutcomeFound, compaction.OutcomeErased} {
		prefix := meta.OutcomeKindPrefix(c.id, uint8(kind))
		_ = db.meta.Scan(prefix, meta.PrefixEnd(prefix), func(key, value []byte) error {
			o, err := c.outcome(key, value)
			if err != nil || o == nil {
				return nil // of no use to anybody
			}
			if epoch == 0 || o.Epoch < epoch {
				epoch = o.Epoch
			}
			return errEnough
		})
	}
	return epoch
}
