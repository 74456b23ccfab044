package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
	keys  map[string]engine.Key
	seq   map[string]uint64 // of the last upsert or delete of an index
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
	return engine.Options{FS: fs, PurgeWithin: time.Hour, SegmentSize: 64 << 10, Ledger: engine.LedgerFile(fs, "/ledger")}
}

func newCrashWorld(t testing.TB, rec *crashRecorder, fs vfs.FS) *crashWorld {
	return &crashWorld{
		t: t, rec: rec, opts: crashOptions(fs), ix: make(map[string]*engine.Index),
		keys: make(map[string]engine.Key), seq: make(map[string]uint64), notes: newCrashNotes(), next: 1,
	}
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
	w.call("open", w.rec.now, func() (err error) {
		w.db, err = engine.Open(storeDir, &w.opts)
		return err
	})
	for name := range w.rec.now.indexes {
		w.call("load "+name, w.rec.now, func() (err error) {
			w.ix[name], err = w.db.LoadIndex(context.Background(), name, engine.WithIndexKey(w.keys[name]))
			return err
		})
	}
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
	if w.keys[name].IsZero() { // an image may hold an earlier index of that name
		w.keys[name] = engine.NewKey()
	}
	w.seq[name] = 0
	for v := range w.notes.died {
		if v.index == name {
			delete(w.notes.died, v) // numbered by that earlier index
		}
	}
	w.call("create "+name, w.rec.now.with(name, func(map[string]int) {}), func() (err error) {
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
	w.call(fmt.Sprintf("upsert of %d into %s", len(ids), name), next, func() error {
		return w.ix[name].Upsert(context.Background(), items)
	})
}

func (w *crashWorld) delete(name string, ids ...string) {
	w.t.Helper()
	next := w.rec.now.with(name, func(m map[string]int) {
		for _, id := range ids {
			delete(m, id)
		}
	})
	w.seq[name]++
	w.dies(name, ids)
	w.call(fmt.Sprintf("delete of %d from %s", len(ids), name), next, func() error {
		r, err := w.ix[name].Delete(context.Background(), ids)
		w.notes.sessions[r.Session] = true
		if err == nil && !w.late() && r.Seq != w.seq[name] {
			err = fmt.Errorf("sequence number %d, counted are %d calls", r.Seq, w.seq[name])
		}
		return err
	})
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
	w.call("purge "+name, w.rec.now, func() error {
		_, err := w.ix[name].Purge(context.Background())
		return err
	})
}

func (w *crashWorld) purgeRewrite(name string) {
	w.t.Helper()
	w.call("purge with rewrite "+name, w.rec.now, func() error {
		_, err := w.ix[name].Purge(context.Background(), engine.WithRewrite())
		return err
	})
}

func (w *crashWorld) compact(name string) {
	w.t.Helper()
	w.call("compact "+name, w.rec.now, func() error { return w.ix[name].Compact(context.Background()) })
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
		rows, err := ix.SealedRows(context.Background(), ids)
		for try := 0; err != nil && try < 10; try++ { // moved meanwhile
			rows, err = ix.SealedRows(context.Background(), ids)
		}
		must(w.t, err)
		for _, row := range rows {
			w.notes.add(crashVersion{name, row.ID, w.rec.now.indexes[name][row.ID]}, row.Bytes)
		}
	}
}

func crashIDs(prefix string, from, to int) []string {
	out := make([]string, 0, to-from)
	for i := from; i < to; i++ {
		out = append(out, fmt.Sprintf("%s%02d", prefix, i))
	}
	return out
}

// crashScript passes through everything that changes the disk.
func crashScript(w *crashWorld) {
	w.open()
	w.create("a")
	w.create("b")
	w.upsert("a", crashIDs("s", 0, 30)...)
	w.upsert("b", crashIDs("s", 0, 10)...)
	w.upsert("a", "x")
	w.delete("a", "x", "s03", "s04", "nobody")
	w.upsert("a", "x", "s04")
	w.upsert("a", crashIDs("L", 0, 30)...) // fills a segment
	w.upsert("a", crashIDs("s", 10, 16)...)
	w.delete("a", append(crashIDs("L", 0, 8), "s20")...)
	w.purge("a")
	w.upsert("a", crashIDs("L", 30, 62)...)
	w.aborted("a")
	w.delete("a", append(crashIDs("L", 28, 40), "x")...)
	w.purge("a")
	w.upsert("b", crashIDs("s", 5, 12)...)
	w.delete("a", crashIDs("L", 40, 44)...)
	w.compact("a")
	w.upsert("a", crashIDs("L", 50, 58)...)
	w.delete("a", crashIDs("L", 44, 52)...)
	w.purgeRewrite("a")
	w.upsert("a", crashIDs("L", 50, 58)...)
	w.delete("a", crashIDs("L", 56, 57)...)
	w.drop("b")
	w.close()
	w.open()
	w.create("b")
	w.upsert("b", "again")
	w.upsert("a", slices.Concat(crashIDs("L", 60, 64), crashIDs("s", 0, 4))...)
	w.delete("a", "s01", "L62")
	w.upsert("a", "s01")
	w.aborted("a")
	w.purge("a")
	w.delete("b", "again")
	w.close()
}

// crashBirthScript is a store's first steps, and three versions of one id.
func crashBirthScript(w *crashWorld) {
	w.open()
	w.create("a")
	w.upsert("a", "one")
	w.delete("a", "one")
	w.upsert("a", "one")
	w.close()
}
