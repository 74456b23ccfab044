package engine

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/crypto"
	"oubliette/internal/fault"
	"oubliette/internal/meta"
	"oubliette/ledger"
	"oubliette/wal"
)

// LedgerOpener opens the ledger of the store of that id; readOnly: nothing is
// appended, and one that is not there is an error that is os.ErrNotExist. It is called
// so, too, before a store gets its first ledger, to see whether the one that is given
// is another's. What it answers is closed when it is an io.Closer, at last with the
// store.
type LedgerOpener func(store [16]byte, readOnly bool) (ledger.Ledger, error)

// LedgerFile keeps a store's ledger in a file. It has to stand outside of the
// store's folder, best on another disk: what is put back together with the store
// tells nothing. fs nil is the operating system's.
func LedgerFile(fs vfs.FS, path string) LedgerOpener {
	if fs == nil {
		fs = vfs.Default
	}
	return func(store [16]byte, readOnly bool) (ledger.Ledger, error) {
		f, err := openLedgerFile(fs, path, store, readOnly)
		if err != nil {
			return nil, err
		}
		return f, nil
	}
}

func openLedgerFile(fs vfs.FS, path string, store [16]byte, readOnly bool) (*ledger.File, error) {
	if !readOnly {
		return ledger.OpenFile(fs, path, store)
	}
	f, err := ledger.ReadFile(fs, path)
	if err == nil && f.Store() != store {
		return nil, errors.Join(fmt.Errorf("%s is of store %x, this one is %x: %w", path, f.Store(), store, ledger.ErrNotOurs), f.Close())
	}
	return f, err
}

// RollbackInfo is an index that was put back to an earlier state, as the ledger
// shows. The deletes that were missing hide again before anything can be read.
type RollbackInfo struct {
	Index string // name
	ID    crypto.IndexID
	// Groups of the log with deletes that the store lacks. One alone is what a crash
	// leaves, and told to nobody.
	Groups int
	// Epochs: changes of users or keys that the store lacks. Then the index cannot be
	// loaded (ErrRolledBack).
	Epochs int
}

// The ledger's record in the database: the store's id towards its ledger, and how
// far the ledger has been told of the indexes that there were.
const (
	ledgerAttaching = 1
	ledgerAttached  = 2
	ledgerRecord    = 16 + 1
)

// kept is what is known of the ledger.
type kept struct {
	store [16]byte
	state byte // 0: the store has never had one
	sink  ledger.Ledger
	// What Open has found: how indexes stand to it where they differ, where their
	// logs end, and which of them it has not been told of, wholly or but for where
	// they begin. behind is guarded by DB.mu after Open.
	behind  map[crypto.IndexID]*ledger.Comparison
	tails   map[crypto.IndexID]wal.Position
	untold  map[crypto.IndexID]bool
	halfway map[crypto.IndexID]bool
}

func newKept() kept {
	return kept{
		behind: make(map[crypto.IndexID]*ledger.Comparison), tails: make(map[crypto.IndexID]wal.Position),
		untold: make(map[crypto.IndexID]bool), halfway: make(map[crypto.IndexID]bool),
	}
}

// openLedger opens the ledger that the store keeps, if it keeps one, and holds
// every index against it. It writes nothing to the store.
func (db *DB) openLedger() error {
	if db.opts.restoring {
		return nil // whoever opens the restored store brings it
	}
	b, ok, err := db.meta.Get(meta.LedgerKey())
	if err != nil {
		return err
	}
	if ok {
		if len(b) != ledgerRecord || b[16] < ledgerAttaching || b[16] > ledgerAttached {
			return fault.Corrupt("record of the ledger", 0, "%d bytes: %w", len(b), fault.ErrDamaged)
		}
		db.kept.store, db.kept.state = [16]byte(b), b[16]
	}
	switch {
	case db.opts.Ledger == nil && (!ok || db.opts.ReadOnly):
		return nil
	case db.opts.Ledger == nil:
		return fmt.Errorf("store %x: %w", db.kept.store, ErrLedgerRequired)
	case !ok && db.opts.ReadOnly:
		return fmt.Errorf("the store has never kept a ledger, or was put back to before it did: %w", ledger.ErrNotOurs)
	case !ok:
		db.kept.store = [16]byte(crypto.NewIndexID()) // attachLedger begins one
		return db.lookForLedger()
	}
	return db.takeLedger()
}

// lookForLedger refuses what is another store's ledger, or none, before the record of
// one makes the store ask for it. It only reads; where nothing is, one can be made.
func (db *DB) lookForLedger() error {
	sink, err := db.opts.Ledger(db.kept.store, true)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if c, ok := sink.(io.Closer); ok && err == nil {
		err = c.Close()
	}
	return err
}

// takeLedger opens the ledger and compares.
func (db *DB) takeLedger() error {
	sink, err := db.opts.Ledger(db.kept.store, db.opts.ReadOnly)
	if err != nil {
		return err
	}
	db.kept.sink = sink
	return db.compareLedger()
}

// compareLedger reads the ledger and notes what the store lacks of it.
func (db *DB) compareLedger() error {
	states := make(map[crypto.IndexID]ledger.State)
	for _, c := range db.mu.catalogue {
		if c.record == nil {
			continue // told by who loads it
		}
		m, err := db.readManifest(c)
		if err != nil {
			return err
		}
		at, err := wal.Tail(db.meta, c.id, m.Start)
		if err != nil {
			return err
		}
		states[c.id] = ledger.State{At: at, Record: c.record, Sum: c.sum}
		db.kept.tails[c.id] = at
	}
	h, err := ledger.Read(db.kept.sink.Entries(), ledger.Options{ID: db.kept.store, Store: func(id crypto.IndexID) (ledger.State, bool) {
		s, ok := states[id]
		return s, ok
	}})
	if err != nil {
		return fmt.Errorf("%s: %w", db.kept.name(), err)
	}
	for _, c := range db.mu.catalogue {
		if c.record == nil {
			continue
		}
		if x := h.Index(c.id); db.kept.state == ledgerAttaching && (x == nil || x.Epoch == 0) {
			db.kept.untold[c.id], db.kept.halfway[c.id] = x == nil, x != nil
			continue
		}
		cmp, err := h.Compare(c.id)
		if err != nil {
			return fmt.Errorf("%s: index %q: %w", db.kept.name(), c.name, err)
		}
		db.noteBehind(c, cmp)
	}
	return nil
}

// noteBehind notes what an index lacks, and reports it.
func (db *DB) noteBehind(c *catalogued, cmp *ledger.Comparison) {
	if !cmp.Same() {
		db.kept.behind[c.id] = cmp
	}
	if cmp.Gone && db.opts.ReadOnly { // else attachLedger drops it
		delete(db.mu.catalogue, c.name)
		return
	}
	if len(cmp.Missing) <= 1 && len(cmp.Epochs) == 0 {
		return
	}
	if n := len(cmp.Epochs); n > 0 {
		c.err = fmt.Errorf("index %q: is of epoch %d, the ledger knows %d later: %w", c.name, c.record.Epoch, n, ErrRolledBack)
	}
	db.opts.Logger.Warn("an index was put back to an earlier state", "index", c.id, "groups", len(cmp.Missing), "epochs", len(cmp.Epochs))
	if f := db.opts.EventListener.RolledBack; f != nil {
		f(RollbackInfo{Index: c.name, ID: c.id, Groups: len(cmp.Missing), Epochs: len(cmp.Epochs)})
	}
}

// attachLedger begins a ledger, or ends what a crash has left of that, and goes
// on with what one shows to be left undone: a deletion of an index, an epoch that
// it has not been told.
//
// Order, for a new one: openLedger has refused what is another store's; the record
// with a fresh id, synced; the ledger, made or opened under that id; its entries of
// every index; the record again, as attached, synced. A crash before the last finds
// the id and tells the ledger of the indexes that it does not know.
func (db *DB) attachLedger() error {
	if db.opts.Ledger == nil {
		return nil
	}
	if db.kept.state == 0 {
		if err := db.recordLedger(ledgerAttaching); err != nil {
			return err
		}
		if err := db.takeLedger(); err != nil {
			return err
		}
	}
	for _, c := range db.mu.catalogue {
		if err := db.settleLedger(c); err != nil {
			return err
		}
	}
	if db.kept.state == ledgerAttached {
		return nil
	}
	return db.recordLedger(ledgerAttached)
}

func (db *DB) recordLedger(state byte) error {
	batch := db.meta.NewBatch()
	batch.Set(meta.LedgerKey(), append(db.kept.store[:], state))
	err := db.meta.Commit(batch)
	if err == nil {
		db.kept.state = state
	}
	return err
}

// settleLedger brings one index and the ledger together, but for deletes that the
// index lacks.
func (db *DB) settleLedger(c *catalogued) error {
	cmp := db.kept.behind[c.id]
	switch {
	case db.kept.untold[c.id]:
		return db.tellIndex(c, db.kept.tails[c.id])
	case db.kept.halfway[c.id]:
		return db.tellEpoch(c)
	case cmp != nil && cmp.LacksEpoch:
		delete(db.kept.behind, c.id) // it lacks no delete, then
		return db.tellEpoch(c)
	case cmp == nil || !cmp.Gone:
		return nil
	}
	files, err := db.filesOf(c)
	if err == nil {
		err = db.dropIndex(c, files)
	}
	delete(db.mu.catalogue, c.name)
	delete(db.kept.behind, c.id)
	return err
}

// tellIndex lets the ledger know an index: where it begins, and who may what.
func (db *DB) tellIndex(c *catalogued, at wal.Position) error {
	return errors.Join(db.tellBegin(c, at), db.tellEpoch(c))
}

func (db *DB) tellBegin(c *catalogued, at wal.Position) error {
	begin := ledger.Begin{Index: c.id, Name: c.name, At: at}
	return db.tell(c, begin.Entry())
}

// tellEpoch lets the ledger know an index's newest epoch record, which is in the
// database.
func (db *DB) tellEpoch(c *catalogued) error {
	if db.kept.sink == nil {
		return nil
	}
	raw, ok, err := db.meta.Get(meta.EpochKey(c.id, c.record.Epoch))
	if err == nil && !ok {
		err = fault.Corrupt(fmt.Sprintf("epoch record of index %q", c.name), 0, "is missing: %w", fault.ErrDamaged)
	}
	if err != nil {
		return err
	}
	return db.tell(c, ledger.EpochEntry(raw))
}

// tell appends an entry, if there is a ledger. It is not told of what the database
// would not take any more.
func (db *DB) tell(c *catalogued, entry []byte) error {
	if db.kept.sink == nil {
		return nil
	}
	if err := db.meta.Err(); err != nil {
		return err
	}
	if err := db.append(entry); err != nil {
		return fmt.Errorf("index %q: %w", c.name, err)
	}
	return nil
}

// append appends to the ledger. After an error nobody knows whether the entry is
// there: the database takes nothing more either, so that store and ledger do not go
// different ways, until the store has been opened again, which compares them.
func (db *DB) append(entry []byte) error {
	err := db.kept.sink.Append(entry)
	if err == nil {
		return nil
	}
	db.meta.Fail(fmt.Errorf("ledger: %w", err))
	return db.meta.Err()
}

// tellGroup is what the log gives each group to that deletes; nil without a
// ledger.
func (db *DB) tellGroup() func([]byte) error {
	if db.kept.sink == nil {
		return nil
	}
	return func(group []byte) error { return db.append(ledger.GroupEntry(group)) }
}

// name is what errors call the ledger: by its file, where it is one.
func (k *kept) name() string {
	if s, ok := k.sink.(fmt.Stringer); ok {
		return "ledger " + s.String()
	}
	return "ledger"
}

// close lets the ledger go.
func (k *kept) close() error {
	if c, ok := k.sink.(io.Closer); ok {
		return c.Close()
	}
	return nil
}
