package segment

import (
	"errors"
	iofs "io/fs"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

func TestAppendSyncAndReadRunSideBySide(t *testing.T) {
	s := newStore(t, vfs.NewMem())
	w := s.create(t)
	defer finish(t, w)
	var wg sync.WaitGroup
	var mu sync.Mutex
	rowNumbers := map[uint32]bool{}
	for g := range 6 {
		rng := rand.New(rand.NewPCG(uint64(g), 1))
		wg.Go(func() {
			for range 25 {
				content := someContent(rng, 1+rng.IntN(8))
				if rng.IntN(10) == 0 { // through several chunks and cores
					content = append(content, Content{ID: "big", Contents: randomBytes(rng, 1<<20)}, Content{ID: "big too", Contents: randomBytes(rng, 300<<10)})
				}
				ptrs, err := w.Append(prepareAll(t, content))
				if err != nil {
					t.Error(err)
					return
				}
				if err := w.Sync(); err != nil {
					t.Error(err)
					return
				}
				for i, p := range ptrs {
					got, err := w.File().Read(p, WantAll)
					if err != nil {
						t.Error(err)
						return
					}
					wantEqual(t, "row", got, content[i])
					mu.Lock()
					if rowNumbers[p.Row] {
						t.Errorf("row number %d was given twice", p.Row)
					}
					rowNumbers[p.Row] = true
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	if len(rowNumbers) != int(w.Rows()) {
		t.Errorf("%d rows came back, %d are reserved", len(rowNumbers), w.Rows())
	}
}

// TestSyncsOfManyCallersAreShared gathers callers behind one that is at work:
// the first of them syncs for all.
func TestSyncsOfManyCallersAreShared(t *testing.T) {
	var syncs atomic.Int32
	fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpFileSyncData {
			syncs.Add(1)
		}
		return nil
	}))
	w := newStore(t, fs).create(t)
	defer finish(t, w)
	row := prepareAll(t, []Content{{ID: "x"}})
	for round := range int32(3) {
		for range 16 {
			if _, err := w.Append(row); err != nil {
				t.Fatal(err)
			}
		}
		w.disk.Lock()
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				if err := w.Sync(); err != nil {
					t.Error(err)
				}
			})
		}
		w.disk.Unlock()
		wg.Wait()
		if n := syncs.Load(); n != round+1 {
			t.Fatalf("%d syncs after %d rounds of 16 callers", n, round+1)
		}
	}
	if err := w.Sync(); err != nil || syncs.Load() != 3 {
		t.Errorf("a sync with nothing to cover went to the disk: %v", err)
	}
}

func TestSyncDoesNotTrustOneThatBeganEarlier(t *testing.T) {
	var w *Writer
	var once sync.Once
	var syncs atomic.Int32
	row := prepareAll(t, []Content{{ID: "x"}})
	fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpFileSyncData {
			syncs.Add(1)
			// A write that is done after the sync began.
			once.Do(func() { w.written.Add(1) })
		}
		return nil
	}))
	w = newStore(t, fs).create(t)
	defer finish(t, w)
	if _, err := w.Append(row); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := w.Sync(); err != nil {
			t.Fatal(err)
		}
	}
	if syncs.Load() != 2 {
		t.Fatalf("%d syncs, want 2: the second write came after the first sync began", syncs.Load())
	}
}

func TestCreateRefusesAFileThatIsThere(t *testing.T) {
	s := newStore(t, vfs.NewMem())
	finish(t, s.create(t))
	before := readFile(t, s.fs, s.path)
	if _, err := Create(s.fs, s.path, s.id, s.reader.Public()); !errors.Is(err, iofs.ErrExist) {
		t.Fatalf("got %v, want ErrExist", err)
	}
	wantEqual(t, "the file", readFile(t, s.fs, s.path), before)
}

func TestClosedWriterWritesNothing(t *testing.T) {
	s := newStore(t, vfs.NewMem())
	w := s.create(t)
	finish(t, w)
	before := readFile(t, s.fs, s.path)
	if _, err := w.Append(prepareAll(t, []Content{{ID: "x"}})); !errors.Is(err, errWriterClosed) {
		t.Errorf("Append: %v", err)
	}
	if err := w.Sync(); !errors.Is(err, errWriterClosed) {
		t.Errorf("Sync: %v", err)
	}
	wantEqual(t, "the file", readFile(t, s.fs, s.path), before)
}

func TestUnpreparedRowReservesNothing(t *testing.T) {
	s := newStore(t, vfs.NewMem())
	w := s.create(t)
	defer finish(t, w)
	if _, err := w.Append([]Row{{}}); err == nil {
		t.Fatal("a row without a head was taken")
	}
	if w.Rows() != 0 || w.Size() != DataStart || w.Err() != nil {
		t.Fatalf("rows %d, size %d, error %v", w.Rows(), w.Size(), w.Err())
	}
}

func TestReservationsNeverOverflow(t *testing.T) {
	s := newStore(t, vfs.NewMem())
	w := s.create(t)
	defer finish(t, w)
	rows := prepareAll(t, []Content{{ID: "a"}, {ID: "b"}})
	w.mu.rows = 1<<32 - 2
	if _, err := w.Append(rows); err == nil {
		t.Fatal("row numbers wrapped")
	}
	w.mu.rows, w.mu.end = 0, maxDataEnd-3
	if _, err := w.Append(rows); err == nil {
		t.Fatal("offsets left the allowed range")
	}
	if w.Err() != nil {
		t.Fatalf("a refused reservation poisoned the writer: %v", w.Err())
	}
}
