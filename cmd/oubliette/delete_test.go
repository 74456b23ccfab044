package main

import (
	"os"
	"strings"
	"testing"

	"oubliette/engine"
)

// deleted are the two lines of a delete for machines.
func (c *cli) deleted(args ...string) (r receiptJSON, e erasure) {
	c.Helper()
	out := strings.SplitAfter(c.keyedOK("", append([]string{"delete", "--json"}, args...)...), "\n")
	if len(out) != 3 {
		c.Fatalf("delete prints %q", out)
	}
	return decode[receiptJSON](c, out[0]), decode[erasure](c, out[1])
}

func TestDeleteTellsWhatItHasErased(t *testing.T) {
	c := initialised(t)
	c.keyedOK(threeItems, "upsert")
	if out := c.keyedOK("", "delete", "nobody", "no one"); !strings.Contains(out, "asked          to delete 2 distinct ids") || !strings.Contains(out, "erased         0 rows, 0 bytes overwritten; 2 ids had no item") {
		t.Errorf("of ids without items: %s", out)
	}
	c.keyedOK(`{"id": "a"}`, "upsert") // in place of the first one, which does not count
	if r, e := c.deleted("a", "a", "b", "nobody"); r.IDs != 3 || e.Rows == nil || *e.Rows != 2 || e.Bytes == 0 {
		t.Errorf("receipt %+v, erasure %+v", r, e)
	}
	if out := c.keyedOK("", "delete", "line\nbreak"); !strings.Contains(out, "erased         1 row, ") || strings.Contains(out, "no item") {
		t.Errorf("of one that is there: %s", out)
	}
	c.keyedOK("", "check")
}

// A process that dies leaves a delete behind, whose row the next one erases.
func TestRowsThatWaitedBeforeAreNotCounted(t *testing.T) {
	c := initialised(t)
	c.keyedOK(threeItems, "upsert")
	digits, err := os.ReadFile(c.path("key"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := engine.ParseKey(strings.TrimSpace(string(digits)))
	if err != nil {
		t.Fatal(err)
	}
	c.holdOpen(func(db *engine.DB) {
		ix, err := db.LoadIndex(t.Context(), "default", engine.WithIndexKey(key))
		if err == nil {
			_, err = ix.Delete(t.Context(), []string{"a"})
		}
		if err == nil {
			err = os.CopyFS(c.path("crashed"), os.DirFS(c.env[envStore]))
		}
		if err != nil {
			t.Fatal(err)
		}
	})
	c.env[envStore] = c.path("crashed")
	if stat := decode[statJSON](t, c.keyedOK("", "stat", "--json")); stat.Index.Tombstones != 1 {
		t.Fatalf("nothing waits: %+v", stat.Index)
	}
	if _, e := c.deleted("b", "nobody"); *e.Rows != 1 {
		t.Errorf("%d rows", *e.Rows)
	}
	c.keyedOK("", "check")
}

func TestAnEmptyListDeletesNothingAndHasNoReceipt(t *testing.T) {
	c := initialised(t)
	c.keyedOK(threeItems, "upsert")
	for _, args := range [][]string{{"delete", "-"}, {"delete", "--file", c.write("empty", nil)}} {
		if out := c.keyedOK("", args...); !strings.HasPrefix(out, "deleted        nothing") || strings.Contains(out, "digest") {
			t.Errorf("%s: %s", args, out)
		}
		if out := c.keyedOK("", append(args, "--json")...); out != `{"ids":0}`+"\n" {
			t.Errorf("%s: %s", args, out)
		}
	}
	c.fails(c.keyed("", "delete", "-", "--index", "nowhere"), exitNotFound)
	if got := c.ids(); len(got) != 3 {
		t.Errorf("left: %v", got)
	}
	c.keyedOK("", "check")
}

func TestWhatLsPrintsIsTakenAsAnArgument(t *testing.T) {
	c := initialised(t)
	c.keyedOK(`{"id_base64": "/w=="}`+"\n"+`{"id": "line\nbreak"}`+"\n"+`{"id": "\"quoted\""}`+"\n"+`{"id": "-"}`+"\n"+`{"id": "\""}`+"\n"+`{"id": "tail "}`, "upsert")
	for id := range c.ids() {
		if id == "-" {
			id = `"-"`
		}
		if out := c.keyedOK("", "get", id); strings.Count(out, "\n") != 1 {
			t.Errorf("get %s: %s", id, out)
		}
		if _, e := c.deleted(id); *e.Rows != 1 {
			t.Errorf("delete %s: %d rows", id, *e.Rows)
		}
	}
	if got := c.ids(); len(got) != 0 {
		t.Errorf("left: %v", got)
	}
	c.keyedOK(`{"id": "\""}`+"\n"+`{"id": "\"open"}`+"\n"+`{"id": " a "}`, "upsert") // these mean themselves
	if _, e := c.deleted(`"`, `"open`, ` a `); *e.Rows != 3 {
		t.Errorf("%d rows", *e.Rows)
	}
	c.keyedOK("", "check")
}

func TestAnAmbiguousArgumentIsRefused(t *testing.T) {
	c := initialised(t)
	c.keyedOK(threeItems, "upsert")
	for _, command := range []string{"delete", "get"} {
		c.fails(c.keyed("b\n", command, "-", "a"), exitUsage, `"-" reads ids from standard input and stands alone`)
		c.fails(c.keyed("b\n", command, "a", "-"), exitUsage, "stands alone")
		c.fails(c.keyed("", command, "a", `"x"y"`), exitUsage, "argument 2: not a string in double quotes")
		c.fails(c.keyed("", command, "a", ""), exitUsage, "argument 2: no id")
		c.fails(c.keyed("", command, `""`), exitUsage, "argument 1: no id")
		c.fails(c.keyed("", command, "a", strings.Repeat("x", 5000)), exitUsage, "argument 2: id of 5000 bytes, at most 4096")
		c.fails(c.keyed("a\n"+strings.Repeat("x", 5000)+"\n", command, "--file", "-"), exitUsage, "line 2: bad input: id of 5000 bytes, at most 4096")
	}
	if got := c.ids(); len(got) != 3 {
		t.Errorf("left: %v", got)
	}
	c.keyedOK("", "check")
}
