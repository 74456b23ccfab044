package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/engine"
)

// crashWorld runs calls against a store and keeps the oracle beside it.
type crashWorld struct {
	t     testing.TB
	rec   *crashRecorder
	opts  engine.Options
	db    *engine.DB
	ix    map[string]*engine.Index
	keys  map[string]engine.Key   // root's, by index
	ever  map[string][]epochLogin // every key that ever opened an index of that name, or was to
	as    *epochLogin             // who calls, with keys on each call; nil: root, by a handle bound to its key
	seq   map[string]uint64       // of the last upsert or delete of an index
	notes *crashNotes
	next  int // version of the next upsert
	// onCall, if any, is told of what each call is to make of the store.
	onCall func(*crashModel)
	// expiring, if any, is a clock; at its expiry items expire. From then on
	// maintenance writes records of its own, and calls can't be numbered by counting.
	expiring *testClock
}

// late tells whether items have expired.
func (w *crashWorld) late() bool { return w.expiring != nil && w.expiring.Load() >= expiry }

// crashOptions keep a ledger, on the same disk: what crashes with the store is
// behind it by one group at most.
func crashOptions(fs vfs.FS) engine.Options {
	return engine.Options{FS: fs, PurgeWithin: time.Hour, SegmentSize: 64 << 10, Ledger: engine.LedgerFile(fs, crashLedger)}
}

func newCrashWorld(t testing.TB, rec *crashRecorder, fs vfs.FS) *crashWorld {
	return &crashWorld{
		t: t, rec: rec, opts: crashOptions(fs), ix: make(map[string]*engine.Index),
		keys: make(map[string]engine.Key), ever: make(map[string][]epochLogin),
		seq: make(map[string]uint64), notes: newCrashNotes(), next: 1,
	}
}

// verifier holds images of this world against the oracle.
func (w *crashWorld) verifier() *crashVerifier {
	return &crashVerifier{ever: w.ever, notes: w.notes, clock: w.expiring}
}

// call runs one call that makes next of the store.
func (w *crashWorld) call(what string, next *crashModel, run func() error) {
	w.t.Helper()
	w.rec.begin(what, next)
	if w.onCall != nil {
		w.onCall(next)
	}
	if err := run(); err != nil {
		w.t.Fatalf("%s: %v", what, err)
	}
	w.rec.end(next)
	w.noteAll()
}

func (w *crashWorld) open() {
	w.t.Helper()
	w.openStore()
	for name := range w.rec.now.indexes {
		w.load(name)
	}
}

func (w *crashWorld) openStore() {
	w.t.Helper()
	w.call("open", w.rec.now, func() (err error) {
		w.db, err = engine.Open(storeDir, &w.opts)
		return err
	})
}

// load binds the handle of an index to root's key.
func (w *crashWorld) load(name string) {
	w.t.Helper()
	w.call("load "+name, w.rec.now, func() (err error) {
		w.ix[name], err = w.db.LoadIndex(context.Background(), name, engine.WithIndexKey(w.keys[name]))
		return err
	})
}

// openKeyless opens the store and loads every index without a key: only calls by
// somebody go through its handles.
func (w *crashWorld) openKeyless() {
	w.t.Helper()
	w.openStore()
	for name := range w.rec.now.indexes {
		w.call("load "+name+" without a key", w.rec.now, func() (err error) {
			w.ix[name], err = w.db.LoadIndex(context.Background(), name)
			return err
		})
	}
}

// by lets somebody make calls.
func (w *crashWorld) by(l epochLogin, calls func()) {
	w.as = &l
	defer func() { w.as = nil }()
	calls()
}

// user is a login of an index as it is now.
func (w *crashWorld) user(name string, n byte) epochLogin {
	return w.rec.now.who[name].users[userID(n)]
}

// who is what a call brings.
func (w *crashWorld) who(opts ...engine.OpOption) []engine.OpOption {
	if w.as == nil {
		return opts
	}
	return append(w.as.opts(), opts...)
}

// said is what a call is called.
func (w *crashWorld) said(format string, args ...any) string {
	what := fmt.Sprintf(format, args...)
	if w.as != nil {
		what += fmt.Sprintf(", by %v", w.as)
	}
	return what
}

func (w *crashWorld) close() {
	w.t.Helper()
	w.rec.begin("close", w.rec.now)
	must(w.t, w.db.Close())
	w.rec.end(w.rec.now)
	clear(w.ix)
}

func (w *crashWorld) create(name string) {
	w.t.Helper()
	if w.keys[name].IsZero() {
		w.keys[name] = engine.NewKey()
	}
	who := &epochState{root: w.keys[name], users: make(map[engine.UserID]epochLogin)}
	w.ever[name] = who.addTo(w.ever[name])
	w.seq[name] = 0
	for v := range w.notes.died {
		if v.index == name {
			delete(w.notes.died, v) // numbered by an earlier index of that name
		}
	}
	next := w.rec.now.with(name, func(map[string]int) {}).openTo(name, who)
	w.call("create "+name, next, func() (err error) {
		w.ix[name], err = w.db.CreateIndex(context.Background(), name, w.keys[name], engine.IndexConfig{})
		return err
	})
}

func (w *crashWorld) drop(name string) {
	w.t.Helper()
	delete(w.ix, name)
	w.call("delete index "+name, w.rec.now.without(name), func() error {
		return w.db.DeleteIndex(context.Background(), name, w.keys[name])
	})
	delete(w.keys, name) // another index of that name gets another
}

// change changes who may what of an index.
func (w *crashWorld) change(name string, c epochChange) {
	w.t.Helper()
	from := w.rec.now.who[name]
	to := c.next(from)
	w.ever[name] = to.addTo(w.ever[name])
	w.call(c.what+" in "+name, w.rec.now.openTo(name, to), func() error {
		if err := c.run(w.ix[name], from, to); err != nil {
			return err
		}
		w.keys[name] = to.root // by which what is sealed now is noted
		return nil
	})
	w.load(name)
}

func (w *crashWorld) upsert(name string, ids ...string) {
	w.t.Helper()
	version := w.next
	w.next++
	items := make([]engine.Item, len(ids))
	for i, id := range ids {
		items[i] = crashItem(id, version)
	}
	next := w.rec.now.with(name, func(m map[string]int) {
		for _, id := range ids {
			if m[id] = version; crashExpires(id) && w.late() {
				delete(m, id)
			}
		}
	})
	w.seq[name]++
	w.dies(name, ids)
	w.call(w.said("upsert of %d into %s", len(ids), name), next, func() error {
		return w.ix[name].Upsert(context.Background(), items, w.who()...)
	})
}

func (w *crashWorld) delete(name string, ids ...string) {
	w.t.Helper()
	next := w.rec.now.with(name, func(m map[string]int) {
		for _, id := range ids {
			delete(m, id)
		}
	})
	n := len(w.rec.now.indexes[name]) - len(next.indexes[name])
	found := crashReceipt{index: name, ids: ids, least: n, most: n}
	if w.late() { // what has expired, and is not known to have, may be among them
		found.most = len(ids)
	}
	w.seq[name]++
	w.dies(name, ids)
	w.call(w.said("delete of %d from %s", len(ids), name), next, func() (err error) {
		found.receipt, err = w.ix[name].Delete(context.Background(), ids, w.who()...)
		if err == nil && !w.late() && found.receipt.Seq != w.seq[name] {
			err = fmt.Errorf("sequence number %d, counted are %d calls", found.receipt.Seq, w.seq[name])
		}
		return err
	})
	w.rec.is(w.rec.now.acknowledged(found))
}

// dies notes at what sequence number versions die.
func (w *crashWorld) dies(name string, ids []string) {
	if w.late() {
		return
	}
	for _, id := range ids {
		if v, ok := w.rec.now.indexes[name][id]; ok {
			w.notes.died[crashVersion{name, id, v}] = w.seq[name]
		}
	}
}

func (w *crashWorld) purge(name string) {
	w.t.Helper()
	w.call(w.said("purge %s", name), w.rec.now, func() error {
		_, err := w.ix[name].Purge(context.Background(), w.who()...)
		return err
	})
}

func (w *crashWorld) purgeRewrite(name string) {
	w.t.Helper()
	w.call(w.said("purge with rewrite %s", name), w.rec.now, func() error {
		_, err := w.ix[name].Purge(context.Background(), w.who(engine.WithRewrite())...)
		return err
	})
}

func (w *crashWorld) compact(name string) {
	w.t.Helper()
	w.call(w.said("compact %s", name), w.rec.now, func() error {
		return w.ix[name].Compact(context.Background(), w.who()...)
	})
}

// backup takes a backup, and restore makes a store of it beside this one.
func (w *crashWorld) backup() *crashCopy {
	w.t.Helper()
	var b bytes.Buffer
	w.call("backup", w.rec.now, func() error { return w.db.Backup(context.Background(), &b) })
	return &crashCopy{dir: "/copy", stream: b.Bytes(), is: w.rec.now.withCopy(nil)}
}

func (w *crashWorld) restore(c *crashCopy) {
	w.t.Helper()
	w.call("restore", w.rec.now.withCopy(c), func() error {
		return engine.RestoreWith(context.Background(), bytes.NewReader(c.stream), c.dir, &engine.Options{FS: w.opts.FS})
	})
}

// forget takes the copy away, behind the back of the recorder: nobody says how a
// store is removed.
func (w *crashWorld) forget(c *crashCopy) {
	w.t.Helper()
	must(w.t, w.rec.mem.RemoveAll(c.dir))
	root, err := w.rec.mem.OpenDir("/")
	must(w.t, err)
	must(w.t, errors.Join(root.Sync(), root.Close()))
	w.rec.is(w.rec.now.withCopy(nil))
}

// crashCancel is a context that ends when told, between two looks at it.
type crashCancel struct {
	context.Context
	ended atomic.Bool
}

func (c *crashCancel) Err() error {
	if c.ended.Load() {
		return context.Canceled
	}
	return nil
}

// aborted is an upsert that is given up when its first rows have been written
// and not synced: dead space of no row.
func (w *crashWorld) aborted(name string) {
	w.t.Helper()
	ctx := &crashCancel{Context: context.Background()}
	w.rec.mu.Lock()
	w.rec.onWrite = func(path string) {
		if strings.HasSuffix(path, ".seg") {
			ctx.ended.Store(true)
		}
	}
	w.rec.mu.Unlock()
	w.rec.begin("aborted upsert into "+name, w.rec.now)
	filler := make([]byte, 8<<20) // compresses to next to nothing
	err := w.ix[name].Upsert(ctx, []engine.Item{
		crashItem("abandoned", w.next), {ID: "filler", Contents: filler}, crashItem("never", w.next),
	})
	if !errors.Is(err, context.Canceled) {
		w.t.Fatalf("aborted upsert: %v, want it cancelled", err)
	}
	w.next++
	w.rec.mu.Lock()
	w.rec.onWrite = nil
	w.rec.mu.Unlock()
	w.rec.end(w.rec.now)
}

// noteAll notes the sealed bytes of everything that lives, where it stands now.
func (w *crashWorld) noteAll() {
	w.t.Helper()
	for name, ix := range w.ix {
		ids := make([]string, 0)
		for id := range w.rec.now.indexes[name] {
			ids = append(ids, id)
		}
		if len(ids) == 0 {
			continue
		}
		rows, err := ix.SealedRows(context.Background(), ids, w.looker(name)...)
		for try := 0; err != nil && try < 10; try++ { // moved meanwhile
			rows, err = ix.SealedRows(context.Background(), ids, w.looker(name)...)
		}
		must(w.t, err)
		for _, row := range rows {
			w.notes.add(crashVersion{name, row.ID, w.rec.now.indexes[name][row.ID]}, row.Bytes)
		}
	}
}

// looker is somebody who may read, and not write if there is such a one: what looks
// on does not bring the keys that maintenance lacks.
func (w *crashWorld) looker(name string) []engine.OpOption {
	if who := w.rec.now.who[name]; who != nil {
		for _, l := range who.users {
			if l.perm == engine.PermRead {
				return l.opts()
			}
		}
	}
	return []engine.OpOption{engine.WithIndexKey(w.keys[name])}
}

func crashIDs(prefix string, from, to int) []string {
	out := make([]string, 0, to-from)
	for i := from; i < to; i++ {
		out = append(out, fmt.Sprintf("%s%02d", prefix, i))
	}
	return out
}
