package engine_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/engine"
)

// trial opens a scene with these files, in one manner, and fails for what is wrong.
func (sc *damageScene) trial(t testing.TB, changed map[string][]byte, d damage, m damageManner) *damageTrial {
	t.Helper()
	return sc.trialOn(t, sc.disk(t, changed), d, m)
}

func (sc *damageScene) trialOn(t testing.TB, disk *vfs.MemFS, d damage, m damageManner) (tr *damageTrial) {
	t.Helper()
	what := fmt.Sprintf("%s, %v, %v", sc.name, d, m)
	crashTimed(t, damageLimit, what, func() { tr = sc.run(disk, d, m) })
	for _, fault := range tr.faults {
		t.Errorf("%s: %s", what, fault)
	}
	return tr
}

// manners are those in which a scene can be opened.
func (sc *damageScene) manners() (out []damageManner) {
	for m := range damageManners {
		if m != damageReadUnledgered || sc.ledger {
			out = append(out, m)
		}
	}
	return out
}

// segment is the file of a segment that has an index, or of an open one.
func (sc *damageScene) segment(t testing.TB, sealed bool) string {
	t.Helper()
	for _, path := range sc.paths() {
		if damageKind(path) == "segment" && bytes.Contains(sc.files[path], []byte("OUBLFTR\x00")) == sealed {
			return path
		}
	}
	t.Fatal("no such segment")
	return ""
}

// Undamaged, every scene is read whole in every manner, and nothing is told.
func TestTheScenesThemselvesAreWhole(t *testing.T) {
	for _, ledger := range []bool{false, true} {
		for _, sc := range newDamageScenes(t, ledger) {
			for _, m := range sc.manners() {
				tr := sc.trial(t, nil, damage{op: damageCut, path: storeDir + "/FORMAT", at: len(sc.files[storeDir+"/FORMAT"])}, m)
				if len(tr.told) > 0 || tr.lost() {
					t.Errorf("%s, %v: lost: %v, told: %v", sc.name, m, tr.lost(), tr.told)
				}
			}
			for _, sealed := range []bool{true, false} {
				if sealed || !strings.HasPrefix(sc.name, "closed") {
					sc.segment(t, sealed)
				}
			}
		}
	}
}

// The trials see what they are for: an item that is missing, one that came back, one
// that is another, a lost call where none may be, bytes that were not erased, an error
// that names another file, and an error that is none of damage.
func TestDamageTrialsSeeWhatIsWrong(t *testing.T) {
	whole := newDamageScenes(t, false)[0]
	none := damage{op: damageCut, path: storeDir + "/FORMAT", at: len(whole.files[storeDir+"/FORMAT"])}
	now := whole.now()
	claims := func(m *crashModel) *damageScene {
		sc := *whole
		sc.history = []*crashModel{m}
		return &sc
	}
	change := func(f func(items map[string]int)) *damageScene { return claims(now.with("a", f)) }
	for name, c := range map[string]struct {
		sc     *damageScene
		manner damageManner
	}{
		"an item is missing":   {change(func(items map[string]int) { items["k99"] = 1 }), damageRead},
		"an item came back":    {change(func(items map[string]int) { delete(items, "k00") }), damageReadAsUser},
		"an older version":     {change(func(items map[string]int) { items["k00"] = 77 }), damageRead},
		"an index is missing":  {claims(now.with("d", func(map[string]int) {})), damageOpen},
		"an index came back":   {claims(now.without("c")), damageWrite},
		"bytes are not erased": {change(func(items map[string]int) { delete(items, "k10") }), damageWriteAsUser},
	} {
		if tr := c.sc.run(c.sc.disk(t, nil), none, c.manner); len(tr.faults) == 0 {
			t.Errorf("%s: not seen", name)
		}
	}
	seg, other := whole.segment(t, true), whole.segment(t, false)
	b := bytes.Clone(whole.files[seg])
	b[100] ^= 1
	if tr := whole.run(whole.disk(t, map[string][]byte{seg: b}), damage{op: damageFlip, path: other, at: 100}, damageRead); len(tr.faults) == 0 || len(tr.told) == 0 {
		t.Errorf("another file is named, and nobody sees it: %v", tr.told)
	}
	tr := whole.run(whole.disk(t, nil), none, damageRead)
	for _, err := range []error{engine.ErrWrongKey, engine.ErrFailed, context.Canceled} {
		if tr.faults = nil; !tr.failed("a call", err) || len(tr.faults) != 1 {
			t.Errorf("%v is taken for an error of damage", err)
		}
	}
	lost := damage{op: damageCut, path: storeDir + "/pebble/000011.log", at: 60}
	if tr := whole.trial(t, lost.files(whole), lost, damageRead); !tr.lost() {
		t.Errorf("a log that was cut has lost nothing: told %v", tr.told)
	}
}

// Foreign, newer and damaged are told apart where a file begins.
func TestForeignNewerAndDamagedAreToldApart(t *testing.T) {
	sc := newDamageScenes(t, false)[0]
	format := storeDir + "/FORMAT"
	seg := sc.segment(t, true)
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
		{"another segment", seg, sc.files[sc.segment(t, false)], engine.ErrForeign, []string{"header of segment"}},
		{"no segment", seg, nil, engine.ErrDamaged, []string{"missing"}},
		{"no open segment", sc.segment(t, false), nil, engine.ErrDamaged, []string{"missing"}},
	} {
		from := c.name
		if c.name == "another segment" { // rows that have died in it stand in the copy, too
			from = sc.segment(t, false)
		}
		for _, m := range []damageManner{damageRead, damageWrite} {
			tr := sc.trial(t, map[string][]byte{c.path: c.b}, damage{op: damageCopy, path: c.path, other: from}, m)
			if len(tr.told) == 0 {
				t.Errorf("%s: no error", c.name)
				continue
			}
			t.Run(c.name, func(t *testing.T) { wantError(t, tr.told[0], c.is, append(c.says, c.path)...) })
		}
	}
}

// A segment file that no record knows is named by Purge, which cannot know what has
// been deleted in it: so it is where a crash and a damaged log have taken the record.
func TestPurgeNamesSegmentFilesThatNobodyKnows(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	s.noCheck = true
	ix := s.create("a")
	must(t, ix.Upsert(ctx, makeItems("k", 3)))
	sealed, open, err := ix.SegmentPaths(ctx)
	must(t, err)
	stray := s.fs.PathJoin(s.fs.PathDir(append(sealed, open...)[0]), strings.Repeat("5a", 16)+".seg")
	writeFile(t, s.fs, stray, readAll(t, s.fs)[append(sealed, open...)[0]])
	got(ix.Delete(ctx, []string{"k1"}))(t)
	for _, opts := range [][]engine.OpOption{nil, {engine.WithRewrite()}} {
		cert, err := ix.Purge(ctx, opts...)
		wantError(t, err, engine.ErrForeign, stray)
		if cert.Rows != 0 {
			t.Errorf("it is certified: %+v", cert)
		}
	}
	writeFile(t, s.fs, strings.TrimSuffix(stray, ".seg")+".txt", []byte("not a segment's name"))
	must(t, s.fs.Remove(stray))
	got(ix.Purge(ctx))(t)
}

// A segment file that is gone while dead rows in it wait is damage to whoever opens the
// store, also without a key.
func TestAMissingSegmentWithDeadRowsIsDamage(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	ix := s.create("a")
	must(t, ix.Upsert(ctx, makeItems("k", 3)))
	must(t, ix.Roll(ctx))
	must(t, ix.SealNow(ctx))
	got(ix.Delete(ctx, []string{"k1"}))(t)
	must(t, ix.ApplyNow(ctx, func() {}))
	sealed, _, err := ix.SegmentPaths(ctx)
	must(t, err)
	crashed := s.snapshot()
	must(t, crashed.Remove(sealed[0]))
	db := got(engine.Open(storeDir, &engine.Options{FS: crashed, PurgeWithin: time.Hour}))(t)
	wantError(t, db.Close(), engine.ErrDamaged, sealed[0], "missing")
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
