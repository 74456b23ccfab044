package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"oubliette/compaction"
	"oubliette/crypto"
	"oubliette/internal/fault"
	"oubliette/internal/meta"
	"oubliette/segment"
	"oubliette/wal"
)

// Report is what Check has looked at, and what it found.
type Report struct {
	Segments     int    // with an index
	OpenSegments int    // without
	Rows         uint64 // living, read and authenticated
	DeadRows     uint64
	LogGroups    uint64 // verified
	ErasedBytes  uint64 // of row areas, of no living row: looked at and zero
	PendingBytes uint64 // of row areas, dead and not overwritten yet
	Tombstones   int    // not applied yet: what they delete is among Rows
	// RowsUnread: no reader's key was at hand, so rows were not opened.
	RowsUnread bool
	Problems   []error
}

// Check reads everything that the index has on disk and holds it against what
// was signed: epoch record, grants, manifest, dead records, every group of the
// log, every segment's header, footer, filter and index, every living row (with
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
type tally struct{ rows, dead, erased, pending uint64 }

// rowOf is a row of a segment.
type rowOf struct {
	segment crypto.SegmentID
	row     uint32
}

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

// catalogue reads epoch record and grants again.
func (k *checker) catalogue() {
	again := &catalogued{name: k.cat.name, id: k.cat.id}
	if err := again.load(k.db.meta); err != nil {
		k.found(err)
		return
	}
	if again.record.Signature != k.cat.record.Signature {
		k.damaged(fmt.Sprintf("epoch record of index %q", k.cat.name), "is another one than was loaded")
	}
}

// manifest holds what is on disk against what is in memory.
func (k *checker) manifest(v *view) {
	k.installMu.Lock()
	defer k.installMu.Unlock()
	m, err := k.db.readManifest(k.cat)
	if err != nil {
		k.found(err)
		return
	}
	if m.Version != k.state.manifest.Version {
		k.damaged("manifest", "version %d on disk, %d in memory", m.Version, k.state.manifest.Version)
	}
	for i := range m.Segments {
		if _, err := k.db.readDead(k.cat.id, &m.Segments[i]); err != nil {
			k.found(err)
		}
	}
	for _, x := range v.sealed {
		k.listed(m, x.seg.id, true)
	}
	for _, o := range v.open {
		k.listed(m, o.mem.id, false)
	}
}

func (k *checker) listed(m *compaction.Manifest, id crypto.SegmentID, sealed bool) {
	if seg := m.Segment(id); seg == nil || seg.Sealed != sealed {
		k.damaged("manifest", "does not list segment %s as it is", id)
	}
}

// records holds the segment records against the manifest.
func (k *checker) records() {
	k.rollMu.Lock() // no segment is being made
	defer k.rollMu.Unlock()
	k.installMu.Lock()
	defer k.installMu.Unlock()
	live := make(map[crypto.SegmentID]bool)
	prefix := meta.SegmentPrefix(k.cat.id)
	k.found(k.db.meta.Scan(prefix, meta.PrefixEnd(prefix), func(key, value []byte) error {
		_, id, ok := meta.ParseSegmentKey(key)
		switch {
		case !ok || len(value) != 1:
			k.damaged("segment records", "record of %d bytes", len(value))
		case value[0] == segmentLive:
			live[id] = true
		case k.work != nil && k.work.makes(id):
		case !k.db.opts.ReadOnly: // else the next Open's work
			k.damaged(k.db.segmentPath(k.cat.id, id), "could not be destroyed yet")
		}
		return nil
	}))
	for i := range k.state.manifest.Segments {
		id := k.state.manifest.Segments[i].ID
		if !live[id] {
			k.damaged("record of segment "+id.String(), "is not live, the manifest lists it")
		}
		delete(live, id)
	}
	for id := range live {
		k.damaged("record of segment "+id.String(), "is live, the manifest does not list it")
	}
}

// files looks for what nothing knows in the index's folder.
func (k *checker) files() {
	// Listed first: a file's record comes before it and goes after it.
	dir := k.db.segmentDir(k.cat.id)
	names, err := k.db.opts.FS.List(dir)
	k.found(err)
	known := make(map[string]bool)
	prefix := meta.SegmentPrefix(k.cat.id)
	k.found(k.db.meta.Scan(prefix, meta.PrefixEnd(prefix), func(key, _ []byte) error {
		if _, id, ok := meta.ParseSegmentKey(key); ok {
			known[id.String()+segmentSuffix] = true
		}
		return nil
	}))
	for _, name := range names {
		_, gone := k.db.opts.FS.Stat(k.db.opts.FS.PathJoin(dir, name))
		if !known[name] && gone == nil {
			k.found(fault.Corrupt(k.db.opts.FS.PathJoin(dir, name), 0, "nothing knows this file: %w", fault.ErrForeign))
		}
	}
}

// log verifies every group that is there.
func (k *checker) log() {
	k.installMu.Lock() // no truncation meanwhile
	defer k.installMu.Unlock()
	src := wal.Source{DB: k.db.meta, Index: k.cat.id, Writer: k.cat.writer, MapKey: func(epoch uint64) (crypto.Secret, bool) {
		return k.mapKey, epoch == k.cat.record.Epoch
	}}
	_, err := wal.Replay(src, k.state.manifest.Start, func(wal.Position, []wal.Replayed) error {
		k.LogGroups++
		return nil
	})
	k.found(err)
}

// sealed checks a segment with an index, from its file on.
func (k *checker) sealed(ctx context.Context, v *view, x *sealedSegment) {
	k.pending(x.dead)
	k.header(x.seg.file.Path(), x.seg.id)
	var last segment.Entry
	var kept []segment.Extent
	entries, dead := 0, uint32(0)
	err := x.seg.table.All(func(e segment.Entry) error {
		if entries++; entries > 1 && string(e.Token[:]) < string(last.Token[:]) {
			k.damaged(x.seg.file.Path(), "entry %d of the index is out of order", entries)
		}
		last = e
		if x.dead.Contains(e.Row) {
			dead++
			return nil
		}
		kept = append(kept, e.Extent())
		k.livingRow(v, x.seg.id, x.seg.file, x.seg.dek, e)
		return ctx.Err()
	})
	k.found(err)
	k.erased(x.seg.file, kept, x.dead, x.seg.table.DataEnd())
	if dead != x.dead.Entries {
		k.damaged(x.seg.file.Path(), "%d entries are dead, its dead record says %d", dead, x.dead.Entries)
	}
}

// header reads the segment's header again.
func (k *checker) header(path string, id crypto.SegmentID) {
	f, err := segment.Open(k.db.opts.FS, path, segment.Identity{Index: k.cat.id, Segment: id})
	if err != nil {
		k.found(err)
		return
	}
	f.Release()
}

func (k *checker) pending(d *compaction.Dead) {
	k.dead += d.Rows.GetCardinality()
	for _, p := range d.Pending {
		k.tally.pending += p.Len
	}
}

// erased looks whether all of a row area is zeros but what is kept and what
// waits to be overwritten.
func (k *checker) erased(f *segment.File, kept []segment.Extent, d *compaction.Dead, end uint64) {
	area := []segment.Extent{{Off: segment.DataStart, Len: end - segment.DataStart}}
	k.zeros(f, without(area, append(kept, d.Pending...)))
}

func (k *checker) zeros(f *segment.File, xs []segment.Extent) {
	for _, x := range xs {
		k.tally.erased += x.Len
	}
	k.found(segment.CheckErased(f, xs))
}

// without is what of xs is in none of taken. Neither has to be in order.
func without(xs, taken []segment.Extent) (rest []segment.Extent) {
	inOrder := func(a, b segment.Extent) int { return cmp.Compare(a.Off, b.Off) }
	slices.SortFunc(xs, inOrder)
	taken = slices.SortedFunc(slices.Values(taken), inOrder)
	taken = segment.Coalesce(taken)
	for _, x := range segment.Coalesce(xs) {
		for len(taken) > 0 && taken[0].End() <= x.Off {
			taken = taken[1:]
		}
		at := x.Off
		for _, t := range taken {
			if t.Off >= x.End() {
				break
			}
			if t.Off > at {
				rest = append(rest, segment.Extent{Off: at, Len: t.Off - at})
			}
			at = max(at, t.End())
		}
		if at < x.End() {
			rest = append(rest, segment.Extent{Off: at, Len: x.End() - at})
		}
	}
	return rest
}

// livingRow reads a row whole and looks whether it is the token's, and the only
// one.
func (k *checker) livingRow(v *view, id crypto.SegmentID, f *segment.File, dek crypto.Hash, e segment.Entry) {
	if other, ok := k.seen[e.Token]; ok && v.lives(other) {
		k.damaged(f.Path(), "row %d: its item stands in row %d of segment %s, too", e.Row, other.row, other.segment)
	}
	k.seen[e.Token] = rowOf{id, e.Row}
	if k.RowsUnread {
		return
	}
	if err := unlock(f, dek, k.ring); err != nil {
		k.found(err)
		return
	}
	content, err := f.Read(e.Pointer, segment.WantAll)
	switch {
	case err != nil:
		k.found(err)
	case k.tokens.Token(content.ID) != e.Token:
		k.damaged(f.Path(), "row %d holds another item than its entry says", e.Row)
	default:
		k.rows++
	}
}

// openSegment checks the rows of a memtable.
func (k *checker) openSegment(ctx context.Context, v *view, o *openSegment) {
	k.pending(o.dead)
	k.header(o.mem.path, o.mem.id)
	k.mu.RLock()
	entries := o.mem.entries[:len(o.mem.entries):len(o.mem.entries)] // grows, never changes
	kept := o.mem.unburied()
	quiet := o.mem.retired.Load() && o.mem.inflight.Load() == 0
	k.mu.RUnlock()
	var gone []segment.Extent
	for _, e := range entries {
		if ctx.Err() != nil {
			return
		}
		if o.dead.Contains(e.Row) {
			gone = append(gone, e.Extent())
			continue
		}
		kept = append(kept, e.Extent())
		// A row whose successor stands elsewhere, or that a tombstone hides,
		// dies with the next apply: it is not an item.
		k.mu.RLock()
		var sp spot
		v.place(e.Token, v.newest(e.Token), &sp)
		k.mu.RUnlock()
		if sp.found && sp.entry.Seq == e.Seq {
			k.livingOpen(v, o, e)
		}
	}
	if quiet {
		k.erased(o.mem.file, kept, o.dead, k.openEnd(o.mem))
	} else { // what calls under way have written is nobody's yet
		k.zeros(o.mem.file, without(gone, o.dead.Pending))
	}
}

func (k *checker) livingOpen(v *view, o *openSegment, e segment.Entry) {
	// An older version in a sealed segment waits for the next apply, too.
	delete(k.seen, e.Token)
	k.livingRow(v, o.mem.id, o.mem.file, o.mem.dek, e)
}

// lives tells whether a row stands in a sealed segment and is not dead: what
// was seen living a while ago may have been upserted again.
func (v *view) lives(r rowOf) bool {
	for _, x := range v.sealed {
		if x.seg.id == r.segment {
			return !x.dead.Contains(r.row)
		}
	}
	return false
}
