package segment

import (
	"errors"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"oubliette/internal/fault"
)

var errDisk = errors.New("injected disk error")

// failing fails the k-th operation of its kind, counted from 0, and remembers
// how many mutations reached the file behind it after that.
type failing struct {
	at    int32
	kinds func(errorfs.OpKind) bool
	seen  atomic.Int32
	fired atomic.Bool
	after atomic.Int32
}

func (f *failing) String() string { return "fail the k-th" }

func (f *failing) MaybeError(op errorfs.Op) error {
	if !f.kinds(op.Kind) {
		return nil
	}
	if f.seen.Add(1)-1 == f.at {
		f.fired.Store(true)
		return errDisk
	}
	if f.fired.Load() && mutates(op.Kind) {
		f.after.Add(1)
	}
	return nil
}

func mutates(k errorfs.OpKind) bool {
	switch k {
	case errorfs.OpCreate, errorfs.OpRemove, errorfs.OpRename,
		errorfs.OpFileWrite, errorfs.OpFileWriteAt, errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo:
		return true
	}
	return false
}

func anyOp(errorfs.OpKind) bool { return true }

// forEachFailure runs body with the k-th operation failing, for every k until
// none fires.
func forEachFailure(t *testing.T, kinds func(errorfs.OpKind) bool, body func(t *testing.T, fs vfs.FS, mem *vfs.MemFS, f *failing)) {
	t.Helper()
	for k := int32(0); ; k++ {
		mem := vfs.NewMem()
		f := &failing{at: k, kinds: kinds}
		body(t, errorfs.Wrap(mem, f), mem, f)
		if t.Failed() {
			t.Fatalf("with operation %d failing", k)
		}
		if !f.fired.Load() {
			if k == 0 {
				t.Fatal("no operation was counted")
			}
			return
		}
		if k > 1000 {
			t.Fatal("operations do not end")
		}
	}
}

func TestFailedWriteOrSyncPoisonsTheWriterForGood(t *testing.T) {
	content := someContent(seeded(t), 10)
	rows := prepareAll(t, content)
	forEachFailure(t, anyOp, func(t *testing.T, fs vfs.FS, mem *vfs.MemFS, f *failing) {
		s := newStore(t, fs)
		w, err := Create(fs, s.path, s.id, s.reader.Public())
		if err != nil {
			if !errors.Is(err, errDisk) || f.after.Load() != 0 {
				t.Errorf("Create: %v, %d mutations after it", err, f.after.Load())
			}
			return
		}
		defer finish(t, w)
		var first error
		step := func(err error) {
			switch {
			case first == nil && err != nil:
				first = err
			case first != nil && err != first:
				t.Errorf("poisoned with %v, then answered %v", first, err)
			}
		}
		for range 3 {
			_, err := w.Append(rows)
			step(err)
			step(w.Sync())
		}
		step(w.Err())
		if f.fired.Load() != (first != nil) || first != nil && !errors.Is(first, errDisk) {
			t.Errorf("failed: %v, but the answer is %v", f.fired.Load(), first)
		}
		if f.after.Load() != 0 {
			t.Errorf("%d mutations after the error", f.after.Load())
		}
	})
}

func TestFailedReadIsAnErrorAndNoAnswer(t *testing.T) {
	content := someContent(seeded(t), 5)
	reads := func(k errorfs.OpKind) bool {
		return k == errorfs.OpFileReadAt || k == errorfs.OpFileStat || k == errorfs.OpOpen
	}
	forEachFailure(t, reads, func(t *testing.T, fs vfs.FS, mem *vfs.MemFS, f *failing) {
		s := newStore(t, mem)
		c := writeClosed(t, s, content)
		err := func() error {
			file, err := Open(fs, s.path, s.id)
			if err != nil {
				return err
			}
			defer file.Release()
			if err := file.Unlock(s.reader, c.in.DEK); err != nil {
				return err
			}
			for i, p := range c.ptrs {
				got, err := file.Read(p, WantAll)
				if err != nil {
					return err
				}
				wantEqual(t, "row", got, content[i])
			}
			tab, err := OpenTable(file, c.ref, c.mapKey, c.in.DEK, c.verify)
			if err != nil {
				return err
			}
			return tab.All(func(Entry) error { return nil })
		}()
		if f.fired.Load() != (err != nil) || err != nil && (!errors.Is(err, errDisk) || errors.Is(err, fault.ErrCorrupt)) {
			t.Errorf("failed: %v, answered: %v", f.fired.Load(), err)
		}
	})
}

func TestFailedWriteIndexSaysSoAndCanBeRepeated(t *testing.T) {
	content := someContent(seeded(t), 200)
	forEachFailure(t, anyOp, func(t *testing.T, fs vfs.FS, mem *vfs.MemFS, f *failing) {
		s := newStore(t, mem)
		c := writeClosed(t, s, content)
		ref, err := WriteIndex(fs, s.path, c.in, s.mapKey, s.signer)
		if f.fired.Load() != (err != nil) || err != nil && !errors.Is(err, errDisk) {
			t.Errorf("failed: %v, answered %v", f.fired.Load(), err)
		}
		if f.after.Load() != 0 {
			t.Errorf("%d mutations after the error", f.after.Load())
		}
		if err != nil {
			if ref, err = WriteIndex(mem, s.path, c.in, s.mapKey, s.signer); err != nil {
				t.Fatal(err)
			}
		}
		c.ref = ref
		if n := c.table(t, s.open(t, c.in.DEK)).Entries(); n != len(content) {
			t.Errorf("%d entries", n)
		}
	})
}

func TestFailedErasureSaysSoAndCanBeRepeated(t *testing.T) {
	content := someContent(seeded(t), 20)
	forEachFailure(t, anyOp, func(t *testing.T, fs vfs.FS, mem *vfs.MemFS, f *failing) {
		s := newStore(t, mem)
		c := writeClosed(t, s, content)
		dead := []Extent{c.ptrs[3].Extent(), c.ptrs[9].Extent()}
		area := Extent{DataStart, c.in.DataEnd - DataStart}
		n, err := Overwrite(fs, s.path, s.id.Segment, dead, area)
		if f.fired.Load() != (err != nil) || err != nil && (n != 0 || !errors.Is(err, errDisk)) {
			t.Errorf("failed: %v, answered %d, %v", f.fired.Load(), n, err)
		}
		if f.after.Load() != 0 {
			t.Errorf("%d mutations after the error", f.after.Load())
		}
		if err != nil {
			if n, err = Overwrite(mem, s.path, s.id.Segment, dead, area); err != nil || n != dead[0].Len+dead[1].Len {
				t.Fatalf("again: %d, %v", n, err)
			}
		}
		if err := CheckErased(s.open(t, c.in.DEK), dead); err != nil {
			t.Error(err)
		}
	})
}

func TestFailedDestroyNeverUnlinksAWholeHeader(t *testing.T) {
	forEachFailure(t, anyOp, func(t *testing.T, fs vfs.FS, mem *vfs.MemFS, f *failing) {
		s := newStore(t, mem)
		finish(t, s.create(t))
		err := Destroy(fs, s.path)
		if f.fired.Load() != (err != nil) || err != nil && !errors.Is(err, errDisk) {
			t.Errorf("failed: %v, answered %v", f.fired.Load(), err)
		}
		if f.after.Load() != 0 {
			t.Errorf("%d mutations after the error", f.after.Load())
		}
		_, statErr := mem.Stat(s.path)
		if err != nil && statErr != nil {
			t.Error("the file was unlinked although its header's erasure failed")
		}
		if err == nil && statErr == nil {
			t.Error("the file is still there")
		}
		if err := Destroy(mem, s.path); err != nil {
			t.Error(err)
		}
	})
}

func TestFailedResealKeepsTheOldSlot(t *testing.T) {
	forEachFailure(t, anyOp, func(t *testing.T, fs vfs.FS, mem *vfs.MemFS, f *failing) {
		s := newStore(t, mem)
		w := s.create(t)
		commit := w.DEKCommitment()
		finish(t, w)
		file := s.open(t, commit)
		next := newStore(t, mem).reader
		err := file.Reseal(fs, s.reader, commit, s.id.Epoch+1, next.Public())
		if err == nil {
			_, err = EraseOldSlot(fs, s.path, s.id.Segment, next.Public().Hash())
		} else {
			s.open(t, commit) // still opens under the old epoch
		}
		if f.fired.Load() != (err != nil) || err != nil && !errors.Is(err, errDisk) {
			t.Errorf("failed: %v, answered %v", f.fired.Load(), err)
		}
		if f.after.Load() != 0 {
			t.Errorf("%d mutations after the error", f.after.Load())
		}
	})
}
