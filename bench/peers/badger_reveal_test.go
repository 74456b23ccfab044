package peers

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"oubliette/bench/store"
)

// sampled: each such item is looked for.
const sampled = 100

// filledBadger is the folder of a store with so many items, and what those
// of them that are sampled are as values. Few are in a log alone, many in tables as well.
func filledBadger(t *testing.T, items int) (b *badgerStore, s store.Setup, values [][]byte) {
	t.Helper()
	s = testSetup(t, "badger")
	b, err := openBadger(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	all := make([]Item, items)
	for i := range all {
		all[i] = Item{ID: fmt.Sprint("item ", i), Contents: bytes.Repeat(fmt.Appendf(nil, "what item %d holds ", i), 40)}
		if i%sampled == 0 {
			values = append(values, oneKey{}.parts(&all[i])[0].value)
		}
	}
	for call := range slices.Chunk(all, 100) {
		if err := b.Upsert(t.Context(), call); err != nil {
			t.Fatal(err)
		}
	}
	return b, s, values
}

// flushed waits for a table.
func flushed(t *testing.T, dir string) {
	t.Helper()
	err := poll(t.Context(), func() bool {
		tables, err := filepath.Glob(filepath.Join(dir, "*.sst"))
		return err != nil || len(tables) > 0
	})
	if err != nil {
		t.Fatal(err)
	}
}

// stand counts the values that stand in files of a folder that end like that.
func stand(t *testing.T, dir, ext string, values [][]byte) (n int) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*"+ext))
	if err != nil {
		t.Fatal(err)
	}
	var all []byte
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // a log that has been flushed is gone
			t.Fatal(err)
		}
		all = append(all, b...)
	}
	for _, v := range values {
		if bytes.Contains(all, v) {
			n++
		}
	}
	return n
}

func TestBadgersFilesAreRevealed(t *testing.T) {
	for _, c := range []struct {
		items int
		in    string
	}{{500, ".mem"}, {6000, ".sst"}} {
		_, s, values := filledBadger(t, c.items)
		if c.in == ".sst" {
			flushed(t, s.Dir)
		}
		to := t.TempDir()
		if err := revealBadger(s, to); err != nil {
			t.Fatal(err)
		}
		if n := stand(t, s.Dir, "", values); n > 0 {
			t.Errorf("%d values stand in the store's files as they are", n)
		}
		if n := stand(t, to, "", values); n != len(values) {
			t.Errorf("%d of %d values are revealed", n, len(values))
		}
		if n := stand(t, to, c.in, values); n < 5 {
			t.Errorf("%d of %d values are revealed in %s files", n, len(values), c.in)
		}
	}
}

func TestBadgerIsRevealedByItsKeyAlone(t *testing.T) {
	_, s, _ := filledBadger(t, 1)
	s.Key[0]++
	if err := revealBadger(s, t.TempDir()); err == nil {
		t.Error("revealed by another key")
	}
	if err := revealBadger(store.Setup{Dir: t.TempDir()}, t.TempDir()); err == nil {
		t.Error("a folder without a store was revealed")
	}
}

// A table that is just being written is one that is cut, or ends with zeros.
func TestTablesThatAreNotWholeAreNotRevealed(t *testing.T) {
	db, s, _ := filledBadger(t, 6000)
	key, err := badgerDataKey(s)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil { // which writes what is in memory into tables
		t.Fatal(err)
	}
	tables, err := filepath.Glob(filepath.Join(s.Dir, "*.sst"))
	if err != nil || len(tables) == 0 {
		t.Fatalf("tables %q, %v", tables, err)
	}
	whole, err := os.ReadFile(tables[0])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := revealTable(slices.Clone(whole), key); err != nil {
		t.Errorf("the whole table: %v", err)
	}
	zeroed := slices.Clone(whole)
	clear(zeroed[len(zeroed)/2:])
	for what, b := range map[string][]byte{"nothing": nil, "three bytes": whole[:3], "zeros behind a half": zeroed} {
		if _, err := revealTable(b, key); !errors.Is(err, errTableCut) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
