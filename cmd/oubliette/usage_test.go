package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAStoreIsMeasuredUnderEverySpellingOfItsName(t *testing.T) {
	c := initialised(t)
	c.keyedOK(threeItems, "upsert")
	t.Chdir(c.dir)
	plain := decode[statJSON](t, c.ok("stat", "--json")).Files
	if plain.Segments.Files == 0 || plain.Segments.Bytes == 0 || plain.Log.Files == 0 || plain.Other.Files == 0 {
		t.Fatalf("stat: %+v", plain)
	}
	for _, name := range []string{"store", "./store", "store//", ".//store/.", "../" + filepath.Base(c.dir) + "/store/", c.dir + "/x/../store", c.dir + "//store"} {
		if got := decode[statJSON](t, c.ok("stat", "--json", "--store", name)).Files; got != plain {
			t.Errorf("%s: %+v, want %+v", name, got, plain)
		}
	}
	if out := c.keyedOK("", "compact", "--store", "./store//"); strings.Contains(out, "0 B") {
		t.Errorf("compact: %s", out)
	}
	t.Chdir("store")
	if got := decode[statJSON](t, c.ok("stat", "--json", "--store", ".")).Files; got.Segments != plain.Segments {
		t.Errorf("within it: %+v, want %+v", got, plain)
	}
}

func TestAnIndexThatIsNamedHasToBeThere(t *testing.T) {
	c := initialised(t)
	for _, args := range [][]string{{"stat", "--index", "nowhere"}, {"stat", "--index", "nowhere", "--json"}} {
		if r := c.run("", args...); r.out != "" {
			t.Errorf("%s: %s", args, r.out)
		}
		c.fails(c.run("", args...), exitNotFound, "nowhere")
		c.fails(c.keyed("", args...), exitNotFound, "nowhere")
	}
	c.ok("stat", "--index", "default")
	other := newCLI(t)
	other.ok("init", "--index", "other", "--generate-key", other.path("key"))
	if out := other.ok("stat"); !strings.Contains(out, "other") { // nobody has named one
		t.Errorf("stat: %s", out)
	}
}

func TestVersion(t *testing.T) {
	c := newCLI(t)
	if out := c.ok("--version"); !strings.HasPrefix(out, "oubliette ") || !strings.Contains(out, "go1.") || strings.Count(out, "\n") != 1 {
		t.Errorf("version: %q", out)
	}
	if b := decode[build](t, c.ok("--version", "--json")); b.Version == "" || b.Go == "" || b.Platform == "" {
		t.Errorf("version: %+v", b)
	}
}

func TestTheDemoTakesNoStoreOfOthers(t *testing.T) {
	tmp := tempFolder(t)
	c := newCLI(t)
	for _, flag := range []string{"--store", "--key-file", "--index"} {
		c.fails(c.run("", append(smallDemo, flag, c.path("x"))...), exitUsage, "takes no "+flag)
	}
	if _, err := os.Stat(c.path("x")); err == nil {
		t.Error("the demo has made something")
	}
	wantEmpty(t, tmp)
}
