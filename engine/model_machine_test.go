package engine_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"oubliette/engine"
)

// modelMachine is a store and what it should hold. It is driven by rapid, one
// step after the other: a failing sequence is shrunk and can be run again.
type modelMachine struct {
	t     *rapid.T
	disk  *modelDisk
	db    *engine.DB
	opts  engine.Options
	clock *testClock
	// is is what the store should hold.
	is    *modelStore
	notes *crashNotes // sealed bytes of what was about to die, by index and version
	// roots are handles bound to the index key, bare ones have no key.
	roots, bare map[string]*engine.Index
	lost        []*engine.Index // handles of indexes that are no more
	cursors     []*modelCursor
	images      []*modelImage // earlier states that may be put back
	ledger      bool
	told        int // indexes that Open has told to have been put back

	next, born int // version of the next item, number of the next index
	steps      int
	forget     int // the delete that the model forgets, for the test of the test
}

// modelNames are the indexes that may be there.
var modelNames = []string{"a", "b"}

// modelIDs is how many ids an index has.
const modelIDs = 32

// newModelMachine makes a store with one index.
func newModelMachine(t *rapid.T) *modelMachine {
	m := &modelMachine{
		t: t, clock: newTestClock(), is: &modelStore{indexes: make(map[string]*modelIndex)}, notes: newCrashNotes(),
		disk: newModelDisk(vfs.NewCrashableMem()), ledger: rapid.Bool().Draw(t, "ledger"),
	}
	m.opts = engine.Options{PurgeWithin: time.Hour, SegmentSize: 64 << 10}
	m.opts.EventListener = &engine.EventListener{RolledBack: func(engine.RollbackInfo) { m.told++ }}
	m.clock.option(&m.opts)
	t.Cleanup(func() { // a failure leaves nothing running
		for _, c := range m.cursors {
			c.stop()
		}
		if m.db != nil {
			_ = m.db.Close()
		}
	})
	m.open()
	m.create("a")
	return m
}

func (m *modelMachine) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

// wants is true when a call had to be refused, and was. What was refused has
// changed nothing.
func (m *modelMachine) wants(what string, err, want error) bool {
	m.t.Helper()
	if want == nil {
		if err != nil {
			m.t.Fatalf("%s: %v", what, err)
		}
		return false
	}
	if !errors.Is(err, want) {
		m.t.Fatalf("%s: answers %v, should be refused with %q", what, err, want)
	}
	return true
}

// oneIn is true once in a while; never in a sequence that has been shrunk.
func (m *modelMachine) oneIn(n int, what string) bool {
	return rapid.IntRange(0, n-1).Draw(m.t, what) == n-1
}

func (m *modelMachine) pick(n int, what string) int {
	return rapid.IntRange(0, n-1).Draw(m.t, what)
}

// ensureIndex makes an index where there is none.
func (m *modelMachine) ensureIndex() {
	if len(m.is.indexes) == 0 {
		m.create(modelNames[0])
	}
}

// index draws one.
func (m *modelMachine) index() *modelIndex {
	m.ensureIndex()
	names := slices.Sorted(maps.Keys(m.is.indexes))
	return m.is.indexes[names[m.pick(len(names), "index")]]
}

func (m *modelMachine) ids() []string {
	out := make([]string, 1+m.pick(8, "more ids"))
	for i := range out {
		out[i] = modelID(m.pick(modelIDs, "id"))
	}
	return out
}

func modelID(n int) string { return fmt.Sprint("id", n) }

// open opens the store on the machine's disk, and loads every index as root.
func (m *modelMachine) open() {
	m.t.Helper()
	m.must(m.openOnly())
	m.load()
}

func (m *modelMachine) openOnly() error {
	m.opts.FS, m.opts.Ledger = m.disk, nil
	if m.ledger {
		m.opts.Ledger = engine.LedgerFile(m.disk, modelLedger)
	}
	var err error
	m.db, err = engine.Open(storeDir, &m.opts)
	m.roots, m.bare = make(map[string]*engine.Index), make(map[string]*engine.Index)
	return err
}

// modelLedger is where the ledger stands: on the same disk, so that a crash takes
// an image of both at one moment, but not in the store.
const modelLedger = "/deletes.ledger"

func (m *modelMachine) load() {
	m.t.Helper()
	for _, name := range slices.Sorted(maps.Keys(m.is.indexes)) {
		m.must(m.handles(m.is.indexes[name]))
	}
}

// handles loads an index as root, and without a key.
func (m *modelMachine) handles(x *modelIndex) (err error) {
	ctx := context.Background()
	if m.roots[x.name], err = m.db.LoadIndex(ctx, x.name, engine.WithIndexKey(x.keys.root)); err == nil {
		m.bare[x.name], err = m.db.LoadIndex(ctx, x.name)
	}
	return err
}

// close closes the store. Iterators end with it.
func (m *modelMachine) close() {
	m.t.Helper()
	m.must(m.db.Close())
	m.endCursors()
	m.db, m.lost = nil, nil
}

// residue is fatal where a byte of what is dead is left, of one index or (nil) of all.
func (m *modelMachine) residue(of *modelIndex, when string) {
	m.t.Helper()
	err := m.notes.residue(m.disk.mem, func(v crashVersion) bool {
		return (of == nil || v.index == of.tag()) && !m.is.lives(v)
	})
	if err != nil {
		m.t.Fatalf("%s: %v", when, err)
	}
}

// note notes the sealed bytes of what is about to die, where they stand now.
func (m *modelMachine) note(x *modelIndex, ids []string) {
	m.t.Helper()
	var living []string
	for _, id := range ids {
		if _, ok := x.items[id]; ok && !slices.Contains(living, id) {
			living = append(living, id)
		}
	}
	if len(living) == 0 {
		return
	}
	rows, err := m.roots[x.name].SealedRows(context.Background(), living)
	for try := 0; err != nil && try < 20; try++ { // moved meanwhile
		rows, err = m.roots[x.name].SealedRows(context.Background(), living)
	}
	m.must(err)
	for _, row := range rows {
		m.notes.add(x.version(row.ID), row.Bytes)
	}
}
