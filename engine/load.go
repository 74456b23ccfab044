package engine

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"oubliette/compaction"
	"oubliette/crypto"
	"oubliette/internal/fault"
	"oubliette/segment"
	"oubliette/tombstone"
	"oubliette/wal"
)

// loader reads an index's state from disk: manifest, segments, log.
type loader struct {
	*state
	open   []openSegment
	sealed []sealedSegment
	mems   map[crypto.SegmentID]*memtable
	dead   map[crypto.SegmentID]*compaction.Dead
	tombs  *tombstone.Set
	// covered: what rows the log knows of in each open segment.
	covered map[crypto.SegmentID][]segment.Extent
	// buried: bytes of those rows that the dead set has.
	buried map[crypto.SegmentID]uint64
}

// load reads the state. It writes nothing: segments that a crash left open are
// sealed by maintenance afterwards, with the space that no row of the log
// covers marked dead.
func (s *state) load() error {
	l := &loader{
		state: s, mems: make(map[crypto.SegmentID]*memtable), dead: make(map[crypto.SegmentID]*compaction.Dead),
		tombs: tombstone.NewSet(), covered: make(map[crypto.SegmentID][]segment.Extent),
		buried: make(map[crypto.SegmentID]uint64),
	}
	at, err := l.read()
	if err != nil {
		for _, o := range l.open {
			o.mem.file.Release()
		}
		for _, x := range l.sealed {
			x.seg.file.Release()
		}
		return err
	}
	doomed := s.db.takeUnfinished(s.cat.id)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.view = newView([]*tombstone.Set{l.tombs}, l.open, l.sealed)
	for _, o := range l.open {
		o.mem.file.Release() // the view holds it
	}
	for _, x := range l.sealed {
		x.seg.file.Release()
	}
	s.mu.applied, s.mu.erased = s.manifest.Applied.Seq, s.manifest.Erased
	if s.db.opts.ReadOnly {
		return nil
	}
	s.log = wal.New(wal.Config{
		DB: s.db.meta, Index: s.cat.id, Epoch: s.cat.record.Epoch, MapKey: s.mapKey,
		NoSync: s.db.opts.NoSync, Ledger: s.db.tellGroup(), Publish: s.publish,
	}, at)
	s.work = newMaintenance(s)
	s.work.pending = l.pending() || s.mu.erased < s.mu.applied
	s.mu.doomed = doomed
	if ids := l.tombs.Len(); ids > 0 {
		s.agedLocked(at.Seq, uint64(ids))
	}
	go s.work.loop()
	return nil
}

func (l *loader) read() (wal.Position, error) {
	past, err := l.cat.mapKeys(l.mapKey)
	if err != nil {
		return wal.Position{}, err
	}
	l.past = past
	m, err := l.db.readManifest(l.cat)
	if err != nil {
		return wal.Position{}, err
	}
	pin := &l.cat.record.Pin
	if m.Start.Group < pin.Group || m.Start.Group == pin.Group && m.Start.Head != pin.Head {
		return wal.Position{}, fault.Corrupt(fmt.Sprintf("manifest of index %q", l.cat.name), 0, "begins at group %d of the log, the epoch at group %d: %w", m.Start.Group, pin.Group, fault.ErrDamaged)
	}
	l.manifest = m
	l.mu.dim.fix(l.cat.record.Dimension)
	if !l.mu.dim.fix(m.Dimension) {
		return wal.Position{}, fault.Corrupt("manifest", 0, "dimension %d in an index of %d: %w", m.Dimension, l.cat.record.Dimension, fault.ErrDamaged)
	}
	for i := range m.Segments {
		if err := l.segment(&m.Segments[i]); err != nil {
			return wal.Position{}, err
		}
	}
	at, err := l.replay()
	if err == nil {
		at, err = l.missing(at)
	}
	if err != nil {
		return at, err
	}
	l.mu.published = at
	l.mu.expires = earliest(l.open, l.sealed)
	for i := range l.open {
		l.uncovered(l.open[i].mem)
		l.recount(&l.open[i])
	}
	if l.tombs.Len()+len(l.mu.fresh)+len(l.open) > 0 {
		// Nobody knows how long it has waited: it is due now.
		l.mu.since = time.Now().Add(-l.db.opts.PurgeWithin)
	}
	return at, nil
}

// pending tells whether dead extents wait to be overwritten.
func (l *loader) pending() bool {
	for _, x := range l.sealed {
		if len(x.dead.Pending) > 0 {
			return true
		}
	}
	for _, o := range l.open {
		if len(o.dead.Pending) > 0 {
			return true
		}
	}
	return false
}

// segment opens one segment of the manifest.
func (l *loader) segment(seg *compaction.Segment) error {
	dead, err := l.db.readDead(l.cat.id, seg)
	if err != nil {
		return err
	}
	if dead.Entries != seg.DeadEntries || dead.Bytes != seg.DeadBytes {
		return fault.Corrupt("dead record of segment "+seg.ID.String(), 0, "figures are not the manifest's: %w", fault.ErrDamaged)
	}
	path := l.db.segmentPath(l.cat.id, seg.ID)
	file, err := segment.Open(l.db.opts.FS, path, segment.Identity{Index: l.cat.id, Segment: seg.ID})
	if err != nil {
		return missing(path, err)
	}
	if !file.SealedTo(crypto.Sum(l.cat.record.Reader)) {
		// So it is where somebody has put back the records of an epoch that is
		// over: what is written on in it would be sealed to who has been revoked.
		file.Release()
		return fault.Corrupt(path, 0, "no header slot is sealed to the reader key of epoch %d: %w", l.cat.record.Epoch, fault.ErrDamaged)
	}
	if seg.Sealed {
		table, err := l.table(seg, file)
		if err == nil && (table.DataEnd() != seg.DataEnd || table.Entries() != int(seg.Entries)) {
			err = fault.Corrupt(path, int64(seg.Footer.Off), "figures are not the manifest's: %w", fault.ErrDamaged)
		}
		if err != nil {
			file.Release()
			return err
		}
		l.sealed = append(l.sealed, sealedSegment{newSealed(seg.ID, seg.Epoch, seg.DEK, file, table), dead})
		return nil
	}
	return l.openSegment(seg, path, file, dead)
}

// missing is an error of a segment file that a manifest lists: that it is not there is
// damage.
func missing(path string, err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return fault.Corrupt(path, 0, "is missing, the manifest lists it: %w", fault.ErrDamaged)
	}
	return err
}

// table opens a segment's index with the map key of the epoch in which it was
// written.
func (l *loader) table(seg *compaction.Segment, file *segment.File) (*segment.Table, error) {
	key, ok := l.past[seg.Epoch]
	if seg.Epoch == l.cat.record.Epoch {
		key, ok = l.mapKey, true
	}
	if !ok {
		return nil, fault.Corrupt(file.Path(), int64(seg.Footer.Off), "index of epoch %d, whose record is not there: %w", seg.Epoch, fault.ErrDamaged)
	}
	return segment.OpenTable(file, seg.Footer, key, seg.DEK, l.cat.footerWriter(seg.ID, seg.DEK))
}

func (l *loader) openSegment(seg *compaction.Segment, path string, file *segment.File, dead *compaction.Dead) error {
	size, err := file.Size()
	if err != nil {
		file.Release()
		return err
	}
	mem := newMemtable(seg.ID, seg.Epoch, seg.DEK, path, file)
	mem.retired.Store(true)
	// A crash may have taken the end of the file: rows that nobody had synced
	// and that are dead.
	mem.dataEnd = max(uint64(size), segment.DataStart, pendingEnd(dead))
	if !dead.Rows.IsEmpty() {
		mem.rows = dead.Rows.Maximum() + 1
	}
	l.mems[seg.ID], l.dead[seg.ID] = mem, dead
	l.open = append(l.open, openSegment{mem, dead})
	return nil
}

// replay publishes what the log holds: rows of open segments, tombstones that
// are not in dead records yet.
func (l *loader) replay() (wal.Position, error) {
	m := l.manifest
	before := m.Start
	src := wal.Source{DB: l.db.meta, Index: l.cat.id, Writer: l.cat.writer, MapKey: func(epoch uint64) (crypto.Secret, bool) {
		return l.mapKey, epoch == l.cat.record.Epoch
	}}
	at, err := wal.Replay(src, m.Start, func(at wal.Position, records []wal.Replayed) error {
		if at.Group == m.Applied.Group && at != m.Applied {
			return l.corruptLog(at.Group, "is not the group up to which the manifest has been applied")
		}
		for i := range records {
			if err := l.record(&records[i], before); err != nil {
				return err
			}
		}
		l.loggedLocked(records[0].Session, at, records[0].Bytes)
		before = at
		return nil
	})
	if err == nil && at.Group < m.Applied.Group {
		err = l.corruptLog(at.Group, fmt.Sprintf("is the last, the manifest has applied group %d", m.Applied.Group))
	}
	return at, err
}

func (l *loader) corruptLog(group uint64, what string) error {
	return fault.Corrupt(fmt.Sprintf("log of index %s, group %d", l.cat.id, group), 0, "%s: %w", what, fault.ErrDamaged)
}

// corruptRecord keeps what the decoder says: a newer version is not damage.
func (l *loader) corruptRecord(r *wal.Replayed, err error) error {
	return fault.Corrupt(fmt.Sprintf("log of index %s, group %d", l.cat.id, r.Group), 0, "record %d: %w", r.Seq, err)
}

func (l *loader) record(r *wal.Replayed, before wal.Position) error {
	applied := r.Group <= l.manifest.Applied.Group
	switch r.Kind {
	case wal.KindTombstone, wal.KindExpiry:
		if applied {
			return nil
		}
		return l.delete(r)
	case wal.KindUpsert:
		p, err := decodePlacement(r.Payload, r.Seq)
		if err != nil {
			return l.corruptRecord(r, err)
		}
		if !l.mu.dim.fix(p.dimension) {
			return l.corruptLog(r.Group, "vectors of another dimension")
		}
		for i := range p.parts {
			if id := p.parts[i].segment; !applied && l.mems[id] == nil {
				return l.corruptLog(r.Group, fmt.Sprintf("has rows in segment %s, which the manifest does not list as open", id))
			}
			l.part(&p.parts[i], before, applied)
		}
	default:
		return l.corruptLog(r.Group, fmt.Sprintf("record of unknown kind %d", r.Kind))
	}
	return nil
}

// delete takes a record that deletes: a call's, or that of what has expired.
func (l *loader) delete(r *wal.Replayed) error {
	if r.Kind == wal.KindExpiry {
		each, err := tombstone.DecodeExpiry(r.Payload, r.Seq)
		if err != nil {
			return l.corruptRecord(r, err)
		}
		l.tombs.AddEach(each)
		return nil
	}
	tokens, err := tombstone.DecodeRecord(r.Payload)
	if err != nil {
		return l.corruptRecord(r, err)
	}
	l.tombs.Add(r.Seq, tokens)
	return nil
}

// part publishes the rows of one segment. Rows of a segment that is sealed, or
// gone, stand in indexes, and have been applied.
func (l *loader) part(p *part, before wal.Position, applied bool) {
	mem := l.mems[p.segment]
	for i := range p.entries {
		e := p.entries[i]
		if !applied {
			l.mu.fresh = append(l.mu.fresh, compaction.Event{Token: e.Token, Before: e.Seq})
		}
		if mem == nil {
			continue
		}
		mem.rows = max(mem.rows, e.Row+1)
		l.covered[mem.id] = append(l.covered[mem.id], e.Extent())
		if !l.dead[mem.id].Contains(e.Row) {
			mem.put(e, before)
		} else {
			mem.begin(before)
			l.buried[mem.id] += e.Extent().Len
		}
	}
}

// recount takes off a dead set what uncovered declares dead once more, because
// the log has nothing of it.
func (l *loader) recount(o *openSegment) {
	if o.dead.Generation > 0 {
		d := *o.dead
		d.Bytes = l.buried[o.mem.id]
		o.dead = &d
	}
}

// uncovered marks the space of an open segment that no row of the log covers as
// dead: what calls wrote that never got to their record, and the traces of an
// index that was not installed. Rows that have died already are covered, too:
// the log is kept from the first row of an open segment on.
func (l *loader) uncovered(mem *memtable) {
	extents := l.covered[mem.id]
	slices.SortFunc(extents, func(a, b segment.Extent) int { return cmp.Compare(a.Off, b.Off) })
	at := uint64(segment.DataStart)
	if n := len(extents); n > 0 {
		// Without syncs a crash may have taken rows that the log knows: reading
		// them is an error, and nothing else may stand in their place.
		mem.dataEnd = max(mem.dataEnd, extents[n-1].End())
	}
	for _, x := range append(extents, segment.Extent{Off: mem.dataEnd}) {
		if x.Off > at {
			mem.space = append(mem.space, segment.Extent{Off: at, Len: x.Off - at})
		}
		at = max(at, x.Off+x.Len)
	}
}
