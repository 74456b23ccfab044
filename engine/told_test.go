package engine_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"oubliette/engine"
	"oubliette/internal/latchfs/failfs"
)

// What could not be erased is told, and tried again.

// badBlocks fails writes into a file, or into every segment, while it is told to.
type badBlocks struct{ path atomic.Value }

const everySegment = ".seg"

func (b *badBlocks) String() string { return "bad blocks" }

func (b *badBlocks) MaybeError(op errorfs.Op) error {
	path, _ := b.path.Load().(string)
	if path != "" && op.Kind == errorfs.OpFileWriteAt && strings.HasSuffix(op.Path, path) {
		return errors.New("bad block")
	}
	return nil
}

// A DeleteIndex that cannot read what files there are has changed nothing: the
// index is there, and the next call removes it.
func TestDeleteIndexThatFailsOnAReadCanBeCalledAgain(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	ix := s.create("a")
	items := makeItems("k", 20)
	must(t, ix.Upsert(ctx, items))
	must(t, ix.Roll(ctx))
	must(t, ix.SealNow(ctx))
	var gone residue
	gone.note(t, s, ix, idsOf(items))
	s.reopen() // nobody has loaded the index
	must(t, s.WithoutDatabase(func() {
		if err := s.DeleteIndex(ctx, "a", s.keys["a"]); err == nil || errors.Is(err, engine.ErrIndexNotFound) {
			t.Errorf("DeleteIndex beside a database that does not read: %v", err)
		}
	}))
	if names := got(s.ListIndexes())(t); !slices.Equal(names, []string{"a"}) {
		t.Errorf("indexes %q after a DeleteIndex that failed", names)
	}
	wantItems(t, s.load("a"), byID(items...))
	must(t, s.DeleteIndex(ctx, "a", s.keys["a"]))
	delete(s.keys, "a")
	gone.wantGone(t, s.fs)
}

// Open finishes an erasure that a crash has cut off. If it cannot, the dead bytes
// stay, and whoever holds no key is told as well: by Metrics and by Close.
func TestAnErasureThatOpenCannotFinishIsTold(t *testing.T) {
	ctx := context.Background()
	first := newStore(t)
	ix := first.create("a")
	must(t, ix.Upsert(ctx, makeItems("k", 20)))
	must(t, ix.Roll(ctx))
	must(t, ix.SealNow(ctx))
	var gone residue
	gone.note(t, first, ix, []string{"k1"})
	got(ix.Delete(ctx, []string{"k1"}))(t)
	var mem *vfs.MemFS
	must(t, ix.ApplyNow(ctx, func() { mem = first.fs.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{}) }))

	bad := new(badBlocks)
	bad.path.Store(everySegment)
	s := openStore(t, errorfs.Wrap(mem, bad), first.keys)
	m, ok := s.Metrics().Indexes["a"]
	if !ok || m.Err == nil || !strings.Contains(m.Err.Error(), "bad block") {
		t.Errorf("metrics of an index whose erasure could not be finished: %+v", m)
	}
	err := s.DB.Close()
	var p *engine.PendingError
	if !errors.As(err, &p) || !slices.Equal(p.Indexes, []string{"a"}) || p.Err == nil || !strings.Contains(p.Err.Error(), "bad block") {
		t.Errorf("Close answers %v", err)
	}
	if gone.erased(t, mem) {
		t.Fatal("erased on a disk that takes no writes")
	}
	bad.path.Store("")
	s.open() // still without a key
	gone.wantGone(t, mem)
	if m := s.Metrics().Indexes["a"]; m.Err != nil {
		t.Errorf("metrics after an erasure that Open has finished: %+v", m)
	}
	wantItems(t, s.load("a"), without(byID(makeItems("k", 20)...), "k1"), "k1")
}

// A file whose rows have moved and that cannot be destroyed holds what was
// deleted: it is told, and tried again as long as the deadline is, not a minute
// later.
func TestADoomedFileIsTriedAgainWithinTheDeadline(t *testing.T) {
	ctx := context.Background()
	const deadline = 400 * time.Millisecond
	bad := new(badBlocks)
	mem := vfs.NewCrashableMem()
	s := openStore(t, errorfs.Wrap(mem, bad), nil, within(deadline))
	ix := s.create("a")
	must(t, ix.Upsert(ctx, makeItems("k", 20)))
	must(t, ix.Roll(ctx))
	must(t, ix.SealNow(ctx))
	path := got(ix.SealedRows(ctx, []string{"k1"}))(t)[0].Path
	var gone residue
	gone.note(t, s, ix, []string{"k1"})
	bad.path.Store(path)
	got(ix.Delete(ctx, []string{"k1"}))(t)
	moved := func() bool {
		sealed, _, err := ix.SegmentPaths(ctx)
		return err == nil && !slices.Contains(sealed, path)
	}
	eventually(t, deadline+slack, "the rows move", moved)
	told := func() bool {
		err := s.Metrics().Indexes["a"].Err
		return err != nil && strings.Contains(err.Error(), "bad block")
	}
	eventually(t, deadline+slack, "metrics tell", told)
	time.Sleep(deadline) // it fails again and again
	if !told() {
		t.Errorf("metrics while the file cannot be destroyed: %+v", s.Metrics().Indexes["a"])
	}
	if gone.erased(t, mem) {
		t.Fatal("erased in a file that takes no writes")
	}
	bad.path.Store("")
	eventually(t, deadline+slack, "the file is destroyed", func() bool { return gone.erased(t, mem) })
	gone.wantGone(t, mem)
	eventually(t, slack, "metrics tell of no error any more", func() bool { return s.Metrics().Indexes["a"].Err == nil })
	wantItems(t, ix, without(byID(makeItems("k", 20)...), "k1"), "k1")
}

// What a failed append has written has no row and no dead record while its file
// cannot be moved. A Purge meanwhile must not say that all is erased.
func TestPurgeTellsOfWhatAFailedAppendHasWritten(t *testing.T) {
	ctx := context.Background()
	const (
		good    = iota
		failing // the next write of rows is done, and told as failed
		full    // no file can be made
	)
	var disk atomic.Int32
	mem := vfs.NewCrashableMem()
	fs := failfs.New(mem, func(_ int, op, path string) failfs.Verdict {
		if !strings.HasSuffix(path, ".seg") {
			return failfs.Pass
		}
		if op == "write" && disk.CompareAndSwap(failing, full) {
			return failfs.Late
		}
		if _, err := mem.Stat(path); op == "open" && err != nil && disk.Load() == full {
			return failfs.Refuse
		}
		return failfs.Pass
	})
	s := openStore(t, fs, nil)
	ix := s.create("a")
	must(t, ix.Upsert(ctx, []engine.Item{makeItem("other", 1)}))
	_, open, err := ix.SegmentPaths(ctx)
	must(t, err)
	before := got(s.WrittenSince(open[0], 0))(t)
	disk.Store(failing)
	wantError(t, ix.Upsert(ctx, []engine.Item{makeItem("secret", 1)}), failfs.ErrInjected)
	written := got(s.WrittenSince(open[0], int64(len(before))))(t)
	if len(bytes.Trim(written, "\x00")) < 100 {
		t.Fatalf("the failed append has written %d bytes", len(written))
	}
	var gone residue
	gone.add("secret", written)
	got(ix.Delete(ctx, []string{"secret"}))(t)
	for range 3 {
		if _, err := ix.Purge(ctx); err == nil && !gone.erased(t, mem) {
			t.Error("Purge certifies while the bytes of a failed append stand in a file")
		} else if err != nil && !errors.Is(err, failfs.ErrInjected) {
			t.Errorf("Purge on a full disk: %v", err)
		}
	}
	if gone.erased(t, mem) {
		t.Fatal("erased although the file cannot be moved: this test is to be thought over")
	}
	disk.Store(good)
	got(ix.Purge(ctx))(t)
	gone.wantGone(t, mem)
	wantItems(t, ix, byID(makeItem("other", 1)), "secret")
}
