package engine_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/engine"
)

// damageManner is who opens a damaged store, and what is done with it.
type damageManner int

const (
	damageRead           damageManner = iota // root reads
	damageReadAsUser                         // a user who may read
	damageReadUnledgered                     // root, without the ledger that the store keeps
	damageWrite                              // root reads, purges, writes, compacts
	damageWriteAsUser                        // a user who may write purges and writes
	damageOpen                               // for writing, without a key
	damageManners
)

func (m damageManner) String() string {
	return [...]string{"read by root", "read by a user", "read without the ledger", "written by root", "written by a user", "opened without a key"}[m]
}

// damageState is what a store may hold.
type damageState struct {
	*crashModel
	latest bool // all that was acknowledged
}

// damageTrial opens one damaged store, and holds every answer against what the store
// may hold: one of the states that are left, and from one call to the next the same.
type damageTrial struct {
	*damageScene
	damage damage
	manner damageManner
	disk   *vfs.MemFS
	left   []damageState
	told   []error // what was told of the damage
	faults []string
}

// run opens the scene, damaged so, in one manner. What was written for then is read
// by root.
func (sc *damageScene) run(disk *vfs.MemFS, d damage, m damageManner) (tr *damageTrial) {
	tr = &damageTrial{damageScene: sc, damage: d, manner: m, disk: disk}
	tr.left = tr.may()
	defer func() {
		if p := recover(); p != nil {
			tr.fault("panic: %v\n%s", p, debug.Stack())
		}
	}()
	if m.reads() {
		tr.reader()
		return tr
	}
	tr.writer()
	tr.manner = damageRead
	tr.reader()
	tr.manner = m
	return tr
}

func (m damageManner) reads() bool { return m <= damageReadUnledgered }

func (tr *damageTrial) fault(format string, args ...any) {
	tr.faults = append(tr.faults, fmt.Sprintf(format, args...))
}

// lost tells whether acknowledged calls are gone.
func (tr *damageTrial) lost() bool {
	return !slices.ContainsFunc(tr.left, func(s damageState) bool { return s.latest })
}

// failed tells whether a call has failed, as it may where something is damaged.
func (tr *damageTrial) failed(call string, err error) bool {
	if err == nil {
		return false
	}
	if wrong := tr.refuses(err); wrong != "" {
		tr.fault("%s: %s: %v", call, wrong, err)
	}
	tr.told = append(tr.told, err)
	return true
}

// only keeps the states in which an answer is right.
func (tr *damageTrial) only(right func(*crashModel) bool, what string, args ...any) {
	var left []damageState
	for _, s := range tr.left {
		if right(s.crashModel) {
			left = append(left, s)
		}
	}
	if tr.left = left; len(left) == 0 {
		tr.fault("of %d states that it may be in it is in none: "+what, append([]any{len(tr.may())}, args...)...)
		tr.left = tr.may()
	}
}

func (tr *damageTrial) options() engine.Options {
	o := crashOptions(tr.disk)
	o.ReadOnly = tr.manner.reads()
	if !tr.ledger || tr.manner == damageReadUnledgered {
		o.Ledger = nil
	}
	return o
}

// reader opens for reading and reads everything.
func (tr *damageTrial) reader() {
	opts := tr.options()
	db, err := engine.Open(storeDir, &opts)
	if tr.failed("Open for reading", err) {
		return
	}
	tr.read(db)
	tr.failed("Close", db.Close())
}

// writer opens for writing, and does what the manner says.
func (tr *damageTrial) writer() {
	opts := tr.options()
	db, err := engine.Open(storeDir, &opts)
	if tr.failed("Open for writing", err) {
		return
	}
	switch tr.manner {
	case damageWrite:
		tr.read(db)
		tr.write(db, engine.WithIndexKey(tr.keys["a"]))
		tr.read(db)
	case damageWriteAsUser:
		tr.write(db, as(userID(2), tr.damageScene.writer)...)
	default:
		tr.names(db)
	}
	tr.failed("Close", untilAKey(db.Close()))
}

// names looks which indexes there are.
func (tr *damageTrial) names(db *engine.DB) {
	names, err := db.ListIndexes()
	if !tr.failed("ListIndexes", err) {
		tr.only(func(m *crashModel) bool { return slices.Equal(names, slices.Sorted(maps.Keys(m.indexes))) }, "ListIndexes answers %q", names)
	}
}

// load answers an index, if there is one.
func (tr *damageTrial) load(db *engine.DB, name string, opts ...engine.OpOption) *engine.Index {
	ix, err := db.LoadIndex(context.Background(), name, opts...)
	switch {
	case errors.Is(err, engine.ErrIndexNotFound):
		tr.only(func(m *crashModel) bool { return m.indexes[name] == nil }, "LoadIndex finds no %s", name)
		return nil
	case tr.failed("LoadIndex "+name, err):
		return nil
	}
	tr.only(func(m *crashModel) bool { return m.indexes[name] != nil }, "LoadIndex finds %s", name)
	return ix
}

// read asks for everything, in each way.
func (tr *damageTrial) read(db *engine.DB) {
	tr.names(db)
	for _, name := range []string{"a", "b", "c"} {
		opts := []engine.OpOption{engine.WithIndexKey(tr.keys[name])}
		if tr.manner == damageReadAsUser && name == "a" {
			opts = as(userID(1), tr.damageScene.reader)
		}
		if ix := tr.load(db, name, opts...); ix != nil {
			tr.count(ix, name)
			tr.scan(ix, name)
			tr.get(ix, name)
		}
	}
}

func (tr *damageTrial) count(ix *engine.Index, name string) {
	n, err := ix.Count(context.Background())
	if !tr.failed("Count", err) {
		tr.only(func(m *crashModel) bool { return len(m.indexes[name]) == n }, "Count of %s answers %d", name, n)
	}
}

// get asks for each item by itself.
func (tr *damageTrial) get(ix *engine.Index, name string) {
	for _, id := range tr.ids(name) {
		items, err := ix.Get(context.Background(), []string{id}, engine.AllFields)
		if tr.failed("Get", err) {
			continue
		}
		tr.only(func(m *crashModel) bool {
			_, lives := m.indexes[name][id]
			return lives == (len(items) == 1) && (!lives || tr.is(m, name, items[0]))
		}, "Get of %s in %s answers %.99v", id, name, items)
	}
}

// scan reads all items; before an error there may come some of them.
func (tr *damageTrial) scan(ix *engine.Index, name string) {
	have := make(map[string]engine.Item)
	failed := false
	for it, err := range ix.Items(context.Background(), engine.AllFields) {
		if tr.failed("Items", err) {
			failed = true
			continue
		}
		if _, twice := have[it.ID]; twice {
			tr.fault("Items of %s yields %s twice", name, it.ID)
		}
		have[it.ID] = it
	}
	tr.only(func(m *crashModel) bool {
		for _, it := range have {
			if !tr.is(m, name, it) {
				return false
			}
		}
		return failed || len(have) == len(m.indexes[name])
	}, "Items of %s yields %d, failed: %v", name, len(have), failed)
}

// is tells whether an item is as it is in a state, bit for bit.
func (tr *damageTrial) is(m *crashModel, index string, it engine.Item) bool {
	version, lives := m.indexes[index][it.ID]
	want, known := tr.items[crashVersion{index, it.ID, version}]
	if lives && !known {
		want = crashItem(it.ID, version)
	}
	return lives && equal(it, want)
}

// ids are all that have ever been in an index.
func (tr *damageTrial) ids(name string) []string {
	seen := make(map[string]bool)
	for _, m := range tr.history {
		for id := range m.indexes[name] {
			seen[id] = true
		}
	}
	for _, s := range tr.left {
		for id := range s.indexes[name] {
			seen[id] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

// write purges index a, writes in it and compacts it. What is acknowledged has to be
// there from then on, whatever is damaged.
func (tr *damageTrial) write(db *engine.DB, opts ...engine.OpOption) {
	ctx := context.Background()
	ix := tr.load(db, "a", opts...)
	if ix == nil {
		return
	}
	if _, err := ix.Purge(ctx); !tr.failed("Purge", err) {
		tr.erased(ix)
	}
	_, err := ix.Delete(ctx, []string{"k05"})
	tr.wrote("Delete", err, func(items map[string]int) { delete(items, "k05") })
	err = ix.Upsert(ctx, []engine.Item{crashItem("later", 99)})
	tr.wrote("Upsert", err, func(items map[string]int) { items["later"] = 99 })
	if tr.manner == damageWrite && !tr.failed("Compact", ix.Compact(ctx)) && !tr.outside() {
		if err := tr.residue(); err != nil {
			tr.fault("after Compact: %v", err)
		}
	}
}

// wrote takes a call into account: done, or, where it failed, perhaps done.
func (tr *damageTrial) wrote(call string, err error, change func(items map[string]int)) {
	next := make([]damageState, len(tr.left))
	for i, s := range tr.left {
		next[i] = damageState{s.with("a", change), s.latest}
	}
	if tr.failed(call, err) {
		next = append(next, tr.left...)
	}
	tr.left = next
}

// erased searches for what is dead after a Purge has said that it is erased.
func (tr *damageTrial) erased(ix *engine.Index) {
	if tr.outside() {
		return
	}
	err := tr.residue()
	if err != nil && tr.revives() {
		_, check := ix.Check(context.Background())
		if tr.failed("Check", check) {
			return
		}
	}
	if err != nil {
		tr.fault("after Purge: %v", err)
	}
}

// residue searches every file for sealed bytes of what lives in no state that is left.
func (tr *damageTrial) residue() error {
	return tr.notes.residue(tr.disk, func(v crashVersion) bool {
		return v.index == "a" && !slices.ContainsFunc(tr.left, func(s damageState) bool { return s.lives(v) })
	})
}
