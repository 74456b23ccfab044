package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
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
	args := append([]string{workload, "--dir", dir, "--items", "300", "--rounds", "2", "--limit", "200ms", "--pending", "300", "--grow", "1000", "--json"}, more...)
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

// takes tests that a store's memory and disk are said, and nothing absurd.
func (s *sheet) takes(t *testing.T, store string) {
	t.Helper()
	if f := s.find(t, store, "at the end, closed", "MiB of disk"); f.Median <= 0 || f.Median > 1000 {
		t.Errorf("%s takes %v MiB of disk", store, f.Median)
	}
	if f := s.find(t, store, "at the end, opened", "MiB of memory"); f.Median <= 0 || f.Median > 500 {
		t.Errorf("%s takes %v MiB of memory", store, f.Median)
	}
}

func TestDeleteWorkload(t *testing.T) {
	t.Parallel()
	s := runJSON(t, "delete", "--limit", "30ms")
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
	for _, store := range everyStore() {
		s.takes(t, store)
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
	t.Parallel()
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
	for _, store := range everyStore() {
		s.takes(t, store)
	}
	if f := s.find(t, ours, "3 items", "bytes written"); f.Median < 0.9 {
		t.Errorf("%v bytes written a byte of items that hardly compress", f.Median)
	}
	if f := s.find(t, ours, "3 items", "items/s over"); len(f.Targets) != 0 {
		t.Errorf("targets of calls that are not of a thousand: %v", f.Targets)
	}
	full := ingests{batch: ingestCall(80_000)}
	if got := full.targets(); len(got) != 1 || full.batch != 1000 {
		t.Errorf("calls of %d items have targets %v", full.batch, got)
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

// A warm-up is a turn of each store before the first round, and no figure has it.
func TestWarmUpsAreForgotten(t *testing.T) {
	var out sheet
	values := series{"another": {7}}
	c := (&settings{Limit: time.Minute}).course(&out, 2, "walks").warmed(values)
	var turns []string
	err := twoStores().rounds(t.Context(), c, func(round int, e *entrant) error {
		turns = append(turns, fmt.Sprint(e.Name, " ", round))
		values.add(e, float64(round))
		return nil
	})
	if want := []string{"oubliette -1", "pebble -1", "oubliette 0", "pebble 0", "pebble 1", "oubliette 1"}; err != nil || !slices.Equal(turns, want) {
		t.Errorf("turns %q, %v, want %q", turns, err, want)
	}
	for _, store := range []string{ours, theirs} {
		if !slices.Equal(values[store], []float64{0, 1}) {
			t.Errorf("values of %s: %v", store, values[store])
		}
	}
	if !slices.Equal(values["another"], []float64{7}) {
		t.Errorf("a store that took no part has lost its values: %v", values)
	}
}

func TestWarmUpIsNoPartOfAStoresTime(t *testing.T) {
	var out sheet
	c := (&settings{Limit: 10 * time.Millisecond}).course(&out, 3, "naps").warmed(series{})
	turns := 0
	err := twoStores()[:1].rounds(t.Context(), c, func(round int, _ *entrant) error {
		if turns++; round == warmUpRound {
			time.Sleep(2 * c.limit)
		}
		return nil
	})
	if err != nil || turns != 4 || len(out.Notes) > 0 {
		t.Errorf("%d turns, %v, notes %q", turns, err, out.Notes)
	}
}

// What a store takes at the end of a workload is told by a process of its own.
func TestWorkloadsSayWhatStoresTake(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	for _, e := range enterTest(t) {
		t.Run(e.Name, func(t *testing.T) {
			if err := load(ctx, e, newMaker(small, 1), 2000); err != nil {
				t.Fatal(err)
			}
			if disk, memory, err := e.footprint(ctx, newMaker(small, 1).id(7)); err != nil || disk < 2000*float64(small.bytes()) || memory < 100<<10 {
				t.Errorf("%.0f bytes of disk, %.0f of memory, %v", disk, memory, err)
			}
			if _, _, err := e.footprint(ctx, "nobody's"); err == nil {
				t.Error("an item that is not there was read")
			}
			if _, _, err := e.footprint(ctx, ""); err != nil {
				t.Errorf("with nothing to read: %v", err)
			}
		})
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
	t.Parallel()
	s := runJSON(t, "erase")
	for _, store := range everyStore() {
		for name, perMille := range map[string]int{"0.1 %": 1, "1 %": 10, "10 %": 100, "50 %": 500} {
			// SQLite cuts a value over pages, so a piece at a seam is not found.
			if f := s.find(t, store, name+" of 300", "% of the pieces"); f.Median < 95 {
				t.Errorf("%s, %s: %v %% of the pieces found before the delete: the search would find too little", store, name, f.Median)
			}
			if f := s.find(t, store, name, "seconds"); f.Median <= 0 {
				t.Errorf("%s, %s: %+v", store, name, f.summary)
			}
			unit := "pieces of " + plural(eraseShare{perMille: perMille}.of(300), "item") + " left by erasing"
			if f := s.find(t, store, name, unit+" and compacting"); store == ours && f.Max != 0 {
				t.Errorf("%s: %v pieces left after compacting", name, f.Max)
			}
			if f := s.find(t, store, name, unit); store == ours && (f.Max != 0 || f.Met == nil || !*f.Met) {
				t.Errorf("%s: %v pieces left after erasing", name, f.Max)
			}
		}
		s.takes(t, store)
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

func TestReadWorkload(t *testing.T) {
	t.Parallel()
	s := runJSON(t, "read")
	for _, store := range everyStore() {
		for _, phase := range []string{"before", "while half is deleted", "half deleted, not erased", "half erased"} {
			if f := s.find(t, store, "point reads, "+phase, "reads/s"); f.Median <= 0 {
				t.Errorf("%s, %s: %+v", store, phase, f.summary)
			}
			if f := s.find(t, store, "scans, "+phase, "items/s"); f.Median <= 0 {
				t.Errorf("%s, %s: %+v", store, phase, f.summary)
			}
		}
		s.takes(t, store)
		if f := s.find(t, store, "scans, half erased", "µs an item"); f.Against != untouched || f.Ratio == nil {
			t.Errorf("%s: held against %q", store, f.Against)
		}
	}
	for name, unit := range map[string]string{
		"point reads, before": "reads/s", "point reads, half deleted": "µs", "point reads, half erased": "µs",
		"scans, half deleted": "seconds", "scans, half erased": "seconds",
	} {
		if f := s.find(t, ours, name, unit); len(f.Targets) != 1 {
			t.Errorf("%s: targets %v", name, f.Targets)
		}
	}
}

func TestOpenWorkload(t *testing.T) {
	t.Parallel()
	s := runJSON(t, "open", "--rounds", "1")
	for _, store := range everyStore() {
		for _, name := range []string{"closed, nothing", "killed, nothing", "killed, 30 deleted 1,000 a call", "killed, 300 deleted 1,000", "killed, 30 deleted one", "killed, 300 deleted one"} {
			if f := s.find(t, store, name, "seconds"); f.Median <= 0 {
				t.Errorf("%s, %s: %+v", store, name, f.summary)
			}
			if f := s.find(t, store, name, "MiB of memory"); f.Median <= 0 {
				t.Errorf("%s, %s: %v MiB of memory", store, name, f.Median)
			}
		}
		s.find(t, store, "killed, 300 deleted one", "bytes of memory a pending")
	}
}

func TestTargetsOfOpeningAreAboutAMillion(t *testing.T) {
	for _, c := range openCases(maxItems) {
		if (c.pending == maxItems) != (len(c.targets) == 1) {
			t.Errorf("%v has targets %v", c, c.targets)
		}
	}
	for _, c := range openCases(1000) {
		if len(c.targets) > 0 {
			t.Errorf("%v has targets %v", c, c.targets)
		}
	}
}

func TestGrowWorkload(t *testing.T) {
	t.Parallel()
	s := runJSON(t, "grow")
	for _, store := range everyStore() {
		for _, size := range []string{"10 items", "100 items", "1,000 items"} {
			for name, unit := range map[string]string{
				"deletes of 1 id, " + size: "µs", "point reads, " + size: "µs",
				"opened in a fresh process, " + size: "MiB", "closed, " + size: "bytes of disk",
			} {
				if f := s.find(t, store, name, unit); f.Median <= 0 {
					t.Errorf("%s, %s: %+v", store, name, f.summary)
				}
			}
		}
		if f := s.find(t, store, "point reads, 1,000 items", "µs"); f.Against != "10 items" || f.Ratio == nil {
			t.Errorf("%s is held against %q", store, f.Against)
		}
	}
	for _, name := range []string{"deletes of 1 id, 1,000", "point reads, 1,000", "opened in a fresh process, 1,000"} {
		if f := s.find(t, ours, name, ""); len(f.Targets) != 1 {
			t.Errorf("%s: targets %v", name, f.Targets)
		}
	}
}

// itemFile writes lines of JSON and answers where.
func itemFile(t *testing.T, lines ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "items.jsonl")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// realLines are so many items.
func realLines(n int) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprintf(`{"id": "real %d", "vector": [%d, 0.25, -3], "contents": "%040d", "metadata": {"n": %d}}`, i, i, i*i, i))
	}
	return out
}

// A run takes as many items as there are, however many it asks for.
func TestRealItemsAreMeasured(t *testing.T) {
	t.Parallel()
	path := itemFile(t, realLines(120)...)
	for _, workload := range []string{"erase", "read", "ingest"} {
		s := runJSON(t, workload, "--jsonl", path)
		if s.Settings.JSONL != path {
			t.Errorf("items of %q", s.Settings.JSONL)
		}
		for _, store := range everyStore() {
			s.takes(t, store)
		}
		if workload == "erase" {
			if f := s.find(t, ours, "10 % of 120 items", "pieces of 12 items left by erasing"); f.Max != 0 {
				t.Errorf("%v pieces left", f.Max)
			}
		}
	}
}

func TestRealItemsAreRefusedBeforeAnythingIsWritten(t *testing.T) {
	dir := t.TempDir()
	few, broken := itemFile(t, realLines(99)...), itemFile(t, append(realLines(200), `{"id": 7}`)...)
	refused(t, map[string]string{
		"ingest --dir " + dir + " --jsonl " + few:    few + " has 99 items, at least 100 are needed",
		"ingest --dir " + dir + " --jsonl " + broken: broken + ", line 201: ",
		"ingest --dir " + dir + " --fvecs " + few:    few + ", vector 1 at byte 0: ",
		"ingest --dir " + dir + " --mnist " + dir:    "t10k-images-idx3-ubyte.gz: no such file",
	})
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
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
		"--pending 7":           "--pending 7",
		"--grow 999":            "--grow 999",
		"--mnist a --jsonl b":   "both --mnist and --jsonl",
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
