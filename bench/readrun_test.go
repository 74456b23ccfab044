package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"oubliette/bench/html"
	"oubliette/internal/corpus"
)

// validRun is the JSON of a run as small as one can be that has everything.
var validRun = []byte(`{
  "machine": {"os": "linux/amd64", "cpu": "a processor", "cores": 2, "memory": "1 kB", "fs": "ext4", "sync": "1ms", "load": "0", "go": "go1.26", "pebble": "v2", "time": "2026-01-02T03:04:05Z"},
  "settings": {"dir": "/tmp", "items": 300, "rounds": 2, "stores": ["oubliette", "pebble"], "limit_ns": 20000000000, "pending": 100, "grow": 1000, "jsonl": "items.jsonl"},
  "stores": [
    {"name": "oubliette", "module": "oubliette", "version": "of this checkout", "settings": "defaults", "counted": true},
    {"name": "pebble", "module": "example.org/pebble", "version": "v2", "settings": "one key an item", "counted": false}
  ],
  "figures": [
    {"workload": "delete", "case": "3 ids a call", "store": "oubliette", "unit": "ids/s", "median": 6, "min": 5, "max": 7.5, "n": 2,
     "against": "pebble", "ratio": {"medians": 2, "paired": 2.5, "min": 2, "max": 3},
     "targets": [{"target": ">= 1x pebble", "against": "pebble", "got": 2, "met": true}, {"target": ">= 7", "got": 6, "met": false}], "target": ">= 1x pebble, >= 7", "met": false},
    {"workload": "delete", "case": "3 ids a call", "store": "pebble", "unit": "ids/s", "median": 3, "min": -1, "max": 4, "n": 2}
  ],
  "notes": ["delete: pebble cut off after 2 of 3 rounds"],
  "seconds": 1.5
}
`)

// badRuns are changes of validRun and what is said of them.
var badRuns = []struct{ name, old, new, want string }{
	{"no-json", `{`, `[`, "line 2, column 12: "},
	{"list", string(validRun), "[]\n", "line 1, column 1: "},
	{"null", string(validRun), "null", "0 figures"},
	{"empty", string(validRun), "", "line 1, column 0: it ends"},
	{"cut", `"seconds": 1.5` + "\n}\n", "", "line 15, column 2: it ends"},
	{"two", "1.5\n}\n", "1.5\n}\n{}", "line 16, column 1: more behind"},
	{"text-for-number", `"cores": 2`, `"cores": "2"`, "line 2, column 69: "},
	{"no-number", `"seconds": 1.5`, `"seconds": NaN`, "line 15, column 14: "},
	{"beyond-float", `"seconds": 1.5`, `"seconds": 1e999`, "line 15, column 18: "},
	{"negative-seconds", `"seconds": 1.5`, `"seconds": -1.5`, "seconds: -1.5"},
	{"unknown-field", `"seconds"`, `"second"`, `unknown field "second"`},
	{"unknown-field-of-a-figure", `"n": 2}`, `"n": 2, "mode": 1}`, `figures[1]: json: unknown field "mode"`},
	{"figures-no-list", `"figures": [`, `"figures": {}, "notes": [`, "figures: not a list"},
	{"figures-text", `"median": 3`, `"median": "3"`, "figures[1]: json: cannot unmarshal"},
	{"no-figures", `"figures": [`, `"figures": [], "machine": [`, ""},
	{"stores-text", `"counted": false`, `"counted": "no"`, "stores[1]: json: cannot unmarshal"},
	{"store-without-name", `"name": "pebble"`, `"name": ""`, "stores[1]: no name"},
	{"note-control-character", `"delete: pebble cut`, `"delete: pebble\u0007cut`, "notes[0]: text: not all of it"},
	{"no-store", `"store": "pebble"`, `"store": ""`, "figures[1]: no store"},
	{"huge", `"max": 7.5`, `"max": 1e300`, "figures[0]: min, median, max: 1e+300"},
	{"out-of-order", `"min": 5`, `"min": 6.5`, "figures[0]: min, median, max: [6.5 6 7.5], they have to ascend"},
	{"no-rounds", `"n": 2}`, `"n": 0}`, "figures[1]: n is 0"},
	{"no-ratio", `"against": "pebble", "ratio"`, `"ratio"`, "figures[0]: against and ratio"},
	{"no-text-of-a-target", `{"target": ">= 7", `, `{`, "figures[0]: targets[1]: no target"},
	{"another-target", `"target": ">= 1x pebble, >= 7"`, `"target": ">= 1x pebble"`, "figures[0]: target and met"},
	{"another-verdict", `>= 7", "met": false`, `>= 7", "met": true`, "figures[0]: target and met"},
	{"no-verdict", `>= 7", "met": false`, `>= 7"`, "figures[0]: target and met"},
	{"control-character", `"case": "3 ids`, `"case": "3\u0000ids`, "figures[0]: case: not all of it"},
	{"right-to-left", `"case": "3 ids`, `"case": "3\u202eids`, "figures[0]: case: not all of it"},
	{"machine-control-character", `"a processor"`, `"a\u001bprocessor"`, "processor: not all of it"},
}

func changed(t *testing.T, old, new string) []byte {
	t.Helper()
	if !bytes.Contains(validRun, []byte(old)) {
		t.Fatalf("%q is not in the run", old)
	}
	return bytes.Replace(validRun, []byte(old), []byte(new), 1)
}

func TestBadRunsAreRefusedWithTheirPlace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.json")
	for _, c := range badRuns {
		if err := os.WriteFile(path, changed(t, c.old, c.new), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readRun(path); err == nil || !strings.HasPrefix(err.Error(), path+": ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one of the file with %q", c.name, err, c.want)
		}
	}
}

func TestALargeFileIsRefusedUnread(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.json")
	if err := os.WriteFile(path, validRun, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 1<<40); err != nil {
		t.Fatal(err) // it is a hole: no terabyte is written
	}
	var err error
	corpus.Bound(t, maxRun, 8, func() { _, err = readRun(path) })
	if err == nil || !strings.HasPrefix(err.Error(), path+": more than 4194304 bytes") {
		t.Errorf("error %v", err)
	}
}

func TestShortFiguresDoNotBecomeMuchMemory(t *testing.T) {
	b := []byte(`{"figures":[{}` + strings.Repeat(",{}", maxRun/3-10) + "]}")
	var err error
	corpus.Bound(t, len(b), 8, func() { _, err = parseRun(b) })
	if err == nil || !strings.HasPrefix(err.Error(), "figures: more than 2000") {
		t.Errorf("error %v", err)
	}
}

func TestRunsComeBackFromTheirJSON(t *testing.T) {
	s, err := parseRun(validRun)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(s.Figures[0].Targets, []verdict{{">= 1x pebble", "pebble", 2, true}, {">= 7", "", 6, false}}) || len(s.Stores) != 2 || len(s.Notes) != 1 {
		t.Errorf("it reads as %+v", s)
	}
	wantSame(t, s)
}

// wantSame tests that a sheet is printed so that it reads the same.
func wantSame(t *testing.T, s *sheet) {
	t.Helper()
	printed := printedRun(t, s)
	if len(printed) > maxRun { // it is printed with more blanks than it was read with
		return
	}
	again, err := parseRun(printed)
	if err != nil {
		t.Fatalf("%+v does not come back: %v", s, err)
	}
	if second := printedRun(t, again); !bytes.Equal(second, printed) {
		t.Fatalf("%s\ncomes back as\n%s", printed, second)
	}
}

func printedRun(t *testing.T, s *sheet) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := s.json(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// FuzzParseRun: no file makes its reader panic or allocate much; what is taken reads
// the same when it is printed, and a page can be drawn of it.
func FuzzParseRun(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		var s *sheet
		var err error
		corpus.Bound(t, len(b), 64, func() { s, err = parseRun(b) })
		if err != nil {
			return
		}
		wantSame(t, s)
		page, err := html.Page(s.report())
		if err != nil || bytes.Contains(page, []byte("<script")) || bytes.Count(page, []byte("</svg>")) > 2*len(s.Figures) {
			t.Fatalf("error %v, %d figures, page\n%s", err, len(s.Figures), page)
		}
	})
}

func TestSeeds(t *testing.T) {
	seeds := []corpus.Seed{corpus.Valid("run", validRun), corpus.Valid("lines", linesRun(t))}
	for _, c := range badRuns {
		seeds = append(seeds, corpus.Hostile(c.name, changed(t, c.old, c.new)))
	}
	corpus.Hold(t, "FuzzParseRun", seeds, func(s corpus.Seed) error {
		_, err := parseRun(s.Bytes(0))
		return err
	})
}

// linesRun is the JSON of a run whose page has lines.
func linesRun(t *testing.T) []byte {
	t.Helper()
	s, err := parseRun(validRun)
	if err != nil {
		t.Fatal(err)
	}
	one := s.Figures
	s.Figures = nil
	for _, name := range []string{"10 ids a call", "1,000 ids a call", "100,000 ids a call"} {
		for _, f := range one {
			f.Case = name
			s.Figures = append(s.Figures, f)
		}
	}
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
