package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestNotesThatAreNotWholeAreRefused(t *testing.T) {
	c := initialised(t)
	c.keyedOK(threeItems, "upsert")
	notes := c.keyedOK("", "residue", "note", "a", "b")
	lines := strings.SplitAfter(strings.TrimSuffix(notes, "\n"), "\n")
	if len(lines) != 1+3+2+1 || strings.Contains(notes, `"a"`) {
		t.Fatalf("notes:\n%s", notes)
	}
	scan := func(text string) result { return c.run(text, "residue", "scan", "-") }
	c.fails(scan(notes), exitPending)
	for n := range lines {
		c.fails(scan(strings.Join(lines[:n], "")), exitUsage, "notes")
		c.fails(scan(strings.Join(append(append([]string{}, lines[:n]...), lines[n+1:]...), "")), exitUsage)
	}
	c.fails(scan(""), exitUsage, "the file is empty")
	c.fails(scan(lines[0]+`{"end":true,"items":0,"parts":0,"bytes":0,"sha256":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}`), exitUsage, "a search for nothing proves nothing")
	c.fails(scan(notes+notes), exitUsage, "behind the end")
	at := strings.Index(notes, `"sealed":"`) + len(`"sealed":"`)
	other := byte('A')
	if notes[at] == other {
		other = 'B'
	}
	c.fails(scan(notes[:at]+string(other)+notes[at+1:]), exitUsage, "were changed")
	c.fails(scan(strings.Replace(notes, `"version":1`, `"version":2`, 1)), exitUsage, "line 1: ", "version 2")
	c.fails(scan(strings.Replace(notes, `"part":2`, `"part":3`, 1)), exitUsage, "line 3: ", "does not follow")
	c.fails(scan(lines[0]+`{"item":1,"part":1,"sealed":"AAAA"}`), exitUsage, "line 2: ", "3 bytes")
	c.fails(scan(string(c.read("key"))), exitUsage, "no notes")
	c.fails(c.run("", "residue", "scan", c.path("nowhere")), exitUsage, "no such file")
	c.fails(c.run(notes, "residue", "scan", "-", "--store", c.path("nowhere")), exitNotFound)
}

func TestNotesOfWhatIsNotThere(t *testing.T) {
	c := initialised(t)
	c.keyedOK(threeItems, "upsert")
	r := c.keyed("", "residue", "note", "a", "nobody", "b")
	c.fails(r, exitNotFound, "not found: nobody", "1 of 3 ids")
	if !strings.Contains(r.out, `{"item":3,"part":2,`) || strings.Contains(r.out, `"item":2,`) {
		t.Errorf("notes:\n%s", r.out)
	}
	c.fails(c.run(r.out, "residue", "scan", "-"), exitPending)
	r = c.keyed("nobody\n", "residue", "note", "--file", "-")
	c.fails(r, exitNotFound)
	c.fails(c.run(r.out, "residue", "scan", "-"), exitUsage, "a search for nothing proves nothing")
	writer := c.addUser(1, "write")
	c.fails(c.as(writer, "", "residue", "note", "a"), exitKey, "permission denied")
}

// However many passes it takes, each noted piece is searched for in every byte.
func TestAScanSaysWhatItHasSearched(t *testing.T) {
	c := initialised(t)
	c.keyedOK(manyItems(500), "upsert")
	ids := c.write("ids", []byte(c.keyedOK("", "ls")))
	notes := c.write("notes", []byte(c.keyedOK("", "residue", "note", "--file", ids)))
	whole := scanStep
	defer func() { scanStep = whole }()
	last := func(code int) (places []placeJSON, sum scanJSON) {
		t.Helper()
		r := c.run("", "residue", "scan", notes, "--json")
		c.fails(r, code)
		lines := strings.SplitAfter(strings.TrimSuffix(r.out, "\n"), "\n")
		for _, l := range lines[:len(lines)-1] {
			places = append(places, decode[placeJSON](t, l))
		}
		return places, decode[scanJSON](t, lines[len(lines)-1])
	}
	files := decode[statJSON](t, c.ok("stat", "--json")).Files
	for step, passes := range map[int]int{whole: 1, 2000: 9} {
		scanStep = step
		places, sum := last(exitPending)
		if !sum.Found || sum.Items != 500 || sum.Parts != 500 || sum.Passes < passes || sum.Left != sum.Pieces || sum.Hits != sum.Pieces || len(places) != 500 || sum.Pieces < 1000 {
			t.Errorf("step %d, before: %d places, %+v", step, len(places), sum)
		}
		if total := files.total(); sum.Files != total.Files || sum.Bytes != total.Bytes || !sum.IndexIn {
			t.Errorf("step %d: searched %+v, there is %+v", step, sum, total)
		}
		for _, p := range places {
			if p.Pieces != p.Of || p.Part != 1 || !strings.HasSuffix(p.Path, ".seg") {
				t.Errorf("%+v", p)
			}
		}
	}
	one := strings.SplitAfter(string(c.read("ids")), "\n")[123]
	c.keyedOK(strings.Replace(string(c.read("ids")), one, "", 1), "delete", "-")
	places, sum := last(exitPending)
	if len(places) != 1 || places[0].Item != 124 || sum.Left != int64(places[0].Of) {
		t.Errorf("of one that lives: %+v, %+v", places, sum)
	}
	c.keyedOK(one, "delete", "-")
	if places, sum = last(exitOK); len(places) != 0 || sum.Found || sum.Left+sum.Hits != 0 || sum.Pieces < 1000 || sum.Bytes == 0 {
		t.Errorf("after: %+v, %+v", places, sum)
	}
}

// A copy of an old segment below the store's folder is found, whatever it is called.
func TestAScanFindsACopyAndTellsAnotherStore(t *testing.T) {
	c := initialised(t)
	c.keyedOK(threeItems, "upsert")
	notes := c.write("notes", []byte(c.keyedOK("", "residue", "note", "a")))
	b, err := os.ReadFile(c.segments()[0])
	if err != nil {
		t.Fatal(err)
	}
	c.keyedOK("", "delete", "a")
	c.keyedOK("", "purge", "--rewrite")
	c.ok("residue", "scan", notes)
	hidden := filepath.Join(c.env[envStore], "pebble", ".forgotten")
	if err := os.WriteFile(hidden, b[9000:], 0o600); err != nil {
		t.Fatal(err)
	}
	r := c.run("", "residue", "scan", notes)
	if r.code != exitOK && !strings.Contains(r.out, hidden) {
		t.Errorf("where: %s", r.out)
	}
	if err := os.WriteFile(hidden, b, 0o600); err != nil {
		t.Fatal(err)
	}
	r = c.run("", "residue", "scan", notes)
	c.fails(r, exitPending)
	if !strings.Contains(r.out, hidden+" at offset ") {
		t.Errorf("where: %s", r.out)
	}
	other := initialised(t)
	other.fails(other.run("", "residue", "scan", notes), exitOK, "is it the right store?")
}
