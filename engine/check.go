package engine

import (
	"context"
	"errors"

	"oubliette/crypto"
	"oubliette/internal/fault"
)

// Report is what Check has looked at, and what it found.
type Report struct {
	Segments     int    // with an index
	OpenSegments int    // without
	Rows         uint64 // living, read and authenticated
	Expired      uint64 // read and authenticated, but their time has come: not among Rows
	DeadRows     uint64
	LogGroups    uint64 // verified
	ErasedBytes  uint64 // of row areas, of no living row: looked at and zero
	PendingBytes uint64 // of row areas, dead and not overwritten yet
	Tombstones   int    // not applied yet: what they delete is among Rows and Expired
	// RowsUnread: no reader's key was at hand, so rows were not opened.
	RowsUnread bool
	Problems   []error
}

// Check reads everything that the index has on disk and holds it against what
// was signed: epoch record, grants, manifest, dead records, outcomes of deletes,
// every group of the log, every segment's header, footer, filter and index, every living row (with
// a reader's key), and that whatever else is in a row area and does not wait to
// be overwritten is zeros. (Of a segment that still takes rows that is left
// out.) It looks for segment files that nothing knows or that should be gone,
// and for items that stand twice. Its error joins the problems. It takes memory
// for one token an item. Each segment is checked in a turn of maintenance, so that
// nothing is erased or moved meanwhile, and between two of them what is due is
// done. It goes on until every segment of the moment has had its turn.
//
// Once the log has failed it answers ErrFailed: what of the last writes is on
// disk shows when the store has been opened again.
func (ix *Index) Check(ctx context.Context, opts ...OpOption) (Report, error) {
	c, err := ix.begin(ctx, opts, 0)
	if err != nil {
		return Report{}, err
	}
	defer c.leave()
	k := &checker{call: c, seen: make(map[crypto.Token]rowOf), parts: make(map[crypto.SegmentID]*tally)}
	err = k.run(ctx)
	if failed := c.db.meta.Err(); failed != nil {
		return Report{}, failed
	}
	if err != nil {
		return Report{}, err
	}
	return k.Report, errors.Join(k.Problems...)
}

// checker is one Check under way.
type checker struct {
	call
	Report
	seen   map[crypto.Token]rowOf // where a token's living row was found
	parts  map[crypto.SegmentID]*tally
	*tally // of the segment that is looked at
}

// tally is what Check has counted in one segment.
type tally struct{ rows, expired, dead, erased, pending uint64 }

// found notes a problem.
func (k *checker) found(err error) {
	if err != nil {
		k.Problems = append(k.Problems, err)
	}
}

func (k *checker) damaged(path string, format string, args ...any) {
	k.found(fault.Corrupt(path, 0, format+": %w", append(args, fault.ErrDamaged)...))
}

// run checks what belongs to the index as a whole, then segment by segment. A
// segment that is rewritten meanwhile counts as what it has become.
func (k *checker) run(ctx context.Context) error {
	k.RowsUnread = k.ring.reader.IsZero()
	err := k.turn(ctx, func(v *view) {
		for _, t := range v.tombs {
			k.Tombstones += t.Len()
		}
		k.catalogue()
		k.manifest(v)
		k.records()
		k.files()
		k.log()
		k.outcomes()
	})
	for more := true; more && err == nil; {
		err = k.turn(ctx, func(v *view) { more = k.next(ctx, v) })
	}
	return err
}

// next checks one segment that has not had its turn; when all have, it sums up
// and answers false.
func (k *checker) next(ctx context.Context, v *view) bool {
	for i := range v.sealed {
		if k.begin(v.sealed[i].seg.id) {
			k.sealed(ctx, v, &v.sealed[i])
			return true
		}
	}
	for i := range v.open {
		if k.begin(v.open[i].mem.id) {
			k.openSegment(ctx, v, &v.open[i])
			return true
		}
	}
	k.Segments, k.OpenSegments = len(v.sealed), len(v.open)
	for _, x := range v.sealed {
		k.add(k.parts[x.seg.id])
	}
	for _, o := range v.open {
		k.add(k.parts[o.mem.id])
	}
	return false
}

// begin starts a segment's tally unless it has had its turn.
func (k *checker) begin(id crypto.SegmentID) bool {
	if k.parts[id] != nil {
		return false
	}
	k.tally = new(tally)
	k.parts[id] = k.tally
	return true
}

func (k *checker) add(t *tally) {
	k.Rows += t.rows
	k.Expired += t.expired
	k.DeadRows += t.dead
	k.ErasedBytes += t.erased
	k.PendingBytes += t.pending
}

// turn runs a step in maintenance's turn, on the view of then. A store open for
// reading has no maintenance, and nothing changes in it.
func (k *checker) turn(ctx context.Context, step func(*view)) error {
	run := func(ctx context.Context) error {
		v := k.acquire()
		defer v.release()
		step(v)
		return ctx.Err()
	}
	if k.work == nil {
		return run(ctx)
	}
	return k.work.do(ctx, run)
}
