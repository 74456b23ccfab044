package engine

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"time"

	"oubliette/compaction"
	"oubliette/crypto"
	"oubliette/internal/archive"
	"oubliette/internal/meta"
	"oubliette/segment"
)

// copied is how much of a segment file has been written to the stream.
type copied struct {
	sent   uint64
	closed bool        // it had its index when all of it was sent: nothing comes behind
	header crypto.Hash // SHA-256 of the header slots as they were sent
}

// listedSegment is a segment that an index's manifest lists.
type listedSegment struct {
	archive.Segment
	path    string
	sealed  bool
	dataEnd uint64
}

// work is a run of a file that is to be copied.
type work struct {
	listedSegment
	from, to uint64
}

// tailLimit is how much the last step may have to read: it holds overwrites up
// for as long as that takes. At twice as much it is put off.
var tailLimit uint64 = 4 << 20

// roundPause is how long a round waits in which there was nothing to copy.
const roundPause = 5 * time.Millisecond

// run copies until little is left, and then the rest.
func (b *backup) run(w io.Writer) error {
	b.out = archive.NewWriter(w)
	for {
		todo, size, err := b.survey()
		if err != nil {
			return err
		}
		if size <= tailLimit {
			if done, err := b.last(); done || err != nil {
				return err
			}
		}
		for i := range todo {
			if err := b.copyFile(&todo[i]); err != nil {
				return err
			}
		}
		if len(todo) == 0 { // it waits for calls under way
			select {
			case <-b.ctx.Done():
				return context.Cause(b.ctx)
			case <-time.After(roundPause):
			}
		}
	}
}

// survey is what can be copied now: of what the indexes list at this moment, all
// that has not been copied and that nobody is writing.
func (b *backup) survey() (todo []work, size uint64, err error) {
	snap, err := b.db.meta.Snapshot()
	if err != nil {
		return nil, 0, err
	}
	segments, err := b.listed(snap)
	if err = errors.Join(err, snap.Close()); err != nil {
		return nil, 0, err
	}
	for _, x := range segments {
		if err := context.Cause(b.ctx); err != nil {
			return nil, 0, err
		}
		end, err := b.settled(&x)
		if errors.Is(err, os.ErrNotExist) {
			continue // it has gone since; if not, the last step says so
		}
		if err != nil {
			return nil, 0, err
		}
		if from := b.from(&x); from < end {
			todo = append(todo, work{x, from, end})
			size += end - from
		}
	}
	return todo, size, nil
}

// listed is every segment of every index, as verified manifests list them.
func (b *backup) listed(from records) (out []listedSegment, err error) {
	all, err := loadCatalogue(from)
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		c := all[name]
		if c.err != nil {
			return nil, c.err
		}
		m, err := readManifest(from, c)
		if err != nil {
			return nil, err
		}
		for i := range m.Segments {
			out = append(out, b.listedSegment(c.id, &m.Segments[i]))
		}
	}
	return out, nil
}

func (b *backup) listedSegment(index crypto.IndexID, seg *compaction.Segment) listedSegment {
	return listedSegment{archive.Segment{Index: index, ID: seg.ID}, b.db.segmentPath(index, seg.ID), seg.Sealed, seg.DataEnd}
}

// of is what is known of a segment's copy.
func (b *backup) of(s archive.Segment) *copied {
	c := b.files[s]
	if c == nil {
		c = new(copied)
		b.files[s] = c
	}
	return c
}

// from is where copying a segment goes on. What was copied behind the rows of one
// that had no index then may be half of an index, or of one that came to nothing.
func (b *backup) from(x *listedSegment) uint64 {
	c := b.of(x.Segment)
	if x.sealed && !c.closed {
		return min(c.sent, x.dataEnd)
	}
	return c.sent
}

// settled is up to where a segment's file does not change any more, but by an
// erasure: with an index, or when a crash has left it without one, all of it; of one
// that takes rows what is in front of those under way. A segment that its index
// does not show yet, or that is with an index on its way to another view, waits.
func (b *backup) settled(x *listedSegment) (uint64, error) {
	info, err := b.db.opts.FS.Stat(x.path)
	if err != nil {
		return 0, err
	}
	size := uint64(info.Size())
	b.db.mu.Lock()
	s := b.db.mu.states[x.Index]
	b.db.mu.Unlock()
	if x.sealed || s == nil {
		return size, nil
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.mu.view == nil {
		return size, nil // being read: it takes no rows
	}
	for i := range s.mu.view.open {
		if mem := s.mu.view.open[i].mem; mem.id != x.ID {
			continue
		} else if mem.writer != nil {
			return min(size, mem.writer.Settled()), nil
		} else {
			return min(size, mem.dataEnd), nil
		}
	}
	return 0, nil
}

// copyFile streams a run of a file. A file that has gone is not listed any more
// in the end.
func (b *backup) copyFile(x *work) error {
	f, err := b.db.opts.FS.Open(x.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	c := b.of(x.Segment)
	buf := make([]byte, min(archive.MaxPiece, x.to-x.from))
	for x.from < x.to {
		if err := context.Cause(b.ctx); err != nil {
			return err
		}
		n := min(uint64(len(buf)), x.to-x.from)
		if err := readRun(f, x.path, buf[:n], x.from); err != nil {
			return err
		}
		if x.from == 0 && n >= segment.DataStart {
			c.header = sha256.Sum256(buf[:segment.DataStart])
		}
		if err := b.out.Piece(x.Segment, x.from, buf[:n]); err != nil {
			return err
		}
		x.from += n
	}
	c.sent, c.closed = x.to, x.sealed
	return nil
}

func readRun(f io.ReaderAt, path string, b []byte, off uint64) error {
	if n, err := f.ReadAt(b, int64(off)); n != len(b) {
		return fmt.Errorf("read %s: %d of %d bytes at offset %d: %w", path, n, len(b), off, errors.Join(err, io.ErrUnexpectedEOF))
	}
	return nil
}

// piece is a run of a segment that has been read.
type piece struct {
	archive.Segment
	off uint64
	b   []byte
}

// last takes the snapshot and ends the stream with what it speaks of (see
// backup), unless too much has come meanwhile: then done is false.
func (b *backup) last() (done bool, err error) {
	snap, segments, pieces, err := b.moment()
	if err != nil || snap == nil {
		return false, err
	}
	defer snap.Close()
	b.db.unpinned() // moment has taken the pin away
	for i := range pieces {
		if err := b.out.Piece(pieces[i].Segment, pieces[i].off, pieces[i].b); err != nil {
			return false, err
		}
		pieces[i].b = nil
	}
	for i := range segments {
		if err := b.out.File(segments[i].Segment, b.of(segments[i].Segment).sent); err != nil {
			return false, err
		}
	}
	if err := snap.Scan(nil, nil, b.out.Record); err != nil {
		return false, err
	}
	// What a database shows that has failed may not be what was written.
	if err := b.db.meta.Err(); err != nil {
		return false, err
	}
	return true, b.out.Close()
}

// moment takes the snapshot and reads what has not been copied of the segments
// that it lists, both with the gate held. On success the pin is gone with the
// gate: the snapshot lists what the pin has kept. snap is nil when it would be
// too much.
func (b *backup) moment() (snap *meta.Snapshot, segments []listedSegment, pieces []piece, err error) {
	db := b.db
	db.gate.Lock()
	defer db.gate.Unlock()
	if err := db.meta.Err(); err != nil {
		return nil, nil, nil, err
	}
	if snap, err = db.meta.Snapshot(); err != nil {
		return nil, nil, nil, err
	}
	fits := false
	if segments, err = b.listed(snap); err == nil {
		pieces, fits, err = b.tails(segments)
	}
	if err != nil || !fits {
		return nil, nil, nil, errors.Join(err, snap.Close())
	}
	db.gate.pinned.Store(nil)
	return snap, segments, pieces, nil
}

// tails reads what the files have that has not been copied, up to their end: what
// lies behind the last row that the snapshot knows counts as nothing.
func (b *backup) tails(segments []listedSegment) (pieces []piece, fits bool, err error) {
	var size uint64
	todo := make([]work, len(segments))
	for i := range segments {
		x := &segments[i]
		info, err := b.db.opts.FS.Stat(x.path)
		if err != nil {
			return nil, false, err
		}
		todo[i] = work{*x, b.from(x), uint64(info.Size())}
		size += todo[i].to - min(todo[i].to, todo[i].from)
	}
	if size > 2*tailLimit {
		return nil, false, nil
	}
	for i := range todo {
		if err := b.tail(&todo[i], &pieces); err != nil {
			return nil, false, err
		}
	}
	return pieces, true, nil
}

// tail reads one file's header slots, if they have changed, and what follows what
// has been copied.
func (b *backup) tail(x *work, pieces *[]piece) error {
	f, err := b.db.opts.FS.Open(x.path)
	if err != nil {
		return err
	}
	defer f.Close()
	read := func(off, n uint64) error {
		p := piece{x.Segment, off, make([]byte, n)}
		*pieces = append(*pieces, p)
		return readRun(f, x.path, p.b, off)
	}
	c := b.of(x.Segment)
	if header := make([]byte, segment.DataStart); x.from > 0 {
		if err := readRun(f, x.path, header, 0); err != nil {
			return err
		}
		if sha256.Sum256(header) != c.header {
			*pieces = append(*pieces, piece{x.Segment, 0, header})
		}
	}
	for x.from < x.to {
		n := min(archive.MaxPiece, x.to-x.from)
		if err := read(x.from, n); err != nil {
			return err
		}
		x.from += n
	}
	c.sent, c.closed = x.to, x.sealed
	return nil
}
