package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
)

const threeItems = `{"id": "a", "vector": [1, -0.5, 3.4028235e38], "contents": "text <&> \u2028 \"", "metadata": {"n": 12345678901234567890, "x": "<>"}}

{"id": "b", "contents_base64": "/wD+", "metadata": null}
{"id": "line\nbreak", "vector_base64": "AADAfwAAgH8AAACA", "contents": ""}
`

func TestWhatUpsertReadsGetPrintsAgain(t *testing.T) {
	c := initialised(t)
	if out := c.keyedOK(threeItems, "upsert"); !strings.Contains(out, "3 items in 1 batch,") {
		t.Errorf("upsert says %q", out)
	}
	first := c.keyedOK("", "get", "a", "b", "line\nbreak")
	want := []string{
		`{"id":"a","vector":[1,-0.5,3.4028235e+38],"contents":"text <&> \u2028 \"","metadata":{"n":12345678901234567890,"x":"<>"}}`,
		`{"id":"b","contents_base64":"/wD+","metadata":null}`,
		`{"id":"line\nbreak","vector_base64":"AADAfwAAgH8AAACA","contents":""}`,
	}
	if got := strings.Split(strings.TrimSpace(first), "\n"); !slices.Equal(got, want) {
		t.Errorf("get prints\n%s\nwant\n%s", first, strings.Join(want, "\n"))
	}
	other := initialised(t)
	other.keyedOK("", "upsert", c.write("items", []byte(first)))
	if second := other.keyedOK("", "get", "a", "b", "line\nbreak"); second != first {
		t.Errorf("what get prints comes back as\n%s\nwant\n%s", second, first)
	}
}

func TestAListOfIDsGoesFromLsToDelete(t *testing.T) {
	c := initialised(t)
	c.keyedOK(threeItems+`{"id_base64": "/w=="}`, "upsert")
	want := map[string]bool{"a": true, "b": true, `"line\nbreak"`: true, `"\xff"`: true}
	if got := c.ids(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("ls: %v, want %v", got, want)
	}
	list := c.keyedOK("", "ls")
	if n := strings.Count(c.keyedOK(list, "get", "-"), "\n"); n != 4 {
		t.Errorf("get - of all ids prints %d items", n)
	}
	if out := c.keyedOK(list, "delete", "-"); !strings.Contains(out, "4 distinct ids") {
		t.Errorf("delete says %q", out)
	}
	if got := c.ids(); len(got) != 0 {
		t.Errorf("left: %v", got)
	}
}

func TestDeletePrintsAReceiptAndTheStoreIsWholeAfterwards(t *testing.T) {
	c := initialised(t)
	c.keyedOK(threeItems, "upsert")
	r := decode[receiptJSON](t, c.keyedOK("", "delete", "--json", "a", "a", "nobody"))
	if r.IDs != 2 || len(r.Index) != 32 || len(r.Session) != 32 || len(r.Head) != 64 || len(r.Salt) != 64 || len(r.Digest) != 64 || r.User != "root" || r.Time.IsZero() || r.Seq == 0 {
		t.Errorf("receipt %+v", r)
	}
	c.fails(c.keyed("", "get", "a"), exitNotFound, "not found: a", "1 of 1 id")
	c.keyedOK("", "purge")
	report := decode[reportJSON](t, c.keyedOK("", "check", "--json"))
	if !report.OK || report.Rows != 2 || report.PendingBytes != 0 || len(report.Problems) != 0 {
		t.Errorf("check: %+v", report)
	}
	stat := decode[statJSON](t, c.keyedOK("", "stat", "--json"))
	if stat.Index == nil || *stat.Index.Items != 2 || stat.Index.PendingBytes != 0 || !slices.Equal(stat.Indexes, []string{"default"}) || stat.Files.Segments.Bytes == 0 {
		t.Errorf("stat: %+v, index %+v", stat, stat.Index)
	}
	c.keyedOK("", "compact")
	if got := c.ids(); len(got) != 2 {
		t.Errorf("after compact: %v", got)
	}
	if stat := decode[statJSON](t, c.keyedOK("", "stat", "--json")); stat.Index.DeadBytes != 0 {
		t.Errorf("dead after compact: %+v", stat.Index)
	}
}

func TestTextIsForPeople(t *testing.T) {
	c := initialised(t)
	c.keyedOK(threeItems, "upsert")
	for _, step := range []struct {
		args string
		says []string
	}{
		{"stat", []string{"store          " + c.env[envStore], "index          default", "  items        3"}},
		{"ls --long", []string{"       3         14         38                        -  a\n", "       -          3          4                        -  b\n", "       3          0          -                        -  \"line\\nbreak\"\n"}},
		{"check", []string{"everything is as it was written", "3 living and whole, 0 dead"}},
		{"delete a", []string{"asked          to delete 1 distinct id\n", "by root", "erased         1 row, "}},
		{"purge", []string{"every delete up to sequence number"}},
		{"check", []string{"2 living and whole, 1 dead"}},
		{"compact", []string{"segments from"}},
	} {
		out := c.keyedOK("", strings.Fields(step.args)...)
		for _, want := range step.says {
			if !strings.Contains(out, want) {
				t.Errorf("%s does not print %q:\n%s", step.args, want, out)
			}
		}
	}
}

func TestJSONIsForMachines(t *testing.T) {
	c := newCLI(t)
	made := decode[struct {
		Store, Index string
		IndexID      string `json:"index_id"`
		Dimension    int
		KeyFile      string `json:"key_file"`
	}](t, c.ok("init", "--json", "--dimension", "3", "--generate-key", c.path("key")))
	if made.Store != c.env[envStore] || made.Index != "default" || made.Dimension != 3 || len(made.IndexID) != 32 || made.KeyFile != c.path("key") {
		t.Errorf("init: %+v", made)
	}
	put := decode[struct {
		Items, Batches int
		Seconds        float64
	}](t, c.keyedOK(threeItems, "upsert", "--json", "--batch", "2"))
	if put.Items != 3 || put.Batches != 2 || put.Seconds <= 0 {
		t.Errorf("upsert: %+v", put)
	}
	ids := make(map[string]listed)
	for l := range strings.Lines(c.keyedOK("", "ls", "--json", "--long")) {
		var v listed
		if err := json.Unmarshal([]byte(l), &v); err != nil {
			t.Fatal(err)
		}
		ids[v.ID] = v
	}
	if a := ids["a"]; len(ids) != 3 || *a.Dimension != 3 || *a.ContentsBytes != 14 || a.Vector != nil || ids["b"].Dimension != nil {
		t.Errorf("ls: %+v", ids)
	}
	cert := decode[map[string]any](t, c.keyedOK("", "purge", "--json"))
	for _, field := range []string{"index_id", "through_seq", "time", "rows", "bytes", "segments", "files_unlinked"} {
		if _, ok := cert[field]; !ok {
			t.Errorf("purge has no %q: %v", field, cert)
		}
	}
	r := c.keyed("", "get", "nobody", "--json")
	f := decode[failure](t, r.err)
	if r.code != exitNotFound || f.ExitCode != exitNotFound || f.Kind != "not_found" || f.Error == "" || len(f.Missing) != 1 || f.Missing[0].ID != "nobody" {
		t.Errorf("a failure: %+v", r)
	}
}

func TestABadLineIsNamedAndItsBatchLeftOut(t *testing.T) {
	c := initialised(t)
	for bad, says := range map[string]string{
		`{"id": "x"`:               "not JSON: the line ends inside of it",
		`[1]`:                      "not a JSON object",
		`{"id": "x"} {"id": "y"}`:  "more than one JSON value",
		`{"contents": "x"}`:        "no id",
		`{"id": ""}`:               "no id",
		`{"id": 5}`:                `field "id": not a JSON string`,
		`{"ID": "x"}`:              `field "ID": unknown`,
		`{"id": "x", "colour": 1}`: `field "colour": unknown`,
		`{"id": "x", "id": "y"}`:   `field "id": given twice`,
		`{"id": "x", "contents": "", "contents_base64": ""}`: `field "contents": given twice`,
		`{"id": "x", "contents_base64": "?"}`:                "not standard base64",
		`{"id": "x", "contents": "\ud800"}`:                  "half of a surrogate pair",
		`{"id": "x", "vector": [1, null]}`:                   "an element is null",
		`{"id": "x", "vector": [1e39]}`:                      "float32 can hold",
		`{"id": "x", "vector": []}`:                          "0 dimensions",
		`{"id": "x", "vector_base64": "AAA="}`:               "no whole number of float32",
		"{\"id\": \"\xff\"}":                                 "not UTF-8",
		`{"id": "` + strings.Repeat("x", 5000) + `"}`:        "id of 5000 bytes, at most 4096",
	} {
		input := `{"id": "1"}` + "\n\n" + `{"id": "2"}` + "\n" + `{"id": "3"}` + "\n" + bad + "\n" + `{"id": "6"}`
		c.fails(c.keyed(input, "upsert", "--batch", "2"), exitUsage, "line 5: bad input: ", says, "committed before it: 2 items")
		if got := c.ids(); len(got) != 2 || !got["1"] || !got["2"] {
			t.Errorf("%s: left are %v", bad, got)
		}
	}
}

func TestABadListOfIDsDeletesNothing(t *testing.T) {
	c := initialised(t)
	c.keyedOK(threeItems, "upsert")
	for list, says := range map[string]string{
		"a\n\nb\n":                          "line 2: bad input: no id",
		"a\nb\tc\n":                         "line 2: bad input: a control character",
		"a \n":                              "line 1: bad input: a space",
		"a\n\"b\n":                          "line 2: bad input: not a string in double quotes",
		"a\n\xff\n":                         "line 2: bad input: not UTF-8",
		"a\n" + strings.Repeat("x", 20_000): "line 2: bad input: longer than",
		"a\n\"\"\n":                         "line 2: bad input: no id",
	} {
		c.fails(c.keyed(list, "delete", "-"), exitUsage, says)
	}
	c.fails(c.keyed("", "delete", "--file", c.path("nowhere")), exitUsage, "no such file")
	c.fails(c.keyed("", "delete"), exitUsage, "no ids")
	c.fails(c.keyed("", "delete", "a", "--file", "-"), exitUsage, "--file")
	if got := c.ids(); len(got) != 3 {
		t.Errorf("left: %v", got)
	}
	c.keyedOK("", "delete", "--file", c.write("list", []byte("a\r\nb\r\n")))
	if got := c.ids(); len(got) != 1 {
		t.Errorf("left: %v", got)
	}
}

// interrupting cancels a command when its input has been read so far.
type interrupting struct {
	io.Reader
	cancel func()
}

func (r *interrupting) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	if err == io.EOF {
		r.cancel()
	}
	return n, err
}

func TestAnInterruptClosesTheStoreCleanly(t *testing.T) {
	c := initialised(t)
	ctx, cancel := context.WithCancel(context.Background())
	input := &interrupting{strings.NewReader(`{"id": "1"}` + "\n" + `{"id": "2"}` + "\n" + `{"id": "3"}`), cancel}
	c.fails(c.runWith(ctx, input, "upsert", "--batch", "2", "--key-file", c.path("key")), exitFailure, "interrupted", "committed before it: 2 items")
	if got := c.ids(); len(got) != 2 {
		t.Errorf("left: %v", got)
	}
	c.keyedOK("", "check")
}

func TestGetPrintsTheFieldsThatAreWanted(t *testing.T) {
	c := initialised(t)
	c.keyedOK(threeItems, "upsert")
	if out := c.keyedOK("", "get", "a", "--fields", "contents"); !strings.HasPrefix(out, `{"id":"a","contents":"text`) || strings.Contains(out, "metadata") {
		t.Errorf("contents: %s", out)
	}
	if out := c.keyedOK("", "get", "a", "--fields", ""); out != "{\"id\":\"a\"}\n" {
		t.Errorf("none: %s", out)
	}
	c.fails(c.keyed("", "get", "a", "--fields", "colour"), exitUsage, `"colour"`)
}

func TestReadingChangesNoFile(t *testing.T) {
	c := initialised(t)
	c.keyedOK(threeItems, "upsert")
	before := c.ok("stat", "--json")
	for _, args := range []string{"get a", "ls", "check", "stat"} {
		c.keyedOK("", strings.Fields(args)...)
	}
	if after := c.ok("stat", "--json"); after != before {
		t.Errorf("before %s\nafter %s", before, after)
	}
	if stat := decode[statJSON](t, before); stat.Index != nil {
		t.Errorf("figures without a key: %+v", stat.Index)
	}
	if _, err := os.Stat(c.path("key")); err != nil {
		t.Error(err)
	}
}
