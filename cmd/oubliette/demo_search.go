package main

import (
	"context"
	"fmt"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/internal/residue"
)

// pieceSize is how finely sealed bytes are cut up for the search: of a field
// that survives in part, every run of 31 bytes is found.
const pieceSize = 16

// noted is what the demo searches for, in this order: pieces of the sealed
// bytes of the deleted items, of the control's, and values in the clear.
type noted struct {
	searcher *residue.Searcher
	deleted  int // needles
	control  int
}

// note reads the sealed bytes of the items to be deleted and of the control
// where they stand, and gathers both groups' values in the clear.
func (d *demo) note(ctx context.Context) error {
	var needles [][]byte
	add := func(ids []string) (pieces, bytes int, err error) {
		sealed, err := d.ix.SealedBytes(ctx, ids)
		if err != nil {
			return 0, 0, err
		}
		before := len(needles)
		for _, b := range sealed {
			bytes += len(b)
			needles = append(needles, residue.Pieces(b, pieceSize)...)
		}
		return len(needles) - before, bytes, nil
	}
	n, err := &d.report.Noted, error(nil)
	if d.noted.deleted, n.DeletedSize, err = add(d.deletedIDs); err != nil {
		return err
	}
	if d.noted.control, n.ControlSize, err = add(d.controlIDs); err != nil {
		return err
	}
	sealed := len(needles)
	for _, i := range append(d.deleted, d.control...) {
		needles = append(needles, d.plain(i)...)
	}
	if d.noted.searcher, err = residue.NewSearcher(needles); err != nil {
		return err
	}
	n.Deleted, n.Control, n.PieceBytes = len(d.deletedIDs), len(d.controlIDs), pieceSize
	n.PlainValues = d.noted.searcher.Needles() - sealed
	return nil
}

// plain are the item's values as nobody without the key may see them. What is
// too short to be told from chance is left out.
func (d *demo) plain(i int) (values [][]byte) {
	it := d.src.item(i)
	for _, v := range [][]byte{[]byte(it.ID), vectorBytes(it.Vector), it.Contents, it.Metadata} {
		if len(v) >= residue.MinNeedle {
			values = append(values, v)
		}
	}
	return values
}

// search searches every byte of every file of the store.
func (d *demo) search(ctx context.Context, into *demoSearch) error {
	use, err := usageOf(vfs.Default, d.dir)
	if err != nil {
		return err
	}
	bar := d.progress("search", use.total().Bytes, true)
	hits, stats, err := d.noted.searcher.Search(ctx, vfs.Default, d.dir, bar.add)
	bar.done()
	if err != nil {
		return err
	}
	*into = demoSearch{
		Files: stats.Files, Bytes: stats.Bytes, Seconds: stats.Duration.Seconds(), Rate: stats.Rate(),
		DeletedPieces: d.noted.deleted, ControlPieces: d.noted.control,
	}
	times := make(map[int]int)
	for _, h := range hits {
		switch {
		case h.Needle < d.noted.deleted:
			into.DeletedHits++
			d.firstResidue(h)
		case h.Needle < d.noted.deleted+d.noted.control:
			into.ControlHits++
			times[h.Needle]++
		default:
			into.PlainHits++
			d.firstResidue(h)
		}
	}
	for _, n := range times {
		if n == 1 {
			into.ControlOnce++
		}
	}
	if missed := int(stats.Hits) - len(hits); missed > 0 {
		return fmt.Errorf("%s beyond the %s that a search names", count(missed, "hit"), number(residue.MaxHits))
	}
	return nil
}

// firstResidue remembers where the first of the bytes stand that should not.
func (d *demo) firstResidue(h residue.Hit) {
	if d.where == "" {
		d.where = fmt.Sprintf("the first in %s at offset %d", h.Path, h.Offset)
	}
}
