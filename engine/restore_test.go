package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"oubliette/engine"
	"oubliette/internal/latchfs/failfs"
)

const restoringDir = storeDir + ".restoring"

// deletedMeanwhile is a backup during which items were deleted and erased, which
// its stream has: what is left of them, and what lives.
func deletedMeanwhile(t testing.TB) (stream []byte, keys map[string]engine.Key, gone *residue, want map[string]engine.Item) {
	t.Helper()
	defer engine.TailLimit(16 << 10)()
	s, ix, want := filled(t)
	b := stalled(t, s.DB, 250<<10)
	gone = new(residue)
	gone.note(t, s, ix, []string{"p0", "q3", "q36", "r9"})
	everyThird(t, ix, want)
	got(ix.Purge(context.Background()))(t)
	stream = b.goOn(t)
	if gone.foundIn(t, stream) == 0 {
		t.Fatal("the stream has nothing that the restored store must not have")
	}
	return stream, s.keys, gone, want
}

// standsWhole opens a store and holds it against what was backed up.
func standsWhole(t testing.TB, fs vfs.FS, keys map[string]engine.Key, gone *residue, want map[string]engine.Item) error {
	t.Helper()
	if found := gone.search(t, fs); len(found) > 0 {
		return fmt.Errorf("before anybody has opened it: %v is left", found)
	}
	ctx := context.Background()
	db, err := engine.Open(storeDir, &engine.Options{FS: fs})
	if err != nil {
		return err
	}
	defer db.Close()
	ix, err := db.LoadIndex(ctx, "a", engine.WithIndexKey(keys["a"]))
	if err != nil {
		return err
	}
	wantItems(t, ix, want)
	_, err = ix.Check(ctx)
	return err
}

func exists(fs vfs.FS, path string) bool {
	_, err := fs.Stat(path)
	return !errors.Is(err, os.ErrNotExist)
}

// TestARestoreIsWholeOrNotThereAcrossCrash crashes Restore at its mutations: what
// is left is no store, or the whole one; the next Restore makes it, and leaves
// nothing beside it. What had been deleted is in no file of it.
func TestARestoreIsWholeOrNotThereAcrossCrash(t *testing.T) {
	ctx := context.Background()
	rng := newRand(t)
	stream, keys, gone, want := deletedMeanwhile(t)
	counting, fs := newCrashRecorder(vfs.NewCrashableMem(), 0, crashNever)
	must(t, engine.RestoreWith(ctx, bytes.NewReader(stream), storeDir, &engine.Options{FS: fs}))
	rounds := 1
	sample := func(point int) []crashStyle { // the end is where it gets its name
		if point > counting.points-30 {
			return []crashStyle{crashStyles[rng.IntN(len(crashStyles))]}
		}
		return crashSample(rng, 60, 500)(point)
	}
	if crashLong() {
		rounds = 4
	}
	for round := range rounds {
		if crashLong() {
			sample = crashSlice(round, rounds)
		}
		mem := vfs.NewCrashableMem()
		rec, fs := newCrashRecorder(mem, rng.Uint64(), sample)
		must(t, engine.RestoreWith(ctx, bytes.NewReader(stream), storeDir, &engine.Options{FS: fs}))
		images := rec.stop()
		whole := 0
		for _, im := range images {
			err := func() error {
				if exists(im.fs, storeDir) {
					whole++
					return standsWhole(t, im.fs, keys, gone, want)
				}
				if err := engine.RestoreWith(ctx, bytes.NewReader(stream), storeDir, &engine.Options{FS: im.fs}); err != nil {
					return err
				}
				if exists(im.fs, restoringDir) {
					return errors.New("a folder is left")
				}
				return standsWhole(t, im.fs, keys, gone, want)
			}()
			if err != nil {
				t.Errorf("%v: %v", im, err)
			}
			im.fs = nil
		}
		t.Logf("%d mutations, %d images, %d with the store in place", rec.points, len(images), whole)
		must(t, standsWhole(t, mem.CrashClone(vfs.CrashCloneCfg{}), keys, gone, want)) // it is durable
	}
}

// TestARestoreThatFailsLeavesNothing fails mutations and reads of Restore, each in
// several ways: it is told, there is no store, and the next one is made.
func TestARestoreThatFailsLeavesNothing(t *testing.T) {
	ctx := context.Background()
	rng := newRand(t)
	stream, keys, gone, want := deletedMeanwhile(t)
	plans := []faultPlan{{what: "failed read", reads: true, err: syscall.EIO}}
	plans = append(plans, faultMutations("")...)
	for _, plan := range plans {
		t.Run(plan.what, func(t *testing.T) {
			runs := 0
			for k := rng.IntN(7); !t.Failed(); k += 1 + rng.IntN(stepOf(60)) {
				mem := vfs.NewCrashableMem()
				in := &faultInjector{faultPlan: plan, k: k}
				fs := failfs.New(errorfs.Wrap(mem, in), in.verdict)
				err := engine.RestoreWith(ctx, bytes.NewReader(stream), storeDir, &engine.Options{FS: fs})
				fired := in.hasFired()
				in.pause(1)
				if runs++; err == nil {
					if err := standsWhole(t, mem, keys, gone, want); err != nil {
						t.Errorf("after %s: %v", fired, err)
					}
				} else {
					if errors.Is(err, engine.ErrDamaged) && plan.reads {
						t.Errorf("%s is called damage: %v", fired, err)
					}
					if exists(mem, storeDir) {
						if !plan.sticky || !strings.Contains(err.Error(), "the store is in "+storeDir) {
							t.Errorf("after %s: %v, and there is a store", fired, err)
						}
						must(t, standsWhole(t, mem, keys, gone, want))
						continue
					}
					if err := engine.RestoreWith(ctx, bytes.NewReader(stream), storeDir, &engine.Options{FS: mem}); err != nil {
						t.Errorf("again after %s: %v", fired, err)
					} else if err := standsWhole(t, mem, keys, gone, want); err != nil {
						t.Errorf("again after %s: %v", fired, err)
					}
				}
				if exists(mem, restoringDir) && err == nil && fired == "" {
					t.Error("a folder is left")
				}
				if fired == "" {
					break
				}
			}
			t.Logf("%d runs", runs)
		})
	}
}

func stepOf(n int) int {
	if crashLong() {
		return 1
	}
	return n
}

// TestNothingIsRestoredOfAStreamThatIsNotWhole: cut or altered anywhere.
func TestNothingIsRestoredOfAStreamThatIsNotWhole(t *testing.T) {
	ctx := context.Background()
	rng := newRand(t)
	stream, _, _, _ := deletedMeanwhile(t)
	mem := vfs.NewMem()
	try := func(b []byte) error {
		t.Helper()
		err := engine.RestoreWith(ctx, bytes.NewReader(b), storeDir, &engine.Options{FS: mem})
		if names, _ := mem.List("/"); len(names) != 0 || err == nil {
			t.Fatalf("%v, and %v is left", err, names)
		}
		return err
	}
	for range 60 {
		n := rng.IntN(len(stream))
		if err := try(stream[:n]); !errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, engine.ErrDamaged) {
			t.Errorf("cut at %d: %v", n, err)
		}
		if n = 14 + rng.IntN(len(stream)-14); true {
			b := bytes.Clone(stream)
			b[n] ^= 1 << rng.IntN(8)
			if err := try(b); !errors.Is(err, engine.ErrDamaged) {
				t.Errorf("altered at %d: %v", n, err)
			}
		}
	}
	for what, c := range map[string]struct {
		b    []byte
		want error
	}{
		"foreign": {[]byte("a letter to a friend"), engine.ErrForeign},
		"newer":   {append([]byte("OUBLBAK\x00\x02\x00"), stream[10:]...), engine.ErrNewer},
		"empty":   {nil, io.ErrUnexpectedEOF},
	} {
		if err := try(c.b); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", what, err)
		}
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	wantError(t, engine.RestoreWith(ended, bytes.NewReader(stream), storeDir, &engine.Options{FS: mem}), context.Canceled)
	if names, _ := mem.List("/"); len(names) != 0 {
		t.Errorf("%v is left", names)
	}
}

// TestRestoreTouchesNothingThatIsThere.
func TestRestoreTouchesNothingThatIsThere(t *testing.T) {
	ctx := context.Background()
	s, _, want := filled(t)
	stream := backedUp(t, s.DB)
	restore := func(dir string) error { return engine.RestoreWith(ctx, bytes.NewReader(stream), dir, nil) }
	at := t.TempDir()
	dir := filepath.Join(at, "store")

	must(t, os.Mkdir(dir, 0o700))
	must(t, restore(dir)) // an empty folder is as good as none
	before := readDisk(t, at)
	wantError(t, restore(dir), iofs.ErrExist, dir)
	wantError(t, restore(filepath.Join(at, "no", "such")), os.ErrNotExist)
	wantError(t, restore(""), engine.ErrInvalid)
	wantError(t, engine.RestoreWith(ctx, bytes.NewReader(stream), filepath.Join(at, "x"), &engine.Options{ReadOnly: true}), engine.ErrInvalid)
	wantError(t, engine.RestoreWith(ctx, bytes.NewReader(stream), filepath.Join(at, "x"), &engine.Options{SegmentSize: 1}), engine.ErrInvalid)

	// What stands where the store is to be made is no restore's.
	other := filepath.Join(at, "other")
	must(t, os.Mkdir(other+".restoring", 0o700))
	must(t, os.WriteFile(filepath.Join(other+".restoring", "letter"), []byte("mine"), 0o600))
	wantError(t, restore(other), engine.ErrForeign, "letter")
	must(t, os.RemoveAll(other+".restoring"))
	must(t, os.Symlink(dir, other+".restoring"))
	wantError(t, restore(other), engine.ErrForeign)
	must(t, os.Remove(other+".restoring"))
	must(t, os.Mkdir(other+".restoring", 0o700))
	must(t, os.Symlink(dir, filepath.Join(other+".restoring", "store")))
	if err := restore(other); err == nil {
		t.Error("a link was followed")
	}
	must(t, os.RemoveAll(other+".restoring"))
	if after := readDisk(t, at); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Error("something was changed")
	}
	must(t, restore(other))
	db := got(engine.Open(other, nil))(t)
	wantItems(t, got(db.LoadIndex(ctx, "a", engine.WithIndexKey(s.keys["a"])))(t), want)
	must(t, db.Close())
}

// readDisk is every file below a folder of the operating system's.
func readDisk(t testing.TB, dir string) map[string]string {
	t.Helper()
	out := make(map[string]string)
	must(t, filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() || strings.HasSuffix(path, "LOCK") {
			return err
		}
		b, err := os.ReadFile(path)
		out[path] = string(b)
		return err
	}))
	return out
}

// TestTwoTwinsAreWrittenOn: source and restored store go on, each by itself.
func TestTwoTwinsAreWrittenOn(t *testing.T) {
	ctx := context.Background()
	s, ix, want := filled(t)
	r := restored(t, backedUp(t, s.DB), s.keys)
	twin := r.load("a")
	must(t, ix.Upsert(ctx, []engine.Item{makeItem("mine", 1)}))
	must(t, twin.Upsert(ctx, []engine.Item{makeItem("mine", 2)}))
	got(ix.Delete(ctx, []string{"p1"}))(t)
	must(t, twin.Compact(ctx))
	next := engine.NewKey()
	must(t, twin.RotateKey(ctx, r.keys["a"], next))
	r.keys["a"] = next
	delete(want, "p1")
	want["mine"] = makeItem("mine", 1)
	wantItems(t, ix, want)
	want["p1"], want["mine"] = sizedItem("p1", 1, 4000), makeItem("mine", 2)
	wantItems(t, r.load("a"), want)
}

// TestARestoredStoreTakesFromItsLedgerWhatItsBackupLacks: what was deleted after
// the backup is not there again.
func TestARestoredStoreTakesFromItsLedgerWhatItsBackupLacks(t *testing.T) {
	ctx := context.Background()
	disk := vfs.NewMem()
	s, ix, want := filled(t, keptOn(disk))
	stream := backedUp(t, s.DB)
	var gone residue
	gone.note(t, s, ix, []string{"p0", "q3", "r9"})
	everyThird(t, ix, want)
	s.close()
	for _, given := range []bool{false, true} {
		mem := vfs.NewCrashableMem()
		opts := &engine.Options{FS: mem}
		if given {
			keptOn(disk)(opts)
		}
		must(t, engine.RestoreWith(ctx, bytes.NewReader(stream), storeDir, opts))
		_, err := engine.Open(storeDir, &engine.Options{FS: mem})
		wantError(t, err, engine.ErrLedgerRequired)
		r := openStore(t, mem, s.keys, keptOn(disk))
		wantItems(t, r.load("a"), want, "p0")
		got(r.load("a").Purge(ctx))(t)
		gone.wantGone(t, mem)
		r.checkAll()
		r.close() // it has deleted nothing itself: the ledger is as good for the next
	}
}
