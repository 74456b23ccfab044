package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
)

// runJSON runs a workload in tiny form and answers its figures.
func runJSON(t *testing.T, workload string, more ...string) sheet {
	t.Helper()
	dir := t.TempDir()
	var out bytes.Buffer
	args := append([]string{workload, "--dir", dir, "--items", "300", "--rounds", "2", "--json"}, more...)
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
	for _, store := range measured {
		for _, name := range []string{"3 ids", "30 ids", "300 ids", "single, 1 goroutine, fresh", "single, 1 goroutine, after", "single, 64 "} {
			if f := s.find(t, store, name, ""); f.Median <= 0 || f.Min > f.Median || f.Median > f.Max {
				t.Errorf("%s, %s: %+v", store, name, f.summary)
			}
		}
	}
	for name, unit := range map[string]string{"30 ids": "ids/s", "single, 1 goroutine, fresh": "deletes/s", "single, 1 goroutine, after": "deletes/s", "single, 64 goroutines, against": "deletes/s"} {
		if f := s.find(t, ours, name, unit); f.Target == "" || f.Met == nil {
			t.Errorf("%s: no target", name)
		}
	}
	// Background work may add a sync to a call, not to half of the calls.
	if f := s.find(t, ours, "30 ids", "syncs"); f.Median > 1.5 {
		t.Errorf("a delete of 30 ids takes %v syncs", f.Median)
	}
}

func TestUpsertWorkload(t *testing.T) {
	s := runJSON(t, "upsert")
	for _, store := range measured {
		for _, writers := range []string{"3 items of 4048 bytes a call, 1 writer", "3 items of 4048 bytes a call, 8 writers"} {
			if f := s.find(t, store, writers, "items/s"); f.Median <= 0 {
				t.Errorf("%s: %+v", store, f.summary)
			}
			if f := s.find(t, store, writers, "bytes written"); f.Median < 0.9 {
				t.Errorf("%s has written %v bytes a byte of items that hardly compress", store, f.Median)
			}
		}
	}
}

func TestEraseWorkload(t *testing.T) {
	s := runJSON(t, "erase")
	for _, store := range measured {
		if f := s.find(t, store, "residue before", ""); f.Median < 30*60 {
			t.Errorf("%s: %v pieces of 30 items found before the delete: the search would find nothing", store, f.Median)
		}
		if f := s.find(t, store, "disk blocks, loaded", ""); f.Median < 1 {
			t.Errorf("%s: %v MiB on disk", store, f.Median)
		}
	}
	if f := s.find(t, ours, "residue after", ""); f.Median != 0 || f.Met == nil || !*f.Met {
		t.Errorf("%v pieces left after erasing", f.Median)
	}
	if f := s.find(t, ours, "30 of 300", "MiB erased"); f.Median*(1<<20) < 30*3800 {
		t.Errorf("erased %v MiB of 30 items", f.Median)
	}
}

func TestStoresCanBeChosen(t *testing.T) {
	s := runJSON(t, "upsert", "--stores", "oubliette,pebble3")
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
		"delete upsert":         "unexpected argument",
		"all --items 5":         "--items 5",
		"all --items 2000000":   "--items 2000000",
		"erase --rounds 0":      "--rounds 0",
		"--stores leveldb":      "unknown store",
		"--stores sqlite":       "cannot be counted",
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
