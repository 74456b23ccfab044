package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/engine"
)

// scene is a closed store with a sealed segment in which rows have died, an
// open one as a crash leaves it, and a log with rows and tombstones that are
// not applied.
type scene struct {
	files map[string][]byte
	key   engine.Key
	want  map[string]engine.Item
	gone  []string
	index string // its id
}

func newScene(t testing.TB) *scene {
	t.Helper()
	ctx := context.Background()
	s := newStore(t)
	ix := s.create("a")
	items := makeItems("k", 30)
	must(t, ix.Upsert(ctx, items[:20]))
	got(ix.Delete(ctx, []string{"k1", "k2"}))(t)
	must(t, ix.Roll(ctx))
	must(t, ix.SealNow(ctx))
	got(ix.Delete(ctx, []string{"k3"}))(t)
	got(ix.Purge(ctx))(t)
	must(t, ix.Upsert(ctx, items[20:]))
	must(t, ix.Upsert(ctx, []engine.Item{makeItem("k4", 2)}))
	got(ix.Delete(ctx, []string{"k5", "k25"}))(t)
	want := byID(items...)
	for _, id := range []string{"k1", "k2", "k3", "k5", "k25"} {
		delete(want, id)
	}
	want["k4"] = makeItem("k4", 2)
	image := s.fs.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{})
	return &scene{
		files: readAll(t, image), key: s.keys["a"], want: want,
		gone: []string{"k1", "k2", "k3", "k5", "k25"}, index: ix.ID().String(),
	}
}

// fs is the scene on a file system of its own, some files being others.
func (sc *scene) fs(t testing.TB, changed map[string][]byte) vfs.FS {
	t.Helper()
	mem := vfs.NewMem()
	must(t, mem.MkdirAll(storeDir+"/segments", 0o700))
	for path, b := range sc.files {
		if c, ok := changed[path]; ok {
			b = c
		}
		if b == nil {
			continue // removed
		}
		must(t, mem.MkdirAll(mem.PathDir(path), 0o700))
		writeFile(t, mem, path, b)
	}
	return mem
}

// path is the one file that ends as told.
func (sc *scene) path(t testing.TB, sealed bool) string {
	t.Helper()
	for path, b := range sc.files {
		if strings.HasSuffix(path, ".seg") && bytes.Contains(b, []byte("OUBLFTR\x00")) == sealed {
			return path
		}
	}
	t.Fatal("no such segment")
	return ""
}

// outcome is what a damaged store did: the errors of all its calls. A wrong
// answer fails the test at once, and so does an error that does not say what
// is corrupt and where.
func (sc *scene) outcome(t testing.TB, mem vfs.FS, what string, changes ...func(*engine.Options)) (errs []error) {
	t.Helper()
	opts := engine.Options{FS: mem}
	for _, change := range changes {
		change(&opts)
	}
	note := func(call string, err error) bool {
		if err == nil {
			return false
		}
		var c *engine.CorruptionError
		if !errors.As(err, &c) || c.Path == "" || c.Err == nil || !errors.Is(err, engine.ErrCorrupt) {
			t.Errorf("%s: %s answers %v, which is no CorruptionError with a path", what, call, err)
		}
		errs = append(errs, err)
		return true
	}
	db, err := engine.Open(storeDir, &opts)
	if note("Open", err) {
		return errs
	}
	defer func() { note("Close", untilAKey(db.Close())) }()
	ix, err := db.LoadIndex(context.Background(), "a", engine.WithIndexKey(sc.key))
	if note("LoadIndex", err) {
		return errs
	}
	sc.read(t, ix, what, note)
	if !opts.ReadOnly {
		_, err := ix.Purge(context.Background())
		note("Purge", err)
		note("Compact", ix.Compact(context.Background()))
		sc.read(t, ix, what, note)
	}
	return errs
}

// read holds every read's answer against what the scene holds.
func (sc *scene) read(t testing.TB, ix *engine.Index, what string, note func(string, error) bool) {
	t.Helper()
	ctx := context.Background()
	n, err := ix.Count(ctx)
	if !note("Count", err) && n != len(sc.want) {
		t.Errorf("%s: Count answers %d, not %d", what, n, len(sc.want))
	}
	have, failed := make(map[string]engine.Item), false
	for it, err := range ix.Items(ctx, engine.AllFields) {
		if failed = note("Items", err); !failed {
			have[it.ID] = it
		}
	}
	if !failed && len(have) != len(sc.want) {
		t.Errorf("%s: Items yields %d, not %d", what, len(have), len(sc.want))
	}
	for id, it := range have {
		if want, ok := sc.want[id]; !ok || !equal(it, want) {
			t.Errorf("%s: Items yields %q as %v", what, id, it)
		}
	}
	for _, id := range append(slices.Sorted(maps.Keys(sc.want)), sc.gone...) {
		items, err := ix.Get(ctx, []string{id}, engine.AllFields)
		if note("Get", err) {
			continue
		}
		want, lives := sc.want[id]
		if lives != (len(items) == 1) || lives && !equal(items[0], want) {
			t.Errorf("%s: Get of %q answers %v", what, id, items)
		}
	}
}

func TestTheSceneItselfIsWhole(t *testing.T) {
	sc := newScene(t)
	for _, changes := range [][]func(*engine.Options){{readOnly}, nil} {
		if errs := sc.outcome(t, sc.fs(t, nil), "undamaged", changes...); len(errs) > 0 {
			t.Errorf("undamaged: %v", errs)
		}
	}
	sc.path(t, true)
	sc.path(t, false)
}

// Whichever byte of a segment changes: a CorruptionError with the file, or an
// answer as if nothing had happened.
func TestFlippedBytesNeverChangeAnAnswer(t *testing.T) {
	sc := newScene(t)
	for _, sealed := range []bool{true, false} {
		path := sc.path(t, sealed)
		told := 0
		for at := 0; at < len(sc.files[path]); at += stride(at, sealed) {
			b := bytes.Clone(sc.files[path])
			b[at] ^= 1 << (at % 8)
			what := fmt.Sprintf("sealed=%v, byte %d of %d", sealed, at, len(b))
			errs := sc.outcome(t, sc.fs(t, map[string][]byte{path: b}), what, readOnly)
			for _, err := range errs {
				told++
				if !strings.Contains(err.Error(), path) {
					t.Errorf("%s: %v does not name %s", what, err, path)
				}
			}
		}
		if told < 20 {
			t.Errorf("sealed=%v: %d errors in all", sealed, told)
		}
	}
}

// stride is denser where every byte is something else.
func stride(at int, sealed bool) int {
	switch {
	case at < 64: // magic, version, ids, epoch
		return 3
	case at < 8192:
		return 509
	case sealed && at > 16384:
		return 41
	}
	return 67
}

// The same with a store that is open for writing, where maintenance meets the
// damage as well.
func TestFlippedBytesNeverChangeAnAnswerOfAWriter(t *testing.T) {
	sc := newScene(t)
	for _, sealed := range []bool{true, false} {
		path := sc.path(t, sealed)
		for at := 5; at < len(sc.files[path]); at += 397 {
			b := bytes.Clone(sc.files[path])
			b[at] ^= 0x10
			sc.outcome(t, sc.fs(t, map[string][]byte{path: b}), fmt.Sprintf("sealed=%v, byte %d", sealed, at))
		}
	}
}

func TestTruncatedSegmentsNeverChangeAnAnswer(t *testing.T) {
	sc := newScene(t)
	for _, sealed := range []bool{true, false} {
		path := sc.path(t, sealed)
		whole := sc.files[path]
		for _, n := range []int{0, 1, 100, 4096, 8191, 8192, 8193, 9000, len(whole) - 1000, len(whole) - 1} {
			for _, changes := range [][]func(*engine.Options){{readOnly}, nil} {
				what := fmt.Sprintf("sealed=%v, cut at %d of %d", sealed, n, len(whole))
				errs := sc.outcome(t, sc.fs(t, map[string][]byte{path: whole[:n]}), what, changes...)
				if len(errs) == 0 && n < len(whole)-1 { // nobody needs the last byte: the manifest says where the footer is
					t.Errorf("%s: no error at all", what)
				}
			}
		}
	}
}

func TestMissingSegmentIsTold(t *testing.T) {
	sc := newScene(t)
	for _, sealed := range []bool{true, false} {
		path := sc.path(t, sealed)
		errs := sc.outcome(t, sc.fs(t, map[string][]byte{path: nil}), "missing", readOnly)
		if len(errs) == 0 {
			t.Fatal("no error")
		}
		wantError(t, errs[0], engine.ErrDamaged, path, "missing")
	}
}

// Foreign, newer and damaged are told apart where a file begins.
func TestForeignNewerAndDamagedAreToldApart(t *testing.T) {
	sc := newScene(t)
	format := storeDir + "/FORMAT"
	seg := sc.path(t, true)
	edit := func(path string, at int, with ...byte) []byte {
		b := bytes.Clone(sc.files[path])
		copy(b[at:], with)
		return b
	}
	for _, c := range []struct {
		name, path string
		b          []byte
		is         error
		says       []string
	}{
		{"foreign FORMAT", format, []byte("something else altogether"), engine.ErrForeign, nil},
		{"newer FORMAT", format, edit(format, 8, 2), engine.ErrNewer, []string{"store format 2", "up to 1"}},
		{"damaged FORMAT", format, edit(format, 12, 0xaa, 0xbb), engine.ErrDamaged, []string{"checksum"}},
		{"short FORMAT", format, sc.files[format][:11], engine.ErrDamaged, []string{"11 bytes"}},
		{"long FORMAT", format, append(bytes.Clone(sc.files[format]), 0), engine.ErrDamaged, nil},
		{"huge FORMAT", format, make([]byte, 1<<20), engine.ErrForeign, []string{"1048576 bytes"}},
		{"empty FORMAT", format, []byte{}, engine.ErrForeign, nil},
		{"no FORMAT", format, nil, engine.ErrForeign, []string{"is missing"}},
		{"foreign segment", seg, bytes.Repeat([]byte("else"), 5000), engine.ErrForeign, []string{"offset 0"}},
		{"newer segment", seg, edit(seg, 8, 9), engine.ErrNewer, []string{"version 9"}},
		{"damaged segment", seg, edit(seg, 100, 1, 2, 3), engine.ErrDamaged, []string{"checksum"}},
		{"zeroed header", seg, edit(seg, 0, make([]byte, 8192)...), engine.ErrDamaged, []string{"empty"}},
		{"another segment", seg, sc.files[sc.path(t, false)], engine.ErrForeign, []string{"header of segment"}},
	} {
		for _, changes := range [][]func(*engine.Options){{readOnly}, nil} {
			errs := sc.outcome(t, sc.fs(t, map[string][]byte{c.path: c.b}), c.name, changes...)
			if len(errs) == 0 {
				t.Errorf("%s: no error", c.name)
				continue
			}
			t.Run(c.name, func(t *testing.T) { wantError(t, errs[0], c.is, append(c.says, c.path)...) })
		}
	}
}

// A folder that holds something else is not taken for a store, and nothing in
// it is touched.
func TestAForeignFolderIsLeftAlone(t *testing.T) {
	mem := vfs.NewMem()
	must(t, mem.MkdirAll(storeDir, 0o700))
	writeFile(t, mem, storeDir+"/holiday.jpg", []byte("a picture"))
	_, err := engine.Open(storeDir, &engine.Options{FS: mem})
	wantError(t, err, engine.ErrForeign, storeDir+"/FORMAT", "missing")
	files := readAll(t, mem)
	delete(files, storeDir+"/LOCK")
	if len(files) != 1 || string(files[storeDir+"/holiday.jpg"]) != "a picture" {
		t.Errorf("the folder holds %q", slices.Collect(maps.Keys(files)))
	}
	must(t, mem.Remove(storeDir+"/holiday.jpg"))
	writeFile(t, mem, storeDir+"/FORMAT", []byte("mine, not yours"))
	_, err = engine.Open(storeDir, &engine.Options{FS: mem})
	wantError(t, err, engine.ErrForeign, storeDir+"/FORMAT")
}
