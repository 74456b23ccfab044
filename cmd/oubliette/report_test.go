package main

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

// lines wants every line of a text to be JSON and answers them.
func lines(t *testing.T, what, text string) (out []map[string]any) {
	t.Helper()
	for l := range strings.Lines(text) {
		var v map[string]any
		if err := json.Unmarshal([]byte(l), &v); err != nil {
			t.Errorf("%s: %v: %s", what, err, l)
		}
		out = append(out, v)
	}
	return out
}

func TestWithJSONEveryLineIsJSON(t *testing.T) {
	c := newCLI(t)
	c.ok("init", "--json", "--generate-key", c.path("key"))
	if err := os.Chmod(c.path("key"), 0o644); err != nil {
		t.Fatal(err)
	}
	tempFolder(t)
	for _, step := range []struct {
		stdin string
		args  []string
		code  int
	}{
		{threeItems, []string{"upsert"}, exitOK},
		{threeItems + "[]", []string{"upsert"}, exitUsage},
		{"", []string{"get", "a", "b"}, exitOK},
		{"", []string{"get", "a", "nobody", "\xff"}, exitNotFound},
		{"", []string{"ls"}, exitOK},
		{"", []string{"ls", "--long"}, exitOK},
		{"", []string{"stat"}, exitOK},
		{"", []string{"check"}, exitOK},
		{"", []string{"delete", "a", "nobody"}, exitOK},
		{"", []string{"delete", "-"}, exitOK},
		{"", []string{"purge"}, exitOK},
		{"", []string{"compact"}, exitOK},
		{"", []string{"init"}, exitFailure},
		{"", []string{"init", "--index", "second"}, exitOK},
		{"", []string{"nonsense"}, exitUsage},
		{"", []string{"ls", "--nonsense"}, exitUsage},
		{"", []string{"ls", "x"}, exitUsage},
		{"", []string{"help", "x"}, exitUsage},
		{"", []string{"upsert", "--batch", "x"}, exitUsage},
		{"", []string{"ls", "--index", "x"}, exitNotFound},
		{"", []string{"--version"}, exitOK},
		{"", []string{"--store", "x"}, exitUsage}, // no command
	} {
		for _, all := range [][]string{append([]string{"--json"}, step.args...), append(slices.Clone(step.args), "--json=true")} {
			r := c.keyed(step.stdin, all...)
			if r.code != step.code {
				t.Errorf("%q: exit code %d, want %d\n%s", all, r.code, step.code, r.err)
			}
			out, errs := lines(t, "standard output", r.out), lines(t, "standard error", r.err)
			if (len(out) > 0) != (step.code == exitOK || step.args[0] == "get") {
				t.Errorf("%q: standard output is %q", all, r.out)
			}
			if failed := len(errs) > 0 && errs[len(errs)-1]["error"] != nil; failed != (step.code != exitOK) {
				t.Errorf("%q: standard error is %q", all, r.err)
			}
			if slices.Equal(step.args, []string{"init", "--index", "second"}) || slices.Equal(step.args, []string{"delete", "a", "nobody"}) {
				break // the second time it is another thing
			}
		}
	}
	small := append(slices.Clone(smallDemo), "--json")
	if r := c.run("", small...); r.code != exitOK || r.err != "" || len(lines(t, "demo", r.out)) != 1 {
		t.Errorf("demo: %+v", r)
	}
}

func TestAnErrorForMachinesSaysWhatItIsAbout(t *testing.T) {
	c := initialised(t)
	if f := decode[failure](t, c.keyed(`{"id": "1"}`+"\n"+`{"id": 2}`, "upsert", "--json", "--batch", "1").err); f.Line != 2 || f.Committed == nil || *f.Committed != 1 || f.Kind != "usage" || f.ExitCode != exitUsage {
		t.Errorf("a bad line: %+v", f)
	}
	if f := decode[failure](t, c.keyed("a\n\tb\n", "delete", "-", "--json").err); f.Line != 2 || f.Committed != nil {
		t.Errorf("a bad line of ids: %+v", f)
	}
	f := decode[failure](t, c.keyed("", "get", "--json", "a", "1", "\xff", strings.Repeat("12345678", 8)).err)
	if m := f.Missing; len(m) != 3 || m[0].ID != "a" || string(m[1].IDBase64) != "\xff" || m[2].Argument != 4 || m[2].ID != "" {
		t.Errorf("missing: %+v", f)
	}
	if f := decode[failure](t, c.run("", "stat", "--json", "--store", c.path("nowhere")).err); f.Kind != "not_found" || f.ExitCode != exitNotFound {
		t.Errorf("no store: %+v", f)
	}
	if r := c.keyed("", "ls", "--nonsense", "--json"); decode[failure](t, r.err).Kind != "usage" {
		t.Errorf("usage: %+v", r)
	}
	if r := c.keyed("", "ls", "--nonsense", "--json=false"); strings.HasPrefix(r.err, "{") {
		t.Errorf("not for machines: %+v", r)
	}
	if err := os.Chmod(c.path("key"), 0o644); err != nil {
		t.Fatal(err)
	}
	w := decode[struct{ Warning string }](t, c.keyed("", "ls", "--json").err)
	if !strings.Contains(w.Warning, "open to others") {
		t.Errorf("a warning: %+v", w)
	}
}
