package engine

import (
	"context"
	"errors"

	"oubliette/crypto"
)

// Purge returns when every byte of what was deleted before the call — sealed
// ids, vectors, contents and metadata, and older versions of items upserted
// again — has been overwritten in the store's files and the overwrites synced.
// It says nothing of copies outside of the store.
func (ix *Index) Purge(ctx context.Context, opts ...OpOption) (Certificate, error) {
	c, err := ix.beginWrite(ctx, opts, crypto.PermWrite)
	if err != nil {
		return Certificate{}, err
	}
	defer c.leave()
	var cert Certificate
	err = c.work.do(ctx, func(context.Context) error {
		// A file that failed may hold what a failed call has written.
		if err := errors.Join(c.work.purge(c.ring), c.work.moveFailed(c.ring), c.work.destroyDoomed()); err != nil {
			return err
		}
		cert = c.certificate()
		return nil
	})
	if err != nil {
		return Certificate{}, err
	}
	return cert, nil
}

func (c *call) certificate() Certificate {
	v := c.acquire()
	defer v.release()
	c.mu.RLock()
	defer c.mu.RUnlock()
	return Certificate{
		Index: c.cat.id, Through: c.work.erased, Time: c.db.opts.Now(),
		Rows: c.mu.counts.Died, Bytes: c.mu.counts.BytesErased,
		Segments: len(v.open) + len(v.sealed), Unlinked: c.mu.counts.Unlinked,
	}
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
			if err = c.work.purge(c.ring); err != nil {
				return err
			}
			if err = c.work.seal(c.ring); err != nil {
				return err
			}
			var finished bool
			if more, finished, err = c.work.rewriteStep(ctx, c.ring, true); err != nil {
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
