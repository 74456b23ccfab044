package main

import (
	"os"
	"strings"
	"testing"
)

func TestInitMakesNothingWhenItCannotMakeAll(t *testing.T) {
	c := newCLI(t)
	file := c.write("file", nil)
	t.Chdir(c.dir) // for what would be named "-"
	for _, args := range [][]string{
		{"--generate-key", c.path("nowhere/key")}, {"--generate-key", file}, {"--generate-key", c.dir}, {"--generate-key", "-"},
		{"--generate-key", c.path("key"), "--index", strings.Repeat("x", 256)}, {"--generate-key", c.path("key"), "--index", ""},
		{"--generate-key", c.path("key"), "--dimension", "-1"}, {"--generate-key", c.path("key"), "--dimension", "65537"},
		{"--generate-key", c.path("key"), "--store", c.path("nowhere/store")}, {"--generate-key", c.path("key"), "--store", file},
		{"--generate-key", c.path("key"), "--store", c.dir},
		{"--generate-key", c.path("key"), "--key-file", file}, {"--key-file", c.path("nowhere")}, {"--key-file", file}, {},
	} {
		if r := c.run("", append([]string{"init"}, args...)...); r.code == exitOK || r.out != "" {
			t.Errorf("%q: exit code %d, %s", args, r.code, r.out)
		}
		names, err := os.ReadDir(c.dir)
		if err != nil || len(names) != 1 {
			t.Fatalf("%q: left are %v, %v", args, names, err)
		}
	}
	c.fails(c.run("", "init", "--generate-key", file), exitFailure, "never overwritten")
	c.fails(c.run("", "init", "--generate-key", c.path("nowhere/key")), exitFailure, "no such file")
	c.fails(c.run("", "init", "--generate-key", c.path("key"), "--dimension", "65537"), exitUsage, "65,536")
	c.fails(c.run("", "init", "--generate-key", c.path("key"), "--store", c.path("nowhere/store")), exitNotFound, "parent")
}

// A key file goes with an index that was not made, and stays with one that may
// have been.
func TestAKeyFileStaysWhenItsIndexMayBeThere(t *testing.T) {
	c := newCLI(t)
	c.ok("init", "--generate-key", c.path("first"))
	c.fullDisk("pebble", 0)
	c.fails(c.run("", "init", "--index", "second", "--generate-key", c.path("second")), exitFailure, "no space left")
	if _, err := os.Stat(c.path("second")); err == nil {
		t.Error("a key file of an index that was never begun")
	}
	for n := range int64(10) {
		c := newCLI(t)
		c.ok("init", "--generate-key", c.path("first"))
		c.fullDisk(".log", n)
		r := c.run("", "init", "--index", "second", "--generate-key", c.path("second"))
		if r.code == exitOK || r.out != "" { // it fails when the store is closed, if at all
			continue
		}
		if _, err := os.Stat(c.path("second")); err == nil {
			c.fails(r, exitFailure, "no space left", "has been written and is kept")
			return
		}
	}
	t.Fatal("no write failed while the index was made")
}

func TestAnIndexNameOfAnyBytesIsShownOnOneLine(t *testing.T) {
	c := newCLI(t)
	name := "a\x1b[2Jb\n"
	out := c.ok("init", "--generate-key", c.path("key"), "--index", name)
	for _, text := range []string{out, c.ok("stat"), c.keyedOK("", "stat", "--index", name)} {
		if strings.Contains(text, "\x1b") || !strings.Contains(text, `"a\x1b[2Jb\n"`) {
			t.Errorf("the name in %q", text)
		}
	}
}
