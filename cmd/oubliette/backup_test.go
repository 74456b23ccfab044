package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"strings"
	"testing"

	"oubliette/engine"
)

func TestABackupMakesAStoreAgain(t *testing.T) {
	c := initialised(t)
	c.keyedOK(threeItems, "upsert")
	want := c.ids()
	if out := c.ok("backup", c.path("all.backup")); !strings.Contains(out, "all.backup") {
		t.Errorf("backup: %s", out)
	}
	if info, err := os.Stat(c.path("all.backup")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	r := c.runWith(context.Background(), strings.NewReader(""), "backup", "-")
	file, err := os.ReadFile(c.path("all.backup"))
	if r.code != exitOK || err != nil || len(r.out) != len(file) {
		t.Errorf("exit code %d, %d bytes to standard output, %d in the file: %s %v", r.code, len(r.out), len(file), r.err, err)
	}
	made := decode[struct {
		File    string  `json:"file"`
		Bytes   int64   `json:"bytes"`
		Seconds float64 `json:"seconds"`
	}](t, c.ok("backup", c.path("json.backup"), "--json"))
	if made.Bytes != int64(len(file)) || made.File != c.path("json.backup") {
		t.Errorf("%+v, %d bytes", made, len(file))
	}
	for name, in := range map[string]io.Reader{c.path("all.backup"): nil, "-": strings.NewReader(r.out)} {
		if in == nil {
			in = strings.NewReader("")
		}
		store := c.path("from" + strings.ReplaceAll(name, "/", "_"))
		restored := c.runWith(context.Background(), in, "restore", name, "--store", store, "--json")
		made := decode[struct {
			Store   string  `json:"store"`
			Files   usage   `json:"files"`
			Seconds float64 `json:"seconds"`
		}](t, c.okResult(restored, "restore", name))
		if made.Store != store || made.Files.Segments.Files == 0 {
			t.Errorf("%+v", made)
		}
		c.keyedOK("", "check", "--store", store)
		if got := c.keyedOK("", "ls", "--store", store); len(strings.Split(strings.TrimSpace(got), "\n")) != len(want) {
			t.Errorf("%s: %s, want %v", name, got, want)
		}
		c.fails(c.run("", "restore", c.path("all.backup"), "--store", store), exitFailure, "not empty")
	}
	c.keyedOK("", "delete", "a") // the source goes on
}

func TestABackupThatCannotBeIsNoFileAndNoStore(t *testing.T) {
	c := initialised(t)
	c.keyedOK(threeItems, "upsert")
	backup := c.write("there", []byte("mine"))
	c.fails(c.run("", "backup", backup), exitFailure, "exists")
	if b, err := os.ReadFile(backup); string(b) != "mine" {
		t.Errorf("overwritten: %q %v", b, err)
	}
	c.fails(c.run("", "backup"), exitUsage, "one argument")
	c.fails(c.run("", "backup", "x", "y"), exitUsage, "one argument")
	c.fails(c.run("", "backup", c.path("x"), "--store", c.path("nowhere")), exitNotFound)
	c.holdOpen(func(*engine.DB) { c.fails(c.run("", "backup", c.path("x")), exitLocked) })
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	c.fails(c.runWith(ended, strings.NewReader(""), "backup", c.path("x")), exitFailure, "interrupted")
	if _, err := os.Stat(c.path("x")); !os.IsNotExist(err) {
		t.Errorf("a file is left: %v", err)
	}

	c.ok("backup", c.path("good"))
	good, err := os.ReadFile(c.path("good"))
	if err != nil {
		t.Fatal(err)
	}
	bad := bytes.Clone(good)
	bad[len(bad)/2] ^= 1
	for says, b := range map[string][]byte{"unexpected EOF": good[:len(good)/2], "damaged": bad, "not a file of this store": []byte("something else")} {
		c.fails(c.run("", "restore", c.write("bad", b), "--store", c.path("new")), exitCorrupt, says)
	}
	c.fails(c.run("", "restore", c.path("nothing"), "--store", c.path("new")), exitUsage)
	c.fails(c.run("", "restore", "--store", c.path("new")), exitUsage, "one argument")
	for _, name := range []string{"new", "new.restoring"} {
		if _, err := os.Stat(c.path(name)); !os.IsNotExist(err) {
			t.Errorf("%s is left: %v", name, err)
		}
	}
	c.ok("restore", c.path("good"), "--store", c.path("new"))
}
