package engine_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/engine"
)

// damageScene is a small store whose files are damaged one at a time: with sealed
// segments in which rows are erased and rows wait to be, an open one, header slots
// of two epochs, users, tables of Pebble's, and a log with what is not in them.
type damageScene struct {
	name   string
	closed bool // in good order: CLEAN says so
	ledger bool
	files  map[string][]byte   // every file, with the ledger
	older  map[string][][]byte // what files held before, newest first
	twin   *damageScene        // another store that was made in the same way
	keys   map[string]engine.Key
	// What the calls since the database wrote its last table have made of the store,
	// oldest first. The first is the least that a log that is lost leaves.
	history []*crashModel
	notes   *crashNotes // sealed bytes of all that has ever lived
	// items are the versions of which history speaks.
	items map[crashVersion]engine.Item

	reader, writer engine.Key // of users 1 and 2 of index a
}

const damageLedger = "/ledger"

// damageMaker makes scenes: of one store, in several states.
type damageMaker struct {
	testing.TB
	mem     *vfs.MemFS
	w       *crashWorld
	scene   damageScene
	moments []map[string][]byte // oldest first
}

// newDamageScenes makes a store, and answers it as a crash leaves it, as it is when
// it is then opened and closed without a key, and closed with all keys.
func newDamageScenes(t testing.TB, ledger bool) []*damageScene {
	t.Helper()
	m, other := newDamageMaker(t, ledger), newDamageMaker(t, ledger)
	scenes, twins := m.scenes(), other.scenes()
	for i, sc := range scenes {
		sc.twin = twins[i]
	}
	return scenes
}

func newDamageMaker(t testing.TB, ledger bool) *damageMaker {
	m := &damageMaker{TB: t, mem: vfs.NewCrashableMem()}
	rec, fs := newCrashRecorder(m.mem, 0, crashNever)
	m.w = newCrashWorld(t, rec, fs)
	if !ledger {
		m.w.opts.Ledger = nil
	}
	m.scene = damageScene{ledger: ledger, keys: m.w.keys, notes: m.w.notes, reader: engine.NewKey(), writer: engine.NewKey()}
	m.w.onCall = func(next *crashModel) {
		if n := len(m.scene.history); n == 0 || m.scene.history[n-1] != next {
			m.scene.history = append(m.scene.history, next)
		}
	}
	return m
}

func (m *damageMaker) scenes() []*damageScene {
	m.early()
	m.late()
	crashed := crashKilled(m.mem)
	out := []*damageScene{m.take("crashed", crashed)}
	opts := m.w.opts
	opts.FS = crashed
	if opts.Ledger != nil {
		opts.Ledger = engine.LedgerFile(crashed, damageLedger)
	}
	must(m, untilAKey(got(engine.Open(storeDir, &opts))(m).Close()))
	out = append(out, m.take("closed without a key", crashed))
	m.w.close()
	return append(out, m.take("closed", m.mem))
}

// early is what ends up in Pebble's tables.
func (m *damageMaker) early() {
	ctx, w := context.Background(), m.w
	w.open()
	w.create("a")
	w.create("b")
	w.upsert("a", crashIDs("k", 0, 10)...)
	w.upsert("b", "k00")
	m.remember()
	w.delete("a", "k01")
	m.sealAll()
	m.remember()
	w.purge("a")
	root := w.keys["a"]
	must(m, w.ix["a"].CreateUserKeys(ctx, userID(1), m.scene.reader, engine.PermRead, root))
	m.remember()
	must(m, w.ix["a"].CreateUserKeys(ctx, userID(2), m.scene.writer, engine.PermWrite, root)) // back to the first header slot
	w.upsert("a", crashIDs("k", 10, 14)...)
	w.close()
	m.remember()
	w.open()
	m.remember()
	m.scene.history = []*crashModel{w.rec.now}
}

// late is what stands in the log.
func (m *damageMaker) late() {
	ctx, w := context.Background(), m.w
	w.delete("a", "k02", "k12")
	w.upsert("a", "k20", "k21", "k22", "k03")
	if m.scene.ledger { // what the ledger knows an earlier state by, with all later deletes
		must(m, w.ix["a"].CreateUserKeys(ctx, userID(3), engine.NewKey(), engine.PermRead, w.keys["a"]))
		w.upsert("a", "k30", "k31")
		w.delete("a", "k20")
	}
	w.upsert("a", "k23")
	must(m, w.ix["a"].ApplyNow(ctx, func() {})) // dead rows wait to be overwritten
	m.remember()
	w.delete("a", "k04", "k22")
	w.create("c")
	w.upsert("c", "k00")
	w.upsert("a", "k02")
	w.delete("a", "k21")
	w.upsert("a", "k24")
}

func (m *damageMaker) sealAll() {
	must(m, m.w.ix["a"].Roll(context.Background()))
	must(m, m.w.ix["a"].SealNow(context.Background()))
}

// remember keeps what the files hold now.
func (m *damageMaker) remember() { m.moments = append(m.moments, damageFiles(m, m.mem)) }

// damageFiles is every file of a store, and its ledger.
func damageFiles(t testing.TB, fs vfs.FS) map[string][]byte {
	t.Helper()
	files := readAll(t, fs)
	if b, err := readFile(fs, damageLedger); err == nil {
		files[damageLedger] = b
	}
	return files
}

// take is a scene of what the files hold.
func (m *damageMaker) take(name string, fs vfs.FS) *damageScene {
	sc := m.scene
	sc.items = make(map[crashVersion]engine.Item)
	for _, h := range sc.history {
		for index, ids := range h.indexes {
			for id, version := range ids {
				sc.items[crashVersion{index, id, version}] = crashItem(id, version)
			}
		}
	}
	sc.name, sc.files = name, damageFiles(m, fs)
	if sc.ledger {
		sc.name += ", with a ledger"
	}
	sc.closed = sc.files[storeDir+"/CLEAN"] != nil
	sc.older = make(map[string][][]byte)
	for _, files := range slices.Backward(m.moments) {
		for path, b := range files {
			same := func(c []byte) bool { return string(c) == string(b) }
			if now, ok := sc.files[path]; ok && !same(now) && !slices.ContainsFunc(sc.older[path], same) {
				sc.older[path] = append(sc.older[path], b)
			}
		}
	}
	return &sc
}

// paths are those of all files, in order.
func (sc *damageScene) paths() []string { return slices.Sorted(maps.Keys(sc.files)) }

// now is what was acknowledged.
func (sc *damageScene) now() *crashModel { return sc.history[len(sc.history)-1] }

// twinOf is another store's file of the same sort.
func (sc *damageScene) twinOf(path string) []byte {
	if b, ok := sc.twin.files[path]; ok {
		return b
	}
	var best []byte
	for _, p := range sc.twin.paths() { // a segment: the one that is most like it
		b := sc.twin.files[p]
		if damageKind(p) == damageKind(path) && (best == nil || abs(len(b)-len(sc.files[path])) < abs(len(best)-len(sc.files[path]))) {
			best = b
		}
	}
	return best
}

func abs(n int) int { return max(n, -n) }

// disk is the scene on a file system of its own, some files being others; nil: gone.
func (sc *damageScene) disk(t testing.TB, changed map[string][]byte) *vfs.MemFS {
	t.Helper()
	mem := vfs.NewMem()
	must(t, mem.MkdirAll(storeDir+"/segments", 0o700))
	for path, b := range sc.files {
		if c, ok := changed[path]; ok {
			b = c
		}
		if b == nil {
			continue
		}
		must(t, mem.MkdirAll(mem.PathDir(path), 0o700))
		writeFile(t, mem, path, b)
	}
	return mem
}

// damageKind is what sort of file a path names.
func damageKind(path string) string {
	base := path[strings.LastIndexByte(path, '/')+1:]
	switch {
	case path == damageLedger:
		return "ledger"
	case strings.HasSuffix(base, ".seg"):
		return "segment"
	case strings.HasSuffix(base, ".log"):
		return "log"
	case strings.HasSuffix(base, ".sst"):
		return "table"
	case strings.HasPrefix(base, "MANIFEST"):
		return "MANIFEST"
	case strings.HasPrefix(base, "OPTIONS"):
		return "OPTIONS"
	case strings.HasPrefix(base, "marker."):
		return "marker"
	}
	return strings.TrimPrefix(path, storeDir+"/") // FORMAT, CLEAN, LOCK, pebble/LOCK
}
