package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"oubliette/engine"
)

func (w *faultWorld) create(name string) {
	who := newEpochState()
	w.ever[name] = who.addTo(w.ever[name])
	next := w.now.with(name, func(map[string]int) {}).openTo(name, who)
	done := w.call("CreateIndex", next, func() (err error) {
		w.ix[name], err = w.db.CreateIndex(context.Background(), name, who.root, engine.IndexConfig{})
		return err
	})
	if !done && !w.failed {
		w.settle(name, w.now, next)
	}
}

// settle finds out whether an index is there after its creation or removal
// answered an error: either may have gone through and then met a fault.
func (w *faultWorld) settle(name string, without, with *crashModel) {
	names, err := w.db.ListIndexes()
	if err != nil {
		w.errorf("ListIndexes: %v", err)
	}
	if w.now = without; slices.Contains(names, name) {
		w.now = with
		w.paused(func() {
			if w.ix[name], err = w.db.LoadIndex(context.Background(), name, w.root(name)); err != nil {
				w.errorf("load of %s: %v", name, err)
			}
		})
	}
}

func (w *faultWorld) drop(name string) {
	if w.ix[name] == nil {
		return
	}
	before, next := w.now, w.now.without(name)
	done := w.call("DeleteIndex", next, func() error {
		return w.db.DeleteIndex(context.Background(), name, before.who[name].root)
	})
	if !done && !w.failed {
		w.settle(name, next, before)
		w.undead = w.now == next // gone, but its files are left to the next Open
	}
	delete(w.ix, name)
}

func (w *faultWorld) upsert(name string, ids ...string) {
	if w.ix[name] == nil {
		return
	}
	version := w.next
	w.next++
	items := make([]engine.Item, len(ids))
	for i, id := range ids {
		items[i] = crashItem(id, version)
	}
	next := w.now.with(name, func(m map[string]int) {
		for _, id := range ids {
			if m[id] = version; crashExpires(id) && w.late() {
				delete(m, id)
			}
		}
	})
	if w.call("Upsert", next, func() error { return w.ix[name].Upsert(context.Background(), items, w.who()...) }) {
		w.note(name, slices.DeleteFunc(ids, func(id string) bool { return crashExpires(id) && w.late() }))
	}
}

// note notes sealed bytes of items.
func (w *faultWorld) note(name string, ids []string) {
	w.paused(func() {
		rows, err := w.ix[name].SealedRows(context.Background(), ids, w.root(name))
		for try := 0; err != nil && try < 20; try++ { // moved meanwhile
			time.Sleep(time.Millisecond)
			rows, err = w.ix[name].SealedRows(context.Background(), ids, w.root(name))
		}
		if err != nil {
			w.errorf("sealed bytes of %v: %v", ids, err)
		}
		for _, row := range rows {
			w.notes.add(crashVersion{name, row.ID, w.now.indexes[name][row.ID]}, row.Bytes)
		}
	})
}

func (w *faultWorld) delete(name string, ids ...string) {
	if w.ix[name] == nil {
		return
	}
	next := w.now.with(name, func(m map[string]int) {
		for _, id := range ids {
			delete(m, id)
		}
	})
	n := len(w.now.indexes[name]) - len(next.indexes[name])
	found := crashReceipt{index: name, least: n, most: n}
	if w.late() { // what has expired, and is not known to have, may be among them
		found.most = len(ids)
	}
	done := w.call("Delete", next, func() (err error) {
		found.receipt, err = w.ix[name].Delete(context.Background(), ids, w.who()...)
		return err
	})
	if done {
		w.now = w.now.acknowledged(found)
	}
}

func (w *faultWorld) purge(name string, opts ...engine.OpOption) bool {
	return w.ix[name] == nil || w.call("Purge", w.now, func() error {
		_, err := w.ix[name].Purge(context.Background(), w.who(opts...)...)
		return err
	})
}

func (w *faultWorld) compact(name string) bool {
	return w.ix[name] == nil || w.call("Compact", w.now, func() error {
		return w.ix[name].Compact(context.Background(), w.who()...)
	})
}

// get reads what lives and what does not. A wrong answer is never right; an
// error is, while reads fail.
func (w *faultWorld) get(name string) {
	if w.ix[name] == nil {
		return
	}
	ids := crashIDs("s", 0, 30)
	var have []engine.Item
	var err error
	crashTimed(w.t, 30*time.Second, w.String()+": Get", func() {
		have, err = w.ix[name].Get(context.Background(), ids, engine.AllFields)
	})
	if err != nil {
		w.errs = append(w.errs, fmt.Errorf("Get: %w", err))
		if !w.in.reads {
			w.errorf("Get fails: %v", err)
		}
		if errors.Is(err, engine.ErrCorrupt) {
			w.errorf("a read that failed is called corrupt: %v", err)
		}
		return
	}
	if w.maybe != nil {
		return // not told which of the two it shows
	}
	for _, it := range have {
		if v, ok := w.now.indexes[name][it.ID]; !ok || !equal(it, crashItem(it.ID, v)) {
			w.errorf("Get of %q answers %.60s", it.ID, it.Metadata)
		}
	}
	n := 0
	for _, id := range ids {
		if _, ok := w.now.indexes[name][id]; ok {
			n++
		}
	}
	if n != len(have) {
		w.errorf("Get answers %d items of %d", len(have), n)
	}
}

// change changes who may what.
func (w *faultWorld) change(name string, c epochChange) {
	if w.ix[name] == nil {
		return
	}
	from := w.now.who[name]
	to := c.next(from)
	w.ever[name] = to.addTo(w.ever[name])
	next := w.now.openTo(name, to)
	done := w.call(c.what, next, func() error { return c.run(w.ix[name], from, to) })
	if w.failed {
		return // reads go on with the keys from before
	}
	if !done {
		w.settleWho(name, next)
	}
	w.load(name)
}

// settleWho finds out who may what after a change of that answered an error: it may
// have gone through and then met a fault.
func (w *faultWorld) settleWho(name string, next *crashModel) {
	w.paused(func() {
		v := w.verifier()
		before := v.opens(w.db, name, w.now.who[name])
		after := v.opens(w.db, name, next.who[name])
		switch {
		case after == nil:
			w.now = next
		case before != nil:
			w.errorf("neither who could (%v) nor who is to (%v) opens %s", before, after, name)
		}
	})
}

// expire lets the time come at which items expire.
func (w *faultWorld) expire() {
	w.clock.Store(expiry)
	w.now, w.maybe = w.now.expired(), w.maybe.expired()
}

func (w *faultWorld) late() bool { return w.clock.Load() >= expiry }

// backup takes a backup, and where faults are to meet a Restore, makes a store of it
// beside this one: a Restore that fails has left none, and is made again when the
// fault is over.
func (w *faultWorld) backup() {
	var b bytes.Buffer
	if w.db == nil || !w.call("Backup", w.now, func() error { return w.db.Backup(context.Background(), &b) }) || w.in.part != faultCopy {
		return
	}
	c := &crashCopy{dir: faultCopy, stream: b.Bytes(), is: w.now.withCopy(nil)}
	var err error
	crashTimed(w.t, 30*time.Second, w.String()+": Restore", func() {
		err = engine.RestoreWith(context.Background(), bytes.NewReader(c.stream), c.dir, &engine.Options{FS: w.opts.FS})
	})
	w.now = w.now.withCopy(c)
	switch {
	case err == nil:
		return
	case w.in.hasFired() == "":
		w.errorf("Restore without any fault: %v", err)
	case exists(w.mem, c.dir) && !strings.Contains(err.Error(), "the store is in "+c.dir):
		w.errorf("Restore failed (%v), and there is a store", err)
	case !exists(w.mem, c.dir):
		if again := c.again(w.mem); again != nil {
			w.errorf("Restore when the fault is over: %v (it was: %v)", again, err)
		}
	}
}
