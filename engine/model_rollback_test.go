package engine_test

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/engine"
)

// modelImage is an earlier state of the store: its disk, or a backup of it, and what
// it holds.
type modelImage struct {
	fs     *vfs.MemFS
	backup []byte
	is     *modelStore
}

// modelImages is how many are kept.
const modelImages = 3

// keep keeps the store's state of now, to be put back later.
func (m *modelMachine) keep() {
	im := &modelImage{is: m.is.clone()}
	if m.oneIn(3, "backup") {
		im.backup = m.stream()
	} else {
		im.fs = m.disk.clone(modelCrash{})
	}
	m.images = append(m.images, im)
	if len(m.images) > modelImages {
		m.images = m.images[1:]
	}
}

func (m *modelMachine) stream() []byte {
	var b bytes.Buffer
	m.must(m.db.Backup(context.Background(), &b))
	return b.Bytes()
}

// restored is a disk with the store of a stream.
func (m *modelMachine) restored(stream []byte) *vfs.MemFS {
	m.t.Helper()
	fs := vfs.NewCrashableMem()
	opts := m.opts
	opts.FS, opts.Ledger = fs, nil
	m.must(engine.RestoreWith(context.Background(), bytes.NewReader(stream), storeDir, &opts))
	return fs
}

// backup makes a store of a backup, which has to be equal, and may go on with it.
func (m *modelMachine) backup() {
	fs := m.restored(m.stream())
	was := m.disk
	m.carryLedger(fs)
	m.close()
	m.disk = newModelDisk(fs)
	m.open()
	m.whole()
	for _, x := range m.is.indexes {
		_, err := m.roots[x.name].Purge(context.Background())
		m.must(err)
		m.residue(x, "after Restore and Purge")
		x.purged()
	}
	if rapidBool(m.t, "go on with it") {
		return
	}
	m.close()
	m.disk = was
	m.open()
}

// carryLedger puts the ledger as it is now beside the store of another disk.
func (m *modelMachine) carryLedger(fs *vfs.MemFS) {
	m.t.Helper()
	if !m.ledger {
		return
	}
	b, err := readFile(m.disk.mem, modelLedger)
	m.must(err)
	f, err := fs.Create(modelLedger, vfs.WriteCategoryUnspecified)
	m.must(err)
	_, err = f.Write(slices.Clone(b)) // a file may change what it is given
	m.must(errors.Join(err, f.Sync(), f.Close()))
	root, err := fs.OpenDir("/")
	m.must(err)
	m.must(errors.Join(root.Sync(), root.Close()))
}

// putBack puts an earlier state of the store back, beside the ledger as it is now:
// every delete since is caught up with, and what was upserted since is gone. Without
// a ledger the store is as it was then.
func (m *modelMachine) putBack() {
	if len(m.images) == 0 {
		m.keep()
		return
	}
	n := m.pick(len(m.images), "image")
	im := m.images[n]
	fs := im.fs
	if fs == nil {
		fs = m.restored(im.backup)
	} else {
		fs = fs.CrashClone(vfs.CrashCloneCfg{})
	}
	was := m.disk
	m.close()
	m.carryLedger(fs)
	m.disk, m.told = newModelDisk(fs), 0
	back, later := im.is.clone(), m.is
	if !m.ledger {
		m.rolledBack(back)
		m.missing(later)
		return
	}
	if m.refusedBeside(back) {
		m.disk = was
		m.open()
		m.whole()
		return
	}
	told := back.catchUp(later)
	m.rolledBack(back)
	m.caughtUp(im.is)
	if m.told < told {
		m.t.Fatalf("%d indexes are told to have been put back, at least %d were", m.told, told)
	}
}

// missing holds that a store that was put back without a ledger says of the deletes
// since that it does not have them.
func (m *modelMachine) missing(later *modelStore) {
	m.t.Helper()
	for name, x := range m.is.indexes {
		l := later.indexes[name]
		if l == nil || l.born != x.born || len(l.receipts) == len(x.receipts) {
			continue
		}
		_, err := m.roots[name].Status(context.Background(), l.receipts[len(l.receipts)-1].Receipt)
		m.wants("Status of a delete that the store was put back to before", err, engine.ErrCorrupt)
	}
}

// caughtUp holds that a store that was put back knows the deletes since.
func (m *modelMachine) caughtUp(was *modelStore) {
	m.t.Helper()
	for name, x := range m.is.indexes {
		for n := len(was.indexes[name].receipts); n < len(x.receipts); n++ {
			m.must(x.knows(m.roots[name], n))
		}
	}
}

// rolledBack goes on with a state that was put back.
func (m *modelMachine) rolledBack(back *modelStore) {
	m.t.Helper()
	for _, x := range back.indexes {
		x.drop(m.clock.Load())
	}
	m.images = nil // of another history
	m.glanceOver(back)
	m.must(m.openOnly())
	m.settle(back)
	m.must(back.shownBy(m.db))
	m.is = back
	m.load()
}

// glanceOver may open the state for reading alone first, or without a key.
func (m *modelMachine) glanceOver(back *modelStore) {
	kind := m.pick(4, "first opened")
	if kind < 2 {
		return
	}
	m.opts.ReadOnly = kind == 2
	m.must(m.openOnly())
	m.settle(back)
	m.must(untilAKey(m.db.Close()))
	m.db, m.opts.ReadOnly = nil, false
}

// settle takes from the model what may or may not be there, as the store has it: ids
// whose later version had expired before the state was put back. The ledger deletes
// them if that death had been logged.
func (m *modelMachine) settle(back *modelStore) {
	m.t.Helper()
	ctx := context.Background()
	for _, x := range back.indexes {
		ix, err := m.db.LoadIndex(ctx, x.name, engine.WithIndexKey(x.keys.root))
		m.must(err)
		for id := range x.late {
			if _, lives := x.items[id]; !lives {
				continue
			}
			items, err := ix.Get(ctx, []string{id}, 0)
			if m.must(err); len(items) == 0 {
				delete(x.items, id)
			} else {
				delete(x.late, id)
			}
		}
	}
}

// catchUp makes of a state what it is beside the ledger of now, and answers how many
// indexes have to be told as put back. Items that may or may not be there are left,
// and are late.
func (s *modelStore) catchUp(now *modelStore) (told int) {
	for name, x := range s.indexes {
		later := now.indexes[name]
		if later == nil || later.born != x.born {
			delete(s.indexes, name) // it has been deleted since
			continue
		}
		missing := later.receipts[len(x.receipts):]
		if len(missing) > 1 {
			told++
		}
		x.seq = later.seq
		x.receipts = slices.Clone(x.receipts)
		perhaps := make(map[string]bool)
		for _, v := range later.expired[len(x.expired):] {
			perhaps[v.id] = true
		}
		for id := range x.late {
			perhaps[id] = true
		}
		for _, r := range missing {
			r.found, r.late = 0, 0
			for _, id := range slices.Compact(slices.Sorted(slices.Values(r.ids))) {
				_, lives := x.items[id]
				switch {
				case perhaps[id]:
					r.late++
				case lives:
					r.found++
				}
				delete(x.items, id)
				delete(x.late, id)
				delete(perhaps, id)
				x.graves[id] = true
			}
			x.receipts = append(x.receipts, r)
		}
		for id := range perhaps {
			x.late[id], x.graves[id] = true, true
		}
		x.expired = slices.Clone(later.expired)
	}
	return told
}

// refusedBeside opens a state from before a change of keys beside the ledger: its
// index is refused, the others are there. The machine goes on with its own.
func (m *modelMachine) refusedBeside(back *modelStore) bool {
	m.t.Helper()
	stuck := 0
	for name, x := range back.indexes {
		if later := m.is.indexes[name]; later != nil && later.born == x.born && later.epoch != x.epoch {
			stuck++
		}
	}
	if stuck == 0 {
		return false
	}
	m.must(m.openOnly())
	ctx := context.Background()
	for name, x := range back.indexes {
		later := m.is.indexes[name]
		_, err := m.db.LoadIndex(ctx, name, engine.WithIndexKey(x.keys.root))
		switch {
		case later == nil || later.born != x.born:
			m.wants("loading an index that has been deleted since", err, engine.ErrIndexNotFound)
		case later.epoch != x.epoch:
			m.wants("loading an index from before a change of its keys", err, engine.ErrRolledBack)
			_, err = m.db.LoadIndex(ctx, name)
			m.wants("loading it without a key", err, engine.ErrRolledBack)
		default:
			m.must(err)
		}
	}
	if m.told < stuck {
		m.t.Fatalf("%d indexes are told to have been put back, at least %d were", m.told, stuck)
	}
	m.must(untilAKey(m.db.Close()))
	m.db = nil
	return true
}
