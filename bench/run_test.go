package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// runJSON runs a workload in tiny form and answers its figures.
func runJSON(t *testing.T, workload string, more ...string) sheet {
	t.Helper()
	dir := t.TempDir()
	var out bytes.Buffer
	args := append([]string{workload, "--dir", dir, "--items", "300", "--rounds", "2", "--limit", "200ms", "--json"}, more...)
	if err := run(context.Background(), args, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	var s sheet
	if err := json.Unmarshal(out.Bytes(), &s); err != nil {
		t.Fatalf("%v in %s", err, &out)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	return s
}

// find answers the figure of a store whose case and unit begin like that.
func (s *sheet) find(t *testing.T, store, name, unit string) figure {
	t.Helper()
	for _, f := range s.Figures {
		if f.Store == store && strings.HasPrefix(f.Case, name) && strings.HasPrefix(f.Unit, unit) {
			return f
		}
	}
	t.Fatalf("no figure of %s for %q in %q", store, name, unit)
	return figure{}
}

func TestDeleteWorkload(t *testing.T) {
	s := runJSON(t, "delete")
	for _, store := range everyStore() {
		for _, name := range []string{"1 id a call, 1 goroutine, fresh", "1 id a call, 64", "10 ids a call, 8", "100 ids a call, 1 g", "1 id a call, 1 goroutine, after"} {
			if f := s.find(t, store, name, "ids/s"); f.Median <= 0 || f.Min > f.Median || f.Median > f.Max {
				t.Errorf("%s, %s: %+v", store, name, f.summary)
			}
		}
	}
	for _, name := range []string{"1 id a call, 1 goroutine, fresh", "1 id a call, 1 goroutine, after", "1 id a call, 64"} {
		if f := s.find(t, ours, name, "ids/s"); len(f.Targets) != 1 || f.Met == nil {
			t.Errorf("%s: targets %v", name, f.Targets)
		}
	}
	for _, f := range s.Figures {
		if strings.HasPrefix(f.Unit, "syncs") && !slices.Contains([]string{"oubliette", "pebble", "pebble3"}, f.Store) {
			t.Errorf("syncs of %s, which nobody counts: %+v", f.Store, f)
		}
	}
	// Background work may add a sync to a call, not to half of the calls.
	if f := s.find(t, ours, "100 ids a call, 1 g", "syncs"); f.Median > 1.5 {
		t.Errorf("a delete of 100 ids takes %v syncs", f.Median)
	}
}

func TestDeleteCasesAreThoseThatItemsAllow(t *testing.T) {
	all := deleteCases(100_000)
	if n := len(all); n != 16 || all[0] != (deleteCase{1, 1, ", fresh stores"}) || all[n-1].size != 1 {
		t.Errorf("%d cases: %v", n, all)
	}
	for _, c := range all {
		calls, turns := c.slice(100_000)
		if ids := c.size * c.workers * calls; calls < 1 || turns < 1 || ids > 100_000 {
			t.Errorf("%v: slices of %d calls, %d ids, %d a round", c, calls, ids, turns)
		}
	}
}

func TestIngestWorkload(t *testing.T) {
	s := runJSON(t, "ingest")
	for _, store := range everyStore() {
		for _, writers := range []string{"3 items of 4296 bytes a call, 1 writer", "3 items of 4296 bytes a call, 8 writers"} {
			for _, unit := range []string{"items/s, the calls", "items/s over the whole", "bytes of disk"} {
				if f := s.find(t, store, writers, unit); f.Median <= 0 {
					t.Errorf("%s, %s: %+v", store, unit, f.summary)
				}
			}
		}
	}
	if f := s.find(t, ours, "3 items", "bytes written"); f.Median < 0.9 {
		t.Errorf("%v bytes written a byte of items that hardly compress", f.Median)
	}
	if f := s.find(t, ours, "3 items", "items/s over"); len(f.Targets) != 1 {
		t.Errorf("targets %v", f.Targets)
	}
}

// A store that is over its time takes no further turn; each has had one.
func TestSlowStoresAreCutOffAndNamed(t *testing.T) {
	var out sheet
	c := (&settings{Limit: time.Millisecond}).course(&out, 4, "naps")
	turns := make(map[string]int)
	err := twoStores().rounds(t.Context(), c, func(_ int, e *entrant) error {
		turns[e.Name]++
		if e.Name == theirs {
			time.Sleep(2 * c.limit)
		}
		return nil
	})
	if err != nil || turns[theirs] != 1 || turns[ours] != 4 {
		t.Errorf("turns %v, %v", turns, err)
	}
	if len(out.Notes) != 1 || !strings.HasPrefix(out.Notes[0], "naps: pebble cut off after 1 of 4 rounds") {
		t.Errorf("notes %q", out.Notes)
	}
}

func TestEveryStoreIsNamedWithItsVersionAndSettings(t *testing.T) {
	for _, p := range participants(everyStore()) {
		if p.Module == "" || p.Version == "unknown" || p.Settings == "" {
			t.Errorf("%+v", p)
		}
	}
}

func TestEraseWorkload(t *testing.T) {
	s := runJSON(t, "erase")
	for _, store := range everyStore() {
		for _, name := range []string{"0.1 %", "1 %", "10 %", "50 %"} {
			// SQLite cuts a value over pages, so a piece at a seam is not found.
			if f := s.find(t, store, name+" of 300", "% of the pieces"); f.Median < 95 {
				t.Errorf("%s, %s: %v %% of the pieces found before the delete: the search would find too little", store, name, f.Median)
			}
			if f := s.find(t, store, name, "seconds"); f.Median <= 0 {
				t.Errorf("%s, %s: %+v", store, name, f.summary)
			}
			if f := s.find(t, store, name, "pieces of"); store == ours && (f.Max != 0 || f.Met == nil || !*f.Met) {
				t.Errorf("%s: %v pieces left after erasing", name, f.Max)
			}
		}
		if f := s.find(t, store, "disk blocks, loaded", "MiB"); f.Median < 1 {
			t.Errorf("%s: %v MiB on disk", store, f.Median)
		}
	}
	if f := s.find(t, ours, "10 %", "seconds"); len(f.Targets) != 2 {
		t.Errorf("targets %v", f.Targets)
	}
	if f := s.find(t, ours, "10 %", "MiB erased"); f.Median*(1<<20) < 30*4000 {
		t.Errorf("erased %v MiB of 30 items", f.Median)
	}
}

func TestStoresCanBeChosen(t *testing.T) {
	s := runJSON(t, "ingest", "--stores", "oubliette,pebble3")
	for _, f := range s.Figures {
		if f.Store == "pebble" || f.Ratio != nil {
			t.Errorf("pebble took part: %+v", f)
		}
	}
}

func TestCancelledRunCleansUp(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err := run(ctx, []string{"delete", "--dir", dir, "--items", "100"}, io.Discard, io.Discard)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestCommandLineSaysWhatIsWrong(t *testing.T) {
	refused(t, map[string]string{
		"vacuum":                "unknown workload",
		"delete ingest":         "unexpected argument",
		"all --items 5":         "--items 5",
		"all --items 2000000":   "--items 2000000",
		"delete --rounds 0":     "--rounds 0",
		"delete --limit 1ns":    "--limit 1ns",
		"--stores leveldb":      "unknown store",
		"--stores bbolt,bbolt":  "named twice",
		"--dir /no/such/folder": "/no/such/folder",
	})
}

// refused tests that command lines are refused, with errors that hold what is said
// beside them, and that none of them is called a broken store.
func refused(t *testing.T, lines map[string]string) {
	t.Helper()
	for args, want := range lines {
		err := run(context.Background(), strings.Fields(args), io.Discard, io.Discard)
		if err == nil || errors.Is(err, errBroken) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", args, err, want)
		}
	}
}
