package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"

	"oubliette/bench/crash"
	"oubliette/bench/peers"
)

// The test's own program is the one that is started again, to be killed
// or to measure an open.
func TestMain(m *testing.M) {
	crash.Child(peers.All()...)
	probe()
	os.Exit(m.Run())
}

func TestCrashCommandReports(t *testing.T) {
	dir := t.TempDir()
	var out, progress bytes.Buffer
	args := []string{"crash", "--engine", "bbolt", "--kills", "2", "--seed", "7", "--dir", dir}
	if err := run(context.Background(), args, &out, &progress); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"bbolt: 2 kills in 1 folders", "seed 7", "killed while", "verdict", "keeps what it promises"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
	if !strings.Contains(progress.String(), "of 2 kills") {
		t.Errorf("progress %q", &progress)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestCrashCommandKeepsAndPrintsJSON(t *testing.T) {
	dir := t.TempDir()
	var out bytes.Buffer
	if err := run(context.Background(), []string{"crash", "--engine", "sqlite", "--kills", "1", "--dir", dir, "--keep", "--json"}, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	var reports []crash.Report
	if err := json.Unmarshal(out.Bytes(), &reports); err != nil || len(reports) != 1 || reports[0].Kills != 1 || len(reports[0].Kept) != 1 {
		t.Fatalf("%v in %s", err, &out)
	}
	if files, err := os.ReadDir(reports[0].Kept[0]); err != nil || len(files) != 4 {
		t.Errorf("kept are %v, %v", files, err)
	}
}

func TestCrashCommandSaysWhatIsWrong(t *testing.T) {
	refused(t, map[string]string{
		"crash --engine leveldb":      "unknown store",
		"crash --kills 0":             "--kills 0",
		"crash more":                  "unexpected argument",
		"crash --dir /no/such/folder": "/no/such/folder",
	})
}
