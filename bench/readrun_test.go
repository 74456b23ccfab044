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
  "settings": {"dir": "/tmp", "items": 300, "rounds": 2, "stores": ["oubliette", "pebble"]},
  "figures": [
    {"workload": "delete", "case": "3 ids a call", "store": "oubliette", "unit": "ids/s", "median": 6, "min": 5, "max": 7.5, "n": 2,
     "against": "pebble", "ratio": {"medians": 2, "paired": 2.5, "min": 2, "max": 3}, "target": ">= 1x pebble", "met": true},
    {"workload": "delete", "case": "3 ids a call", "store": "pebble", "unit": "ids/s", "median": 3, "min": 0, "max": 4, "n": 2}
  ],
  "seconds": 1.5
}
`)

// badRuns are changes of validRun and what is said of them.
var badRuns = []struct{ name, old, new, want string }{
	{"no-json", `{`, `[`, "line 2, column 12: "},
	{"list", string(validRun), "[]\n", "line 1, column 1: "},
	{"null", string(validRun), "null", "0 figures"},
	{"empty", string(validRun), "", "line 1, column 0: it ends"},
	{"cut", `"seconds": 1.5` + "\n}\n", "", "line 9, column 2: it ends"},
	{"two", "1.5\n}\n", "1.5\n}\n{}", "line 10, column 1: more behind"},
	{"text-for-number", `"cores": 2`, `"cores": "2"`, "line 2, column 69: "},
	{"no-number", `"seconds": 1.5`, `"seconds": NaN`, "line 9, column 14: "},
	{"beyond-float", `"seconds": 1.5`, `"seconds": 1e999`, "line 9, column 18: "},
	{"unknown-field", `"seconds"`, `"second"`, `unknown field "second"`},
	{"unknown-field-of-a-figure", `"n": 2}`, `"n": 2, "mode": 1}`, `figures[1]: json: unknown field "mode"`},
	{"figures-no-list", `"figures": [`, `"figures": {}, "settings": {"stores": [`, ""},
	{"figures-text", `"median": 3`, `"median": "3"`, "figures[1]: json: cannot unmarshal"},
	{"no-figures", `"figures": [`, `"figures": [], "machine": [`, ""},
	{"no-store", `"store": "pebble"`, `"store": ""`, "figures[1]: no store"},
	{"negative", `"min": 0`, `"min": -1`, "figures[1]: min, median, max: -1"},
	{"huge", `"max": 7.5`, `"max": 1e300`, "figures[0]: min, median, max: 1e+300"},
	{"out-of-order", `"min": 5`, `"min": 6.5`, "figures[0]: min, median, max: [6.5 6 7.5], they have to ascend"},
	{"no-rounds", `"n": 2}`, `"n": 0}`, "figures[1]: n is 0"},
	{"no-ratio", `"against": "pebble", `, ``, "figures[0]: against and ratio"},
	{"no-target", `"target": ">= 1x pebble", `, ``, "figures[0]: target and met"},
	{"control-character", `"case": "3 ids`, `"case": "3\u0000ids`, "figures[0]: case: not all of it"},
	{"right-to-left", `"case": "3 ids`, `"case": "3\u202eids`, "figures[0]: case: not all of it"},
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
		t.Skip(err) // the file system has no holes
	}
	var err error
	corpus.Bound(t, maxRun, 8, func() { _, err = readRun(path) })
	if err == nil || !strings.HasPrefix(err.Error(), path+": more than 1048576 bytes") {
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
	wantSame(t, s)
}

// wantSame tests that a sheet is printed so that it reads the same.
func wantSame(t *testing.T, s *sheet) {
	t.Helper()
	var b bytes.Buffer
	if err := s.json(&b); err != nil {
		t.Fatal(err)
	}
	if b.Len() > maxRun { // it is printed with more blanks than it was read with
		return
	}
	if again, err := parseRun(b.Bytes()); err != nil || !reflect.DeepEqual(again, s) {
		t.Fatalf("%+v comes back as %+v, %v", s, again, err)
	}
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
		if err != nil || bytes.Contains(page, []byte("<script")) || bytes.Count(page, []byte("</svg>")) > len(s.Figures) {
			t.Fatalf("error %v, page\n%s", err, page)
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
