package engine

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"

	"oubliette/crypto"
	"oubliette/segment"
)

// IDs yields the id of every item. See Items for what a scan sees.
func (ix *Index) IDs(ctx context.Context, opts ...OpOption) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for it, err := range ix.Items(ctx, 0, opts...) {
			if !yield(it.ID, err) {
				return
			}
		}
	}
}

// Items yields every item with the wanted fields, in no order that means
// anything. What lives from the scan's start to its end comes exactly once,
// also when it is upserted again or its row moves meanwhile: then with its
// state of the moment when it comes. What has been deleted does not come, from
// the moment Delete returned, nor what has expired, from its time on. What is new may be missed. An error ends the
// scan.
//
// The scan keeps the segment files of its start open, but nothing waits for
// it: neither erasure nor Close. When the store is closed it ends with
// ErrClosed.
func (ix *Index) Items(ctx context.Context, fields Fields, opts ...OpOption) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		c, err := ix.begin(ctx, opts, crypto.PermRead)
		if err == nil {
			if err = fields.validate(); err != nil {
				c.leave()
			}
		}
		if err != nil {
			yield(Item{}, err)
			return
		}
		sc := newScan(c, segment.Fields(fields))
		sc.again = func() (call, error) { return ix.begin(ctx, opts, crypto.PermRead) }
		c.leave()
		defer sc.start.release()
		if err := sc.run(ctx, yield); err != nil {
			yield(Item{}, err)
		}
	}
}

// scan goes through the rows that lived when it began, and resolves each in the
// view of the moment when it yields it.
type scan struct {
	call  call
	again func() (call, error) // lets the caller in again, in another epoch
	want  segment.Fields
	start *view
	since uint64                // the last sequence number at the start
	open  []openRow             // rows of memtables at the start
	taken map[crypto.Token]bool // their tokens: older rows in segments are not looked at
}

func newScan(c call, want segment.Fields) *scan {
	sc := &scan{call: c, want: want, taken: make(map[crypto.Token]bool)}
	s := c.state
	s.mu.RLock()
	sc.start = s.acquireLocked()
	sc.since = s.mu.published.Seq
	open := s.openRowsLocked()
	s.mu.RUnlock()
	for tok, row := range newestRows(open) {
		sc.taken[tok] = true
		// A delete that has come meanwhile counts too: then the item does not live
		// throughout.
		if row.Seq >= sc.start.newest(tok) {
			sc.open = append(sc.open, row)
		}
	}
	return sc
}

// scanChunk is how many rows are brought into file order at a time.
const scanChunk = 2048

func (sc *scan) run(ctx context.Context, yield func(Item, error) bool) error {
	slices.SortFunc(sc.open, func(a, b openRow) int { return cmp.Compare(a.Offset, b.Offset) })
	for i := range sc.open {
		r := &sc.open[i]
		more, err := sc.step(ctx, r.Entry, nil, spot{entry: r.Entry, file: r.file, dek: r.dek, found: true}, yield)
		if err != nil || !more {
			return err
		}
	}
	for i := range sc.start.sealed {
		if more, err := sc.segment(ctx, &sc.start.sealed[i], yield); err != nil || !more {
			return err
		}
	}
	return nil
}

// errStop ends a walk through an index early; it never leaves the scan.
type errStop struct{}

func (errStop) Error() string { return "stop" }

// segment yields the rows of one sealed segment.
func (sc *scan) segment(ctx context.Context, seg *sealedSegment, yield func(Item, error) bool) (bool, error) {
	var chunk []segment.Entry
	flush := func() error {
		slices.SortFunc(chunk, func(a, b segment.Entry) int { return cmp.Compare(a.Offset, b.Offset) })
		for _, e := range chunk {
			more, err := sc.step(ctx, e, seg, spot{entry: e, file: seg.seg.file, dek: seg.seg.dek, found: true}, yield)
			if err != nil {
				return err
			}
			if !more {
				return errStop{}
			}
		}
		chunk = chunk[:0]
		return nil
	}
	err := seg.seg.table.All(func(e segment.Entry) error {
		if seg.dead.Contains(e.Row) || sc.taken[e.Token] {
			return nil
		}
		if t := sc.start.newest(e.Token); t > e.Seq && t <= sc.since {
			return nil // deleted before the scan began
		}
		if chunk = append(chunk, e); len(chunk) < scanChunk {
			return nil
		}
		return flush()
	})
	if err == nil {
		err = flush()
	}
	if err == (errStop{}) {
		return false, nil
	}
	return err == nil, err
}

// step resolves one row of the start in the current view and yields what it has
// become, if it still is. The store may be closed between two steps, not in
// one.
func (sc *scan) step(ctx context.Context, e segment.Entry, seg *sealedSegment, sp spot, yield func(Item, error) bool) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	if err := sc.enter(); err != nil {
		return false, err
	}
	content, ok, err := sc.resolve(e, seg, sp)
	sc.call.leave()
	if err != nil || !ok {
		return err == nil, err
	}
	return yield(item(content), nil), nil
}

// enter lets the scan into the state, or, when root has begun another epoch
// meanwhile, into the state of that one: what the scan began with is resolved
// there like anything that has moved.
func (sc *scan) enter() error {
	err := sc.call.enter(nil)
	if !errors.Is(err, errEpochOver) {
		return err
	}
	c, err := sc.again()
	if err == nil {
		sc.call = c
	}
	return err
}

func (sc *scan) resolve(e segment.Entry, seg *sealedSegment, sp spot) (segment.Content, bool, error) {
	v, fresh := sc.unchanged(e, seg)
	if fresh {
		defer v.release()
		return sc.call.read(sp, e.Token, sc.want)
	}
	v.release()
	v, spots, err := sc.call.locate([]crypto.Token{e.Token})
	if err != nil {
		return segment.Content{}, false, err
	}
	defer v.release()
	if !spots[0].found {
		return segment.Content{}, false, nil
	}
	return sc.call.read(spots[0], e.Token, sc.want)
}

// unchanged tells whether a sealed segment's row still is the item: it has not
// expired, nothing in the memtables or tombstones touches its token, and in the
// current view the segment is there and the row not dead. For a memtable's row it
// says no.
func (sc *scan) unchanged(e segment.Entry, seg *sealedSegment) (*view, bool) {
	s := sc.call.state
	now := s.clock()
	s.mu.RLock()
	defer s.mu.RUnlock()
	v := s.acquireLocked()
	if seg == nil || e.Expired(now) || v.newest(e.Token) != 0 {
		return v, false
	}
	for _, o := range v.open {
		if _, ok := o.mem.places[e.Token]; ok {
			return v, false
		}
	}
	if v == sc.start {
		return v, true
	}
	for i := range v.sealed {
		if v.sealed[i].seg == seg.seg {
			return v, !v.sealed[i].dead.Contains(e.Row)
		}
	}
	return v, false
}
