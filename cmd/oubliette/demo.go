package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"time"

	"oubliette/engine"
)

// demo is one run of the demo.
type demo struct {
	*app
	cfg    demoConfig
	src    source
	dir    string
	key    engine.Key
	report demoReport

	db *engine.DB
	ix *engine.Index

	deleted, control       []int // numbers of items
	deletedIDs, controlIDs []string
	gone                   map[string]bool // deletedIDs
	noted                  noted
	where                  string // of the first residue
	deletedAt              time.Time
}

const demoIndex = "default"

// run goes through the steps; each prints what it has found, and a finding that
// must not be is an error.
func (d *demo) run(ctx context.Context) error {
	d.choose()
	for _, step := range []func(context.Context) error{
		d.open, d.fill, d.searchBefore, d.deleteHalfWay, d.waitErased, d.searchAfter, d.reopen, d.verify,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// say prints a line of the report as it comes.
func (d *demo) say(label, format string, args ...any) error {
	if d.json {
		return nil
	}
	return d.printLine(label, format, args...)
}

// choose draws which items are deleted and which are the control: as many, or
// as many as there are.
func (d *demo) choose() {
	rng := rand.New(rand.NewPCG(d.cfg.seed, math.MaxUint64))
	order := rng.Perm(d.cfg.items)
	n := d.cfg.deleted
	d.deleted, d.control = order[:n:n], order[n:min(2*n, len(order))]
	d.gone = make(map[string]bool)
	for _, i := range d.deleted {
		id := d.src.item(i).ID
		d.deletedIDs = append(d.deletedIDs, id)
		d.gone[id] = true
	}
	for _, i := range d.control {
		d.controlIDs = append(d.controlIDs, d.src.item(i).ID)
	}
}

func (d *demo) options() *engine.Options {
	return &engine.Options{PurgeWithin: d.cfg.purgeWithin}
}

// keepKey writes the key beside a store that is kept.
func (d *demo) keepKey(path string) error {
	d.report.Store, d.report.KeyFile = d.dir, path
	return writeKeyFile(path, d.key)
}

// farewell tells where a store that was kept is.
func (d *demo) farewell() error {
	if !d.cfg.keep {
		return nil
	}
	return errors.Join(
		d.say("kept", "oubliette --store %s --key-file %s stat", d.dir, d.report.KeyFile),
		d.say("", "(remove %s when you are done: it holds the key)", filepath.Dir(d.dir)),
	)
}

func (d *demo) open(ctx context.Context) (err error) {
	d.report.Source, d.report.Dimension = d.src.describe(), d.cfg.dimension
	if err := d.say("items", "%s, %s, %s", count(d.cfg.items, "item"), count(d.cfg.dimension, "dimension"), d.src.describe()); err != nil {
		return err
	}
	if d.db, err = engine.Open(d.dir, d.options()); err != nil {
		return err
	}
	d.ix, err = d.db.CreateIndex(ctx, demoIndex, d.key, engine.IndexConfig{Dimension: d.cfg.dimension})
	return err
}

// close closes the store if it is open.
func (d *demo) close() error {
	if d.db == nil {
		return nil
	}
	db := d.db
	d.db = nil
	return db.Close()
}

// fill puts all items in, in batches, and notes what is to be searched for.
func (d *demo) fill(ctx context.Context) error {
	bar := d.progress("upsert", int64(d.cfg.items), false)
	defer bar.done()
	var spent time.Duration // in the store: making the items is not its work
	for at := 0; at < d.cfg.items; {
		var batch []engine.Item
		for size := 0; at < d.cfg.items && len(batch) < defaultBatch && size < maxBatchBytes; at++ {
			it := d.src.item(at)
			batch, size = append(batch, it), size+4*len(it.Vector)+len(it.Contents)
		}
		began := time.Now()
		if err := d.ix.Upsert(ctx, batch); err != nil {
			return err
		}
		spent += time.Since(began)
		bar.add(int64(len(batch)))
	}
	bar.done()
	if err := d.note(ctx); err != nil {
		return err
	}
	d.report.Upsert = demoUpsert{Items: d.cfg.items, Seconds: spent.Seconds(), PerSecond: rate(d.cfg.items, spent)}
	return d.say("upsert", "%s in %s, %s items/s", count(d.cfg.items, "item"), took(spent), number(int(d.report.Upsert.PerSecond)))
}

// searchBefore shows that the search finds what is there.
func (d *demo) searchBefore(ctx context.Context) error {
	s := &d.report.Before
	if err := d.search(ctx, s); err != nil {
		return err
	}
	d.report.Upsert.Files, d.report.Upsert.Bytes = s.Files, s.Bytes
	found := s.DeletedHits + s.ControlHits
	all := s.DeletedPieces + s.ControlPieces
	err := d.say("search", "%s of %s 16-byte pieces of %s items found, %s in the clear (%s in %s)",
		number(found), number(all), number(len(d.deleted)+len(d.control)), number(s.PlainHits), size(s.Bytes), count(s.Files, "file"))
	where := d.where
	d.where = ""
	switch {
	case s.PlainHits > 0:
		return errors.Join(err, fmt.Errorf("%s of items in the clear, %s", count(s.PlainHits, "value"), where))
	case found != all || s.ControlOnce != s.ControlPieces:
		return errors.Join(err, errors.New("the search does not find every piece that is there, each once"))
	}
	return err
}

// deleteHalfWay deletes while an iterator is half-way, and looks at once.
func (d *demo) deleteHalfWay(ctx context.Context) error {
	next, stop := iter.Pull2(d.ix.IDs(ctx))
	defer stop()
	h := &d.report.Hidden
	times := make(map[string]int)
	for h.IteratorBefore = 0; h.IteratorBefore < d.cfg.items/2; h.IteratorBefore++ {
		id, err, ok := next()
		if err != nil || !ok {
			return errors.Join(err, fmt.Errorf("the iterator ended after %s", count(h.IteratorBefore, "item")))
		}
		times[id]++
	}
	began := time.Now()
	r, err := d.ix.Delete(ctx, d.deletedIDs)
	if err != nil {
		return err
	}
	spent := time.Since(began)
	d.report.Delete = demoDelete{IDs: r.Count, Seconds: spent.Seconds(), PerSecond: rate(r.Count, spent), Seq: r.Seq}
	d.report.Erasure.Promised = d.cfg.purgeWithin.Seconds()
	d.deletedAt = began.Add(spent)
	if err := d.say("delete", "%s in one durable call, %s, %s ids/s", count(r.Count, "id"), took(spent), number(int(d.report.Delete.PerSecond))); err != nil {
		return err
	}
	for {
		id, err, ok := next()
		if !ok {
			break
		}
		if err != nil {
			return err
		}
		h.IteratorAfter++
		if d.gone[id] {
			h.IteratorDeleted++
		}
		times[id]++
	}
	return d.lookHidden(ctx, times)
}

// lookHidden holds every way to read against the delete.
func (d *demo) lookHidden(ctx context.Context, times map[string]int) error {
	h := &d.report.Hidden
	got, err := d.ix.Get(ctx, d.deletedIDs, 0)
	if err != nil {
		return err
	}
	h.Get = len(got)
	for id, err := range d.ix.IDs(ctx) {
		if err != nil {
			return err
		}
		h.Listed++
		if d.gone[id] {
			h.ListedDeleted++
		}
	}
	if h.Count, err = d.ix.Count(ctx); err != nil {
		return err
	}
	for id, n := range times {
		if !d.gone[id] && n == 1 {
			h.IteratorSurvived++
		}
	}
	left := d.cfg.items - len(d.deleted)
	err = errors.Join(
		d.say("get", "%s of %s found", number(h.Get), number(len(d.deleted))),
		d.say("iterator", "half-way at the delete; %s of the %s behind it are deleted ones", number(h.IteratorDeleted), count(h.IteratorAfter, "item")),
		d.say("listing", "%s, %s deleted ones among them", count(h.Listed, "item"), number(h.ListedDeleted)),
	)
	if h.Get+h.IteratorDeleted+h.ListedDeleted > 0 || h.Listed != left || h.Count != left || h.IteratorSurvived != left {
		err = errors.Join(err, fmt.Errorf("a read does not show what it should: %s should be left, none of the deleted shown: %+v", count(left, "item"), *h))
	}
	return err
}

// waitErased waits until the store has erased the rows by itself.
func (d *demo) waitErased(ctx context.Context) error {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !d.erased() {
		if d.cfg.skipWait || time.Since(d.deletedAt) > d.cfg.purgeWithin+d.cfg.patience {
			return d.say("erasure", "not done %s behind the delete (promised: within %s)", took(time.Since(d.deletedAt)), d.cfg.purgeWithin)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	e := &d.report.Erasure
	late := ""
	if !e.InTime {
		late = ": LATE"
	}
	return d.say("erasure", "%s, %s overwritten by the store itself, %s behind the delete (promised: within %s)%s",
		count(e.Rows, "row"), size(e.Overwritten), took(time.Duration(e.Seconds*float64(time.Second))), d.cfg.purgeWithin, late)
}

// erased tells whether the store has overwritten all that was deleted, and
// notes its figures.
func (d *demo) erased() bool {
	m := d.db.Metrics().Indexes[demoIndex]
	since := time.Since(d.deletedAt)
	done := m.Died >= uint64(len(d.deleted)) && m.PendingBytes == 0 && m.Tombstones == 0
	e := &d.report.Erasure
	e.Rows, e.Overwritten, e.Seconds = m.Died, m.BytesErased, since.Seconds()
	e.InTime = done && since <= d.cfg.purgeWithin
	return done
}

// searchAfter is the evidence.
func (d *demo) searchAfter(ctx context.Context) error {
	s := &d.report.After
	if err := d.search(ctx, s); err != nil {
		return err
	}
	err := errors.Join(
		d.say("search", "every byte of %s, %s in %s, %s/s", count(s.Files, "file"), size(s.Bytes), took(time.Duration(s.Seconds*float64(time.Second))), size(int64(s.Rate))),
		d.say("  deleted", "%s of %s pieces found", number(s.DeletedHits), number(s.DeletedPieces)),
		d.say("  control", "%s of %s pieces found, each once", number(s.ControlOnce), number(s.ControlPieces)),
		d.say("  in the clear", "%s of %s ids, vectors, contents and metadata found", number(s.PlainHits), number(d.report.Noted.PlainValues)),
	)
	return errors.Join(err, d.judge(s))
}

func (d *demo) judge(s *demoSearch) error {
	switch {
	case s.DeletedHits > 0:
		return fmt.Errorf("%w: %s found, %s", errResidue, count(s.DeletedHits, "piece"), d.where)
	case s.PlainHits > 0:
		return fmt.Errorf("%w: %s of items in the clear, %s", errResidue, count(s.PlainHits, "value"), d.where)
	case !d.report.Erasure.InTime:
		return fmt.Errorf("%w for longer than promised: %s", errResidue, d.cfg.purgeWithin)
	case s.ControlOnce != s.ControlPieces || s.ControlHits != s.ControlPieces:
		return fmt.Errorf("the search proves nothing: of the control's %s it finds %s once, %s in all",
			count(s.ControlPieces, "piece"), number(s.ControlOnce), count(s.ControlHits, "hit"))
	}
	return nil
}

// reopen closes the store and opens it again.
func (d *demo) reopen(ctx context.Context) (err error) {
	if err := d.close(); err != nil {
		return err
	}
	began := time.Now()
	if d.db, err = engine.Open(d.dir, d.options()); err != nil {
		return err
	}
	if d.ix, err = d.db.LoadIndex(ctx, demoIndex, engine.WithIndexKey(d.key)); err != nil {
		return err
	}
	d.report.Reopen.Seconds = time.Since(began).Seconds()
	return nil
}

// verify holds everything that is left against what was put in.
func (d *demo) verify(ctx context.Context) error {
	r := &d.report.Reopen
	got, err := d.ix.Get(ctx, d.deletedIDs, 0)
	if err != nil {
		return err
	}
	r.Get = len(got)
	numbers := make(map[string]int, d.cfg.items)
	for i := range d.cfg.items {
		numbers[d.src.item(i).ID] = i
	}
	bar := d.progress("verify", int64(d.cfg.items), false)
	defer bar.done()
	for it, err := range d.ix.Items(ctx, engine.AllFields) {
		if err != nil {
			return err
		}
		r.Items++
		if i, ok := numbers[it.ID]; ok && !d.gone[it.ID] && sameItem(it, d.src.item(i)) {
			r.Equal++
			delete(numbers, it.ID) // one that came twice would not be equal again
		}
		bar.add(1)
	}
	bar.done()
	left := d.cfg.items - len(d.deleted)
	err = d.say("reopened", "%s of the deleted found; %s of %s items left are whole, bit for bit", number(r.Get), number(r.Equal), number(left))
	if r.Get > 0 || r.Items != left || r.Equal != left {
		err = errors.Join(err, fmt.Errorf("after reopening: %s of the deleted found, %s there, %d of %d equal to what was put in", number(r.Get), count(r.Items, "item"), r.Equal, left))
	}
	return err
}

// sameItem compares two items in every field, vectors bit for bit.
func sameItem(a, b engine.Item) bool {
	return a.ID == b.ID && bytes.Equal(a.Contents, b.Contents) && bytes.Equal(a.Metadata, b.Metadata) &&
		slices.EqualFunc(a.Vector, b.Vector, func(x, y float32) bool { return math.Float32bits(x) == math.Float32bits(y) })
}
