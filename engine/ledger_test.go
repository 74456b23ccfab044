package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"oubliette/engine"
	"oubliette/internal/meta"
	"oubliette/ledger"
)

// kept gives a store a ledger on a disk of its own.
func keptOn(disk vfs.FS) func(*engine.Options) {
	return func(o *engine.Options) { o.Ledger = engine.LedgerFile(disk, "/deletes.ledger") }
}

// snapshot is the store's disk as a crash would leave it now.
func (s *store) snapshot() *vfs.MemFS { return s.fs.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{}) }

// A store that is put back to before deletes hides what they deleted from the first
// look on, for readers too, erases it when a writer comes, and goes on with numbers
// that nobody has had.
func TestAStorePutBackTakesItsDeletesFromTheLedger(t *testing.T) {
	ctx := context.Background()
	for _, closed := range []bool{false, true} {
		t.Run(fmt.Sprintf("closed=%v", closed), func(t *testing.T) {
			disk := vfs.NewMem()
			s := newStore(t, keptOn(disk))
			ix := s.create("a")
			reader := engine.NewKey()
			must(t, ix.CreateUserKeys(ctx, userID(1), reader, engine.PermRead, s.keys["a"]))
			want := byID(makeItems("k", 50)...)
			must(t, ix.Upsert(ctx, makeItems("k", 50)))
			must(t, ix.Roll(ctx))
			must(t, ix.SealNow(ctx))
			must(t, ix.Upsert(ctx, makeItems("open", 20)))
			for _, it := range makeItems("open", 20) {
				want[it.ID] = it
			}
			old := got(ix.Delete(ctx, []string{"k0"}))(t)
			delete(want, "k0")
			if closed {
				s.reopen()
				ix = s.load("a")
			}
			before := s.snapshot()
			if closed {
				s.close()
				before = s.snapshot()
				s.open()
				ix = s.load("a")
			}
			gone := []string{"k0", "k1", "k2", "k3", "open1"}
			var noted residue
			noted.note(t, s, ix, []string{"k1", "k2", "k3", "open1"})
			var receipts []engine.Receipt
			receipts = append(receipts, got(ix.Delete(ctx, []string{"k1", "k2"}))(t))
			must(t, ix.Upsert(ctx, []engine.Item{makeItem("new", 1)})) // lost with the state that is put back
			receipts = append(receipts, got(ix.Delete(ctx, []string{"k3", "open1", "none"}))(t))
			for _, id := range gone[1:] {
				delete(want, id)
			}
			s.close()

			var told []engine.RollbackInfo
			listen := func(o *engine.Options) {
				o.EventListener = &engine.EventListener{RolledBack: func(i engine.RollbackInfo) { told = append(told, i) }}
			}
			read := openStore(t, before.CrashClone(vfs.CrashCloneCfg{}), s.keys, keptOn(disk), func(o *engine.Options) { o.ReadOnly = true })
			wantItems(t, got(read.LoadIndex(ctx, "a", as(userID(1), reader)...))(t), want, gone...)
			read.close()

			back := openStore(t, before, s.keys, keptOn(disk), listen)
			if len(told) != 1 || told[0].Index != "a" || told[0].Groups != 2 || told[0].Epochs != 0 {
				t.Errorf("told %+v", told)
			}
			wantItems(t, got(back.LoadIndex(ctx, "a", as(userID(1), reader)...))(t), want, gone...)
			bix := back.load("a")
			next := got(bix.Delete(ctx, []string{"k4"}))(t)
			delete(want, "k4")
			if last := receipts[1]; next.Seq <= last.Seq || next.Group <= last.Group {
				t.Errorf("the delete after it is %d in group %d, %d in %d had been", next.Seq, next.Group, last.Seq, last.Group)
			}
			got(bix.Purge(ctx))(t)
			noted.wantGone(t, back.fs)
			for i, found := range []int{2, 2} {
				if st := got(bix.Status(ctx, receipts[i]))(t); st.State != engine.Erased || !st.Counted || st.Rows != found {
					t.Errorf("status of delete %d: %+v", i, st)
				}
			}
			got(bix.Status(ctx, old))(t)
			wantItems(t, bix, want, append(gone, "k4", "new")...)
			back.reopen()
			if len(told) != 1 {
				t.Errorf("told again: %+v", told)
			}
			bix = back.load("a")
			wantItems(t, bix, want, append(gone, "k4", "new")...)
			must(t, bix.Upsert(ctx, []engine.Item{makeItem("k1", 9)}))
			want["k1"] = makeItem("k1", 9)
			wantItems(t, bix, want)
		})
	}
}

// Without the ledger a store that is put back shows what was deleted, and nothing
// in it tells: the documented limit. A receipt does.
func TestAStorePutBackWithoutItsLedgerShowsWhatWasDeleted(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	ix := s.create("a")
	must(t, ix.Upsert(ctx, makeItems("k", 10)))
	before := s.snapshot()
	r := got(ix.Delete(ctx, []string{"k1"}))(t)
	got(ix.Purge(ctx))(t)
	back := openStore(t, before, s.keys)
	bix := back.load("a")
	wantItems(t, bix, byID(makeItems("k", 10)...))
	if _, err := bix.Check(ctx); err != nil {
		t.Errorf("Check: %v", err)
	}
	_, err := bix.Status(ctx, r)
	wantError(t, err, engine.ErrCorrupt, "is not there")
}

func TestALedgerIsAskedForOnceItIsKept(t *testing.T) {
	ctx := context.Background()
	disk := vfs.NewMem()
	s := newStore(t)
	ix := s.create("a") // before there is a ledger
	must(t, ix.Upsert(ctx, makeItems("k", 10)))
	got(ix.Delete(ctx, []string{"k0"}))(t)
	s.reopen(keptOn(disk))
	ix = s.load("a")
	before := s.snapshot()
	got(ix.Delete(ctx, []string{"k1"}))(t)
	s.create("b")
	must(t, s.load("b").Upsert(ctx, makeItems("k", 10)))
	got(s.load("b").Delete(ctx, []string{"k1"}))(t)
	s.close()

	without := s.opts
	without.Ledger = nil
	_, err := engine.Open(storeDir, &without)
	wantError(t, err, engine.ErrLedgerRequired)
	without.ReadOnly = true
	got(engine.Open(storeDir, &without))(t).Close()
	other := s.opts
	keptOn(vfs.NewMem())(&other) // an empty one
	_, err = engine.Open(storeDir, &other)
	wantError(t, err, ledger.ErrCut)
	foreign := vfs.NewMem()
	f := openStore(t, vfs.NewCrashableMem(), nil, keptOn(foreign))
	f.close()
	keptOn(foreign)(&other)
	_, err = engine.Open(storeDir, &other)
	wantError(t, err, ledger.ErrNotOurs)

	s.open()
	back := openStore(t, before, s.keys, func(o *engine.Options) { keptOn(copyOf(t, disk))(o) })
	want := byID(makeItems("k", 10)[2:]...)
	wantItems(t, back.load("a"), want, "k0", "k1")
}

// copyOf is a disk with the same ledger.
func copyOf(t testing.TB, disk vfs.FS) vfs.FS {
	t.Helper()
	out := vfs.NewMem()
	writeFile(t, out, "/deletes.ledger", got(readFile(disk, "/deletes.ledger"))(t))
	return out
}

// A ledger that is cut, altered or of another continuation is refused, and the
// error says which; the store is as it was.
func TestALedgerThatDoesNotFitIsRefused(t *testing.T) {
	ctx := context.Background()
	disk := vfs.NewMem()
	s := newStore(t, keptOn(disk))
	ix := s.create("a")
	must(t, ix.Upsert(ctx, makeItems("k", 10)))
	before, short := s.snapshot(), got(readFile(disk, "/deletes.ledger"))(t)
	got(ix.Delete(ctx, []string{"k1"}))(t)
	got(ix.Delete(ctx, []string{"k2"}))(t)
	whole := got(readFile(disk, "/deletes.ledger"))(t)
	// Another continuation: the state of before, with a ledger of before.
	fork := vfs.NewMem()
	writeFile(t, fork, "/deletes.ledger", short)
	forked := openStore(t, before, s.keys, keptOn(fork))
	got(forked.load("a").Delete(ctx, []string{"k3"}))(t)
	got(forked.load("a").Delete(ctx, []string{"k4"}))(t)
	forked.close()
	s.close()
	altered := slices.Clone(whole)
	altered[len(short)+150] ^= 1
	for name, c := range map[string]struct {
		ledger []byte
		want   error
	}{
		"cut to before":         {short, ledger.ErrCut},
		"cut inside of a group": {whole[:len(whole)-30], ledger.ErrCut},
		"altered":               {altered, ledger.ErrAltered},
		"of a fork":             {got(readFile(fork, "/deletes.ledger"))(t), ledger.ErrFork},
		"no ledger":             {[]byte("something else entirely, long enough to be one"), ledger.ErrNotOurs},
	} {
		t.Run(name, func(t *testing.T) {
			o := s.opts
			o.FS = s.snapshot()
			d := vfs.NewMem()
			writeFile(t, d, "/deletes.ledger", c.ledger)
			keptOn(d)(&o)
			_, err := engine.Open(storeDir, &o)
			wantError(t, err, c.want)
		})
	}
	s.open()
	wantItems(t, s.load("a"), byID(append(makeItems("k", 1), makeItems("k", 10)[3:]...)...), "k1", "k2")
}

// An index that root has deleted does not come back with an older state.
func TestADeletedIndexStaysDeleted(t *testing.T) {
	ctx := context.Background()
	disk := vfs.NewMem()
	s := newStore(t, keptOn(disk))
	ix := s.create("a")
	must(t, ix.Upsert(ctx, makeItems("k", 10)))
	var noted residue
	noted.note(t, s, ix, []string{"k1"})
	before := s.snapshot()
	must(t, s.DeleteIndex(ctx, "a", s.keys["a"]))
	s.close()
	read := s.opts
	read.FS, read.ReadOnly = before.CrashClone(vfs.CrashCloneCfg{}), true
	db := got(engine.Open(storeDir, &read))(t)
	if names := got(db.ListIndexes())(t); len(names) != 0 {
		t.Errorf("opened for reading: %q", names)
	}
	must(t, db.Close())
	back := openStore(t, before, s.keys, keptOn(disk))
	if names := got(back.ListIndexes())(t); len(names) != 0 {
		t.Errorf("opened: %q", names)
	}
	if files := readAll(t, before); len(files) == 0 {
		t.Error("no files")
	} else {
		for path := range files {
			if len(path) > 4 && path[len(path)-4:] == ".seg" {
				t.Errorf("%s is left", path)
			}
		}
	}
	back.create("a")
}

// A state from before a change of keys cannot be loaded beside its ledger, and what
// was deleted since is not readable either.
func TestAStateFromBeforeAChangeOfKeysIsRefused(t *testing.T) {
	ctx := context.Background()
	disk := vfs.NewMem()
	s := newStore(t, keptOn(disk))
	ix := s.create("a")
	s.create("b")
	must(t, ix.Upsert(ctx, makeItems("k", 10)))
	before := s.snapshot()
	must(t, ix.CreateUserKeys(ctx, userID(1), engine.NewKey(), engine.PermRead, s.keys["a"]))
	got(ix.Delete(ctx, []string{"k1"}))(t)
	s.close()
	var told []engine.RollbackInfo
	back := openStore(t, before, s.keys, keptOn(disk), func(o *engine.Options) {
		o.EventListener = &engine.EventListener{RolledBack: func(i engine.RollbackInfo) { told = append(told, i) }}
	})
	back.noCheck = true
	if len(told) != 1 || told[0].Epochs != 1 {
		t.Errorf("told %+v", told)
	}
	_, err := back.LoadIndex(ctx, "a", engine.WithIndexKey(s.keys["a"]))
	wantError(t, err, engine.ErrRolledBack, `"a"`)
	back.load("b")
	back.closed = true
	var p *engine.PendingError
	if err := back.DB.Close(); !errors.As(err, &p) || !slices.Equal(p.Indexes, []string{"a"}) {
		t.Errorf("Close: %v", err)
	}
}

// After an error of the ledger nothing is deleted any more until the store has been
// opened again, and reads go on.
func TestAFailedLedgerStopsDeletes(t *testing.T) {
	ctx := context.Background()
	sink := &memLedger{}
	s := newStore(t, func(o *engine.Options) {
		o.Ledger = func([16]byte, bool) (ledger.Ledger, error) { return sink, nil }
	})
	ix := s.create("a")
	must(t, ix.Upsert(ctx, makeItems("k", 10)))
	got(ix.Delete(ctx, []string{"k1"}))(t)
	sink.err = errors.New("the ledger's disk is full")
	_, err := ix.Delete(ctx, []string{"k2"})
	wantError(t, err, engine.ErrFailed, "disk is full")
	wantError(t, ix.Upsert(ctx, makeItems("k", 1)), engine.ErrFailed)
	wantItems(t, ix, byID(append(makeItems("k", 1), makeItems("k", 10)[2:]...)...), "k1")
	s.noCheck = true
	_ = s.DB.Close()
	s.closed, sink.err = true, nil
	s.open()
	s.noCheck = false
	// The entry was refused: the delete has not been.
	wantItems(t, s.load("a"), byID(append(makeItems("k", 1), makeItems("k", 10)[2:]...)...), "k1")
}

// memLedger keeps entries in memory.
type memLedger struct {
	entries [][]byte
	err     error
}

func (m *memLedger) Append(entry []byte) error {
	if m.err != nil {
		return m.err
	}
	m.entries = append(m.entries, slices.Clone(entry))
	return nil
}

func (m *memLedger) Entries() iter.Seq2[ledger.Stored, error] {
	return func(yield func(ledger.Stored, error) bool) {
		for i, e := range m.entries {
			if !yield(ledger.Stored{Entry: e, Offset: int64(i)}, nil) {
				return
			}
		}
	}
}

// A crash between the commit of an epoch and the ledger leaves a ledger that lacks
// the epoch: the next Open tells it, and everything goes on, also over another
// epoch in the same run.
func TestALedgerThatLacksAnEpochIsTold(t *testing.T) {
	ctx := context.Background()
	disk := vfs.NewMem()
	s := newStore(t, keptOn(disk))
	ix := s.create("a")
	must(t, ix.Upsert(ctx, makeItems("k", 10)))
	got(ix.Delete(ctx, []string{"k0"}))(t)
	before := got(readFile(disk, "/deletes.ledger"))(t)
	must(t, ix.CreateUserKeys(ctx, userID(1), engine.NewKey(), engine.PermWrite, s.keys["a"]))
	s.close()
	writeFile(t, disk, "/deletes.ledger", before)
	s.open()
	ix = s.load("a")
	got(ix.Delete(ctx, []string{"k1"}))(t)
	must(t, ix.CreateUserKeys(ctx, userID(2), engine.NewKey(), engine.PermWrite, s.keys["a"]))
	got(ix.Delete(ctx, []string{"k2"}))(t)
	wantItems(t, ix, byID(makeItems("k", 10)[3:]...), "k0", "k1", "k2")
	s.reopen()
	wantItems(t, s.load("a"), byID(makeItems("k", 10)[3:]...), "k0", "k1", "k2")
}

// What a ledger takes: at most 24 bytes an id and 400 a call.
func TestALedgerIsSmall(t *testing.T) {
	ctx := context.Background()
	for _, ids := range []int{1, 10, 1000, 100_000} {
		disk := vfs.NewMem()
		s := newStore(t, keptOn(disk))
		ix := s.create("a")
		before := len(got(readFile(disk, "/deletes.ledger"))(t))
		got(ix.Delete(ctx, idsOf(makeItems("k", ids))))(t)
		size := len(got(readFile(disk, "/deletes.ledger"))(t)) - before
		t.Logf("%d ids: %d bytes", ids, size)
		if size > 24*ids+400 {
			t.Errorf("%d ids take %d bytes", ids, size)
		}
	}
}

// Status of an acknowledged delete that a store put back has from its ledger never
// says that it is missing, also at the moment in which the log catches up.
func TestStatusWhileTheLogCatchesUp(t *testing.T) {
	ctx := context.Background()
	disk := vfs.NewMem()
	s := newStore(t, keptOn(disk))
	ix := s.create("a")
	must(t, ix.Upsert(ctx, makeItems("k", 20)))
	s.reopen() // what follows is of another run of the log
	before := s.snapshot()
	ix = s.load("a")
	r := got(ix.Delete(ctx, []string{"k1"}))(t)
	got(ix.Delete(ctx, []string{"k2"}))(t)
	s.close()
	for range 100 {
		o := s.opts
		o.FS = before.CrashClone(vfs.CrashCloneCfg{})
		keptOn(copyOf(t, disk))(&o)
		db := got(engine.Open(storeDir, &o))(t)
		bix := got(db.LoadIndex(ctx, "a", engine.WithIndexKey(s.keys["a"])))(t)
		var wg sync.WaitGroup
		stop := make(chan struct{})
		for range 3 {
			wg.Go(func() {
				for {
					if _, err := bix.Status(ctx, r); err != nil {
						t.Errorf("Status: %v", err)
						return
					}
					select {
					case <-stop:
						return
					default:
					}
				}
			})
		}
		got(bix.Purge(ctx))(t)
		close(stop)
		wg.Wait()
		must(t, db.Close())
		if t.Failed() {
			return
		}
	}
}

// A segment that cannot be read keeps the rows of the others from nothing, also where
// a store has to take deletes from its ledger.
func TestCatchingUpOverADamagedSegmentErasesInTheOthers(t *testing.T) {
	ctx := context.Background()
	for _, behind := range []bool{false, true} {
		t.Run(fmt.Sprint("behind=", behind), func(t *testing.T) {
			disk := vfs.NewMem()
			s := newStore(t, keptOn(disk))
			ix := s.create("a")
			for _, prefix := range []string{"a", "b"} {
				must(t, ix.Upsert(ctx, makeItems(prefix, 20)))
				must(t, ix.Roll(ctx))
				must(t, ix.SealNow(ctx))
			}
			rows := got(ix.SealedRows(ctx, []string{"a0", "b0"}))(t)
			before := s.snapshot()
			got(ix.Delete(ctx, []string{"a0", "b0"}))(t)
			if !behind {
				before = s.snapshot()
			}
			s.noCheck = true
			s.close()
			var broken atomic.Value
			broken.Store("")
			o := s.opts
			o.FS = errorfs.Wrap(before, errorfs.InjectorFunc(func(op errorfs.Op) error {
				if op.Kind == errorfs.OpFileReadAt && op.Path == broken.Load() {
					return errors.New("unreadable")
				}
				return nil
			}))
			o.PurgeWithin = 200 * time.Millisecond
			db := got(engine.Open(storeDir, &o))(t)
			// A reader loads the index, then the disk fails, then a writer comes.
			reader := got(db.LoadIndex(ctx, "a"))(t)
			got(db.LoadIndex(ctx, "a", engine.WithIndexKey(s.keys["a"])))(t)
			broken.Store(rows[1].Path)
			err := reader.Upsert(ctx, makeItems("new", 1), engine.WithIndexKey(s.keys["a"]))
			if err != nil && !behind { // else nothing is written before the log is as far as its ledger
				t.Errorf("nothing can be written: %v", err)
			}
			time.Sleep(time.Second)
			if bytes.Contains(readAll(t, before)[rows[0].Path], rows[0].Bytes[:30]) {
				t.Errorf("a0 is in a segment that reads, and still on the disk a second later (PurgeWithin %v)", o.PurgeWithin)
			}
			var p *engine.PendingError
			if err := db.Close(); !errors.As(err, &p) {
				t.Errorf("Close: %v", err)
			}
		})
	}
}

// entriesOf are a ledger's entries, and addTo appends one, as anybody can who may
// write the file.
func entriesOf(t testing.TB, disk vfs.FS) (id [16]byte, entries [][]byte) {
	t.Helper()
	f := got(ledger.ReadFile(disk, "/deletes.ledger"))(t)
	for e, err := range f.Entries() {
		must(t, err)
		entries = append(entries, e.Entry)
	}
	must(t, f.Close())
	return f.Store(), entries
}

func addTo(t testing.TB, disk vfs.FS, entry []byte) {
	t.Helper()
	id, _ := entriesOf(t, disk)
	f := got(ledger.OpenFile(disk, "/deletes.ledger", id))(t)
	must(t, errors.Join(f.Append(entry), f.Close()))
}

// A store and a copy of it have the same indexes under the same keys. What root says
// of one destroys nothing in the other, in whose ledger it was put.
func TestAnIndexThatIsGoneFromACopyStaysInTheStore(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	ix := s.create("a")
	must(t, ix.Upsert(ctx, makeItems("k", 10)))
	s.close()
	disk, disk2 := vfs.NewMem(), vfs.NewMem()
	twin := openStore(t, s.snapshot(), s.keys, keptOn(disk2))
	twin.close()
	keptOn(disk)(&s.opts)
	s.open()
	must(t, s.DeleteIndex(ctx, "a", s.keys["a"]))
	s.close()
	_, entries := entriesOf(t, disk)
	was := got(readFile(disk2, "/deletes.ledger"))(t)
	addTo(t, disk2, entries[len(entries)-1])
	_, err := engine.Open(storeDir, &twin.opts)
	wantError(t, err, ledger.ErrAltered, "not signed that it is deleted")
	writeFile(t, disk2, "/deletes.ledger", was)
	twin.open()
	wantItems(t, twin.load("a"), byID(makeItems("k", 10)...))
}

// A store whose log ends before its ledger begins would give numbers out again that
// were used, and the ledger would be none of its own after the next delete.
func TestAStoreThatEndsBeforeItsLedgerBeginsIsRefused(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	ix := s.create("a")
	must(t, ix.Upsert(ctx, makeItems("k", 5)))
	got(ix.Delete(ctx, []string{"k0"}))(t)
	must(t, ix.Upsert(ctx, makeItems("l", 5)))
	must(t, ix.Upsert(ctx, makeItems("m", 5)))
	mem := s.snapshot() // its log is not applied yet
	o := s.opts
	o.FS = mem
	keptOn(vfs.NewMem())(&o)
	must(t, untilAKey(got(engine.Open(storeDir, &o))(t).Close()))
	groups := recordsOf(records(t, mem), 'w', ix.ID())
	if len(groups) != 4 {
		t.Fatalf("%d groups in the log", len(groups))
	}
	putRecords(t, mem, map[string][]byte{groups[2]: nil, groups[3]: nil})
	_, err := engine.Open(storeDir, &o)
	wantError(t, err, ledger.ErrCut, "the store's log ends with group 2", "begins behind group 4")
}

// A store that is opened for reading with a ledger, and does not know of one, is not
// taken for one that the ledger agrees with.
func TestAReaderWithALedgerIsToldThatTheStoreKeepsNone(t *testing.T) {
	ctx := context.Background()
	disk := vfs.NewMem()
	s := newStore(t, keptOn(disk))
	ix := s.create("a")
	must(t, ix.Upsert(ctx, makeItems("k", 10)))
	before := s.snapshot()
	got(ix.Delete(ctx, []string{"k1"}))(t)
	s.close()
	putRecords(t, before, map[string][]byte{string(meta.LedgerKey()): nil})
	o := s.opts
	o.FS, o.ReadOnly = before, true
	_, err := engine.Open(storeDir, &o)
	wantError(t, err, ledger.ErrNotOurs, "has never kept a ledger, or was put back to before")
	o.Ledger = nil
	must(t, got(engine.Open(storeDir, &o))(t).Close())
}

// A store that is given another one's ledger, or what is no ledger, refuses it and is
// as it was: it opens without one, and takes one of its own.
func TestARefusedFirstLedgerLeavesTheStoreWithoutOne(t *testing.T) {
	ctx := context.Background()
	foreign, none, missing := vfs.NewMem(), vfs.NewMem(), vfs.NewMem()
	newStore(t, keptOn(foreign)).close()
	writeFile(t, none, "/deletes.ledger", []byte("something else entirely, long enough to be one"))
	s := newStore(t)
	ix := s.create("a")
	must(t, ix.Upsert(ctx, makeItems("k", 10)))
	s.close()
	for name, disk := range map[string]vfs.FS{"another store's": foreign, "no ledger": none} {
		was := got(readFile(disk, "/deletes.ledger"))(t)
		o := s.opts
		keptOn(disk)(&o)
		_, err := engine.Open(storeDir, &o)
		wantError(t, err, ledger.ErrNotOurs)
		if _, ok := records(t, s.fs)[string(meta.LedgerKey())]; ok {
			t.Errorf("%s: the store has noted it", name)
		}
		if now := got(readFile(disk, "/deletes.ledger"))(t); !bytes.Equal(now, was) {
			t.Errorf("%s: was written to", name)
		}
		s.open()
		s.load("a")
		s.close()
	}
	o, away := s.opts, errors.New("the disk is away")
	o.Ledger = func([16]byte, bool) (ledger.Ledger, error) { return nil, away }
	_, err := engine.Open(storeDir, &o)
	wantError(t, err, away)
	s.open()
	s.reopen(keptOn(missing))
	got(s.load("a").Delete(ctx, []string{"k1"}))(t)
	s.reopen()
	wantItems(t, s.load("a"), byID(append(makeItems("k", 1), makeItems("k", 10)[2:]...)...), "k1")
}
