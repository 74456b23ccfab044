package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/engine"
	"oubliette/internal/meta"
)

// records is what the database of a store holds, by key.
func records(t testing.TB, mem vfs.FS) map[string][]byte {
	t.Helper()
	db, err := meta.Open(mem, storeDir+"/pebble", meta.Options{})
	must(t, err)
	out := make(map[string][]byte)
	must(t, db.Scan(nil, nil, func(key, value []byte) error {
		out[string(key)] = bytes.Clone(value)
		return nil
	}))
	must(t, db.Close())
	return out
}

// setRecord writes one record; nil removes it.
func setRecord(t testing.TB, mem vfs.FS, key string, value []byte) {
	t.Helper()
	db, err := meta.Open(mem, storeDir+"/pebble", meta.Options{})
	must(t, err)
	b := db.NewBatch()
	if value == nil {
		b.Delete([]byte(key))
	} else {
		b.Set([]byte(key), value)
	}
	must(t, db.Commit(b))
	must(t, db.Close())
	if err := mem.Remove(storeDir + "/CLEAN"); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err) // who changes the records leaves nothing that would tell
	}
}

// signedKinds are the records whose bytes something signed or hashed commits
// to: any change of them has to be told. Of a signature in the log that is not its
// last, which vouches for all before it, Check tells.
const signedKinds = "degmw"

// Whichever record of the database changes — cut, flipped, emptied, longer —
// it is told, or nothing changes. What is not signed itself (catalogue entries,
// states of files) must not change an answer either.
func TestDamagedRecordsNeverChangeAnAnswer(t *testing.T) {
	sc := newDamageScenes(t, false)[0]
	all := records(t, sc.disk(t, nil))
	rng := newRand(t)
	kinds := make(map[byte]int)
	for _, key := range slices.Sorted(maps.Keys(all)) {
		value := all[key]
		kinds[key[0]]++
		versions := [][]byte{value[:len(value)/2], append(bytes.Clone(value), 0), {}}
		for at := 0; at < len(value); at += max(1, len(value)/12) {
			b := bytes.Clone(value)
			b[at] ^= 0x20
			versions = append(versions, b)
		}
		order := rng.Perm(len(versions))
		if !crashLong() {
			order = order[:2]
		}
		for _, i := range order {
			b := versions[i]
			disk := sc.disk(t, nil)
			setRecord(t, disk, key, b)
			what := damage{op: "version " + fmt.Sprint(i), path: storeDir + "/pebble/record " + key[:1]}
			if tr := sc.trialOn(t, disk, what, damageRead); len(tr.told) == 0 && strings.Contains(signedKinds, key[:1]) && (key[0] != 'w' || sc.passesCheck(t, disk)) {
				t.Errorf("%v: no error at all", what)
			}
			sc.trialOn(t, disk, what, damageWrite)
		}
	}
	for _, kind := range "cdegmsw" {
		if kinds[byte(kind)] == 0 {
			t.Errorf("the scene has no record of kind %q", kind)
		}
	}
}

// passesCheck tells whether Check finds nothing in any index. What it finds has to be
// a signature in the log.
func (sc *damageScene) passesCheck(t testing.TB, disk *vfs.MemFS) bool {
	t.Helper()
	db := got(engine.Open(storeDir, &engine.Options{FS: disk, ReadOnly: true}))(t)
	passes := true
	for name, key := range sc.keys {
		ix, err := db.LoadIndex(context.Background(), name, engine.WithIndexKey(key))
		if errors.Is(err, engine.ErrIndexNotFound) {
			continue
		}
		must(t, err)
		if _, err = ix.Check(context.Background()); err != nil {
			passes = false
			wantError(t, err, engine.ErrDamaged, "log of index", "did not sign")
		}
	}
	must(t, db.Close())
	return passes
}

func TestMissingRecordsAreTold(t *testing.T) {
	sc := newDamageScenes(t, false)[0]
	all := records(t, sc.disk(t, nil))
	last := make(map[string]string) // group of each index
	for key := range all {
		if key[0] == 'w' {
			last[key[:17]] = max(last[key[:17]], key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if key[0] == 'w' && key == last[key[:17]] {
			continue // a log that ends before it is a whole log
		}
		if key[0] == 'c' {
			continue // no index of that name, below
		}
		disk := sc.disk(t, nil)
		setRecord(t, disk, key, nil)
		what := damage{op: damageRemove, path: storeDir + "/pebble/record " + key[:1]}
		if tr := sc.trialOn(t, disk, what, damageRead); len(tr.told) == 0 && strings.Contains(signedKinds, key[:1]) {
			t.Errorf("record %q missing: no error", key[:1])
		}
	}
	disk := sc.disk(t, nil)
	setRecord(t, disk, "ca", nil)
	s := openStore(t, disk, sc.keys)
	_, err := s.LoadIndex(context.Background(), "a")
	wantError(t, err, engine.ErrIndexNotFound, `"a"`)
}

// The state of a segment file is one byte that nobody signs. Where it says that
// a file may go, and the signed manifest says that it lives, the file stays.
func TestALiveSegmentIsNotDestroyedForAWrongState(t *testing.T) {
	sc := newDamageScenes(t, false)[0]
	tried, live := 0, 0
	for key, value := range records(t, sc.disk(t, nil)) {
		if key[0] != 's' || value[0] != 2 {
			continue
		}
		live++
		for _, state := range []byte{1, 3} {
			disk := sc.disk(t, nil)
			setRecord(t, disk, key, []byte{state})
			must(t, untilAKey(got(engine.Open(storeDir, &engine.Options{FS: disk}))(t).Close()))
			for path, b := range readAll(t, disk) {
				if strings.HasSuffix(path, fmt.Sprintf("%x.seg", key[17:])) && bytes.Equal(b[:8192], sc.files[path][:8192]) {
					tried++
				}
			}
			what := damage{op: fmt.Sprintf("state %d", state), path: fmt.Sprintf("%s/pebble/record of segment %x", storeDir, key[17:])}
			if tr := sc.trialOn(t, disk, what, damageRead); len(tr.told) > 0 {
				t.Errorf("%v: %v", what, tr.told)
			}
			s := openStore(t, disk, sc.keys)
			s.noCheck = true
			var err error
			for name := range sc.now().indexes {
				_, e := s.load(name).Check(context.Background())
				err = errors.Join(err, e)
			}
			wantError(t, err, engine.ErrDamaged, fmt.Sprintf("record of segment %x", key[17:]))
		}
	}
	if tried != 2*live || live < 4 {
		t.Errorf("%d of %d files are as they were", tried, 2*live)
	}
}

// Damage of one index does not keep others from being used.
func TestADamagedIndexLeavesOthersAlone(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	a, b := s.create("a"), s.create("b")
	must(t, a.Upsert(ctx, makeItems("k", 5)))
	must(t, b.Upsert(ctx, makeItems("l", 5)))
	s.close()
	for key, value := range records(t, s.fs) {
		if key[0] == 'e' && strings.Contains(key, string(idBytes(a))) {
			value[20] ^= 1
			setRecord(t, s.fs, key, value)
		}
	}
	s.open()
	s.noCheck = true
	_, err := s.LoadIndex(ctx, "a", engine.WithIndexKey(s.keys["a"]))
	wantError(t, err, engine.ErrDamaged, `epoch record of index "a"`)
	_, err = s.CreateIndex(ctx, "a", engine.NewKey(), engine.IndexConfig{})
	wantError(t, err, engine.ErrIndexExists, `"a"`)
	wantItems(t, s.load("b"), byID(makeItems("l", 5)...))
	if names := fmt.Sprint(got(s.ListIndexes())(t)); names != "[a b]" {
		t.Errorf("indexes are %s", names)
	}
}

func idBytes(ix *engine.Index) []byte {
	id := ix.ID()
	return id[:]
}
