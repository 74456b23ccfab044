package engine

import (
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"oubliette/crypto"
)

// Purge returns when every byte of what was deleted or had expired before the
// call — sealed ids, vectors, contents and metadata, and older versions of items
// upserted again — has been overwritten in the store's files and the overwrites synced.
// It says nothing of copies outside of the store.
//
// With WithRewrite every segment that holds dead rows then is rewritten, too: its
// living rows go to a new file under a fresh key, its header, with the sealed old
// key, is overwritten and synced, and the file removed. So go the tokens and sizes
// of what was deleted, which stand in the segment's sealed index, and who has kept
// the old key opens nothing that is written from then on. It needs a reader's key
// as well.
//
// Where a segment file stands in the index's folder that no record knows, the error
// names it, and is ErrForeign: such a file may hold what has been deleted, if damage has
// cost the log its end. It is for the caller to remove.
//
// The certificate counts what has been done since the index was unlocked; it is
// signed by the caller. With WithRewrite it speaks of the deletes up to the call.
func (ix *Index) Purge(ctx context.Context, opts ...OpOption) (Certificate, error) {
	need := crypto.PermWrite
	rewrite := gather(opts).rewrite
	if rewrite {
		need |= crypto.PermRead
	}
	c, err := ix.beginWrite(ctx, opts, need)
	if err != nil {
		return Certificate{}, err
	}
	defer c.leave()
	through := uint64(math.MaxUint64)
	if rewrite {
		// What is deleted by then are rows of segments that are there now.
		through = c.lastSeq()
		if err := c.rewriteTouched(ctx); err != nil {
			return Certificate{}, err
		}
	}
	var cert Certificate
	err = c.work.do(ctx, func(context.Context) (err error) {
		// A file that failed may hold what a failed call has written.
		if err := errors.Join(c.work.purgeAll(c.ring), c.work.moveFailed(c.ring), c.work.destroyDoomed(), c.db.noStrays(c.cat.id)); err != nil {
			return err
		}
		cert, err = c.certificate(rewrite, through)
		return err
	})
	return cert, err
}

// lastSeq is the newest sequence number.
func (s *state) lastSeq() uint64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.mu.published.Seq
}

// rewriteTouched rewrites every segment in which something is dead now. A rewrite
// under way is given up: its new file may have held what has died meanwhile.
func (c *call) rewriteTouched(ctx context.Context) error {
	if err := c.closeOpen(ctx); err != nil {
		return err
	}
	if err := c.work.do(ctx, func(context.Context) error { return c.work.giveUp() }); err != nil {
		return err
	}
	touched := goal{only: c.touched()}
	var err error
	for err == nil && len(touched.only) > 0 {
		err = c.work.do(ctx, func(ctx context.Context) error {
			if err := c.work.purge(c.ring); err != nil {
				return err
			}
			more, _, err := c.work.rewriteStep(ctx, c.ring, touched)
			if err == nil && !more {
				clear(touched.only) // the plan finds nothing of it any more
			}
			return errors.Join(err, c.work.destroyDoomed())
		})
	}
	return err
}

// closeOpen applies what has been deleted and gives every segment that is open now
// its index. It waits for the calls that write to them.
func (c *call) closeOpen(ctx context.Context) error {
	c.roll()
	v := c.acquire()
	open := v.open
	v.release()
	for {
		err := c.work.do(ctx, func(context.Context) error {
			return errors.Join(c.work.purgeAll(c.ring), c.work.seal(c.ring))
		})
		if err != nil || !c.stillOpen(open) {
			return err
		}
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// stillOpen tells whether one of the segments is open.
func (s *state) stillOpen(open []openSegment) bool {
	v := s.acquire()
	defer v.release()
	for _, o := range v.open {
		if slices.ContainsFunc(open, func(was openSegment) bool { return was.mem == o.mem }) {
			return true
		}
	}
	return false
}

// touched are the segments with an index in which something is dead.
func (s *state) touched() map[crypto.SegmentID]bool {
	v := s.acquire()
	defer v.release()
	out := make(map[crypto.SegmentID]bool)
	for _, x := range v.sealed {
		if x.dead.Bytes > 0 {
			out[x.seg.id] = true
		}
	}
	return out
}

// Compact purges, closes the open segment and rewrites every segment with dead
// space, every one whose data key somebody may have kept who has been taken out
// since, and small segments together, until nothing is left to gain of what was
// there when it began: space goes back to the file system, and the rows stand
// under fresh keys. It needs a reader's and a writer's key.
func (ix *Index) Compact(ctx context.Context, opts ...OpOption) error {
	c, err := ix.beginWrite(ctx, opts, crypto.PermRead|crypto.PermWrite)
	if err != nil {
		return err
	}
	defer c.leave()
	c.roll()
	// Each rewrite takes a segment away or its dead space; deletes that come
	// meanwhile would make more for ever.
	rounds := 2*c.segments() + 2
	for more := true; more && rounds > 0; {
		err := c.work.do(ctx, func(ctx context.Context) (err error) {
			if err = c.work.purgeAll(c.ring); err != nil {
				return err
			}
			if err = c.work.seal(c.ring); err != nil {
				return err
			}
			var finished bool
			if more, finished, err = c.work.rewriteStep(ctx, c.ring, goal{full: true}); err != nil {
				return err
			}
			if finished {
				rounds--
			}
			return c.work.destroyDoomed()
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// segments is how many there are.
func (s *state) segments() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.mu.view.open) + len(s.mu.view.sealed)
}
