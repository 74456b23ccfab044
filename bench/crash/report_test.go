package crash

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"oubliette/bench/store"
)

func TestReportSaysWhatBreaksAPromise(t *testing.T) {
	r := newReport(store.Kind{Name: "x", Promises: store.Promises{Atomic: true, Text: "that it forgets"}}, &Options{Seed: 7})
	r.Kills, r.Folders, r.Phases = 1234, 2, map[string]int{Writing: 1000, Erasing: 234}
	r.Kept, r.broken = []string{"some/folder"}, 1
	r.Residue.Found, r.Residue.Files["#.log"] = 5, 3
	for range keptFindings + 2 {
		r.find(Finding{Kill: 9, Phase: Writing, Verdict: Lost, Text: "w00-0001 is not there", Breaks: true})
	}
	r.find(Finding{Kill: 9, Phase: Writing, Verdict: Residue, Text: "in a log"})
	var b bytes.Buffer
	if err := r.Print(&b); err != nil {
		t.Fatal(err)
	}
	got := regexp.MustCompile(` +`).ReplaceAllString(b.String(), " ")
	for _, want := range []string{
		"x: 1,234 kills in 2 folders", "seed 7\n", "killed while writing 1,000, erasing 234\n", "#.log 3\n", " lost 10, returned 0",
		"about erasing: that it forgets\n", "verdict BREAKS what it promises\n", "kill 9 (writing): lost: w00-0001 is not there\n", "and 2 more: lost\n", "kept: some/folder\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	if strings.Contains(got, "in a log") {
		t.Errorf("what breaks nothing is told as if it did:\n%s", got)
	}
}

func TestVerdictNeedsKills(t *testing.T) {
	r := newReport(store.Kind{}, &Options{})
	if v := r.verdict(); strings.Contains(v, "keeps") {
		t.Errorf("of a run without kills: %s", v)
	}
	r.Kills = 1
	if v := r.verdict(); v != "keeps what it promises" {
		t.Errorf("of a good run: %s", v)
	}
	if r.Residue.Found = 1; r.verdict() == "keeps what it promises" {
		t.Error("residue is not mentioned")
	}
}

func TestFilesOfAKindCountTogether(t *testing.T) {
	for name, want := range map[string]string{"000123.log": "#.log", "log": "log", "a1/b22c333": "a#/b#c#", "": ""} {
		if got := pattern(name); got != want {
			t.Errorf("pattern(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestOptionsReportAllThatIsWrong(t *testing.T) {
	_, err := Options{Kills: -1, Writers: 1000}.withDefaults()
	if err == nil || !strings.Contains(err.Error(), "Kills is -1") || !strings.Contains(err.Error(), "Writers is 1000") {
		t.Errorf("error %v", err)
	}
	if o, err := (Options{}).withDefaults(); err != nil || o.Kills != 100 || o.FolderKills != 20 || o.Limit <= 0 || o.Progress == nil {
		t.Errorf("%+v, %v", o, err)
	}
}
