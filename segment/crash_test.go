package segment

import (
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"errors"
	"oubliette/internal/fault"
)

// crashPoints runs body on a crashable disk and answers what the disk may hold
// after a crash before each of its mutations and after the last, with a random
// part of what was not synced.
func crashPoints(t *testing.T, rng *rand.Rand, mem *vfs.MemFS, body func(fs vfs.FS)) []*vfs.MemFS {
	t.Helper()
	var clones []*vfs.MemFS
	clone := func() {
		for _, percent := range []int{0, 50, 100} {
			clones = append(clones, mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rng}))
		}
	}
	body(errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if mutates(op.Kind) {
			clone()
		}
		return nil
	})))
	clone()
	return clones
}

func syncDir(t *testing.T, fs vfs.FS) {
	t.Helper()
	d, err := fs.OpenDir("")
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		t.Fatal(err)
	}
}

func TestSyncedRowsSurviveACrash(t *testing.T) {
	rng := seeded(t)
	mem := vfs.NewCrashableMem()
	s := newStore(t, mem)
	w := s.create(t)
	defer finish(t, w)
	syncDir(t, mem)
	content := someContent(rng, 60)
	durable := 0
	var ptrs []Pointer
	type point struct {
		fs      *vfs.MemFS
		durable int
	}
	var points []point
	for i := 0; i < len(content); i += 5 {
		got, err := w.Append(prepareAll(t, content[i:i+5]))
		if err != nil {
			t.Fatal(err)
		}
		ptrs = append(ptrs, got...)
		if rng.IntN(2) == 0 {
			if err := w.Sync(); err != nil {
				t.Fatal(err)
			}
			durable = len(ptrs)
		}
		points = append(points, point{mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng}), durable})
	}
	for _, p := range points {
		s.fs = p.fs
		f := s.open(t, w.DEKCommitment())
		for i := range ptrs {
			got, err := f.Read(ptrs[i], WantAll)
			switch {
			case err == nil:
				wantEqual(t, "row", got, content[i])
			case i < p.durable:
				t.Fatalf("synced row %d of %d is gone: %v", i, p.durable, err)
			default:
				wantCorrupt(t, "row that was not synced", err)
			}
		}
	}
}

func TestSegmentIsWholeOrRefusedAfterACrashInCreate(t *testing.T) {
	rng := seeded(t)
	mem := vfs.NewCrashableMem()
	s := newStore(t, mem)
	for _, fs := range crashPoints(t, rng, mem, func(fs vfs.FS) {
		w, err := Create(fs, s.path, s.id, s.reader.Public())
		if err != nil {
			t.Fatal(err)
		}
		finish(t, w)
		syncDir(t, fs)
	}) {
		if f, err := Open(fs, s.path, s.id); err == nil {
			f.Release()
		} else if _, serr := fs.Stat(s.path); serr == nil {
			wantCorrupt(t, "half made segment", err)
		}
		if err := Destroy(fs, s.path); err != nil {
			t.Fatalf("a half made segment can't be destroyed: %v", err)
		}
	}
}

func TestIndexIsWrittenAgainAfterACrash(t *testing.T) {
	rng := seeded(t)
	mem := vfs.NewCrashableMem()
	s := newStore(t, mem)
	c := writeClosed(t, s, someContent(rng, 300))
	syncDir(t, mem)
	points := crashPoints(t, rng, mem, func(fs vfs.FS) {
		if _, err := WriteIndex(fs, s.path, c.in, s.mapKey, s.signer); err != nil {
			t.Fatal(err)
		}
	})
	for _, fs := range points {
		again := *c
		again.store = &store{}
		*again.store = *s
		again.fs = fs
		again.in.Entries = c.in.Entries[:len(c.in.Entries)-rng.IntN(290)] // fewer live by now
		ref, err := WriteIndex(fs, s.path, again.in, s.mapKey, s.signer)
		if err != nil {
			t.Fatal(err)
		}
		again.ref = ref
		f := again.open(t, c.in.DEK)
		var all []Entry
		if err := again.table(t, f).All(func(e Entry) error { all = append(all, e); return nil }); err != nil {
			t.Fatal(err)
		}
		wantEqual(t, "entries", all, again.in.Entries)
		if found, err := FindFooter(f); err != nil || found != ref {
			t.Fatalf("the tail leads to %+v, %v", found, err)
		}
	}
}

func TestErasureIsFinishedAfterACrash(t *testing.T) {
	rng := seeded(t)
	mem := vfs.NewCrashableMem()
	s := newStore(t, mem)
	c := writeClosed(t, s, someContent(rng, 300))
	syncDir(t, mem)
	area := Extent{DataStart, c.in.DataEnd - DataStart}
	var dead []Extent
	for i := 0; i < 300; i += 3 {
		dead = append(dead, c.ptrs[i].Extent())
	}
	points := crashPoints(t, rng, mem, func(fs vfs.FS) {
		if _, err := Overwrite(fs, s.path, s.id.Segment, dead, area); err != nil {
			t.Fatal(err)
		}
	})
	for n, fs := range points {
		f, err := Open(fs, s.path, s.id)
		if err != nil {
			t.Fatal(err)
		}
		if n >= len(points)-3 { // Overwrite had returned
			if err := CheckErased(f, dead); err != nil {
				t.Fatalf("erased and synced, but after a crash: %v", err)
			}
		}
		if _, err := Overwrite(fs, s.path, s.id.Segment, dead, area); err != nil {
			t.Fatal(err)
		}
		if err := CheckErased(f, dead); err != nil {
			t.Fatal(err)
		}
		if err := f.Unlock(s.reader, c.in.DEK); err != nil {
			t.Fatal(err)
		}
		for i, p := range c.ptrs {
			if got, err := f.Read(p, WantAll); i%3 != 0 {
				if err != nil {
					t.Fatal(err)
				}
				wantEqual(t, "live row", got, c.content[i])
			} else if !errors.Is(err, fault.ErrCorrupt) {
				t.Fatalf("erased row answers %v", err)
			}
		}
		f.Release()
	}
}

func TestDestroyedHeaderStaysGoneAfterACrash(t *testing.T) {
	rng := seeded(t)
	mem := vfs.NewCrashableMem()
	s := newStore(t, mem)
	finish(t, s.create(t))
	syncDir(t, mem)
	points := crashPoints(t, rng, mem, func(fs vfs.FS) {
		if err := Destroy(fs, s.path); err != nil {
			t.Fatal(err)
		}
	})
	for _, fs := range points[len(points)-3:] {
		if _, err := fs.Stat(s.path); err == nil { // the directory was not synced
			if !allZero(readFile(t, fs, s.path)[:DataStart]) {
				t.Fatal("a crash brought the header back")
			}
		}
	}
	for _, fs := range points {
		if err := Destroy(fs, s.path); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSegmentOpensUnderOneEpochAfterACrashInReseal(t *testing.T) {
	rng := seeded(t)
	mem := vfs.NewCrashableMem()
	s := newStore(t, mem)
	w := s.create(t)
	commit := w.DEKCommitment()
	finish(t, w)
	syncDir(t, mem)
	next := newStore(t, mem).reader
	file := s.open(t, commit)
	for _, fs := range crashPoints(t, rng, mem, func(fs vfs.FS) {
		if err := file.Reseal(fs, s.reader, commit, s.id.Epoch+1, next.Public()); err != nil {
			t.Fatal(err)
		}
	}) {
		s.fs = fs
		s.open(t, commit) // the old epoch counts until the caller's commit
	}
}
