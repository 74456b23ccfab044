package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReportCommandSaysWhatIsWrong(t *testing.T) {
	refused(t, map[string]string{
		"report":                                   "no run",
		"report run.json":                          "no --html",
		"report --html page.html":                  "no run",
		"report a.json b.json --html page.html":    "unexpected argument",
		"report a.json --html page.html b.json":    "unexpected argument",
		"report /no/such/run --html page.html":     "/no/such/run",
		"report . --html page.html":                "is a directory",
		"all --html /no/such/folder/page.html":     "/no/such/folder/page.html: ",
		"report render_test.go --html page.html":   "render_test.go: line 1, column 1: ",
		"crash --html page.html":                   "-html",
		"delete --html":                            "-html",
		"report testdata/fuzz --html testdata/out": "is a directory",
	})
}

func TestARunIsNotReplacedByItsPage(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "run.json")
	if err := os.WriteFile(path, validRun, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"report", path, "--html", path}, {"report", path, "--html", dir + "/./run.json"}} {
		if err := run(context.Background(), args, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "is the run itself") {
			t.Errorf("error %v", err)
		}
	}
	if got := readFile(t, path); got != string(validRun) {
		t.Errorf("the run is now %q", got)
	}
	wantNames(t, dir, "run.json")
}

func TestReportTakesItsFlagBeforeTheFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "run.json")
	if err := os.WriteFile(path, validRun, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(context.Background(), []string{"report", "--html", filepath.Join(dir, "page.html"), path}, io.Discard, io.Discard); err != nil {
		t.Error(err)
	}
	wantNames(t, dir, "page.html", "run.json")
}
