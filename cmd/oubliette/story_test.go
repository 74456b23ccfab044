package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// An auditor's whole way, through the command line alone.
func TestAnAuditorSeesAnErasureThrough(t *testing.T) {
	c := initialised(t)
	c.keyedOK(manyItems(40)+threeItems, "upsert")
	notes := c.write("notes", []byte(c.keyedOK("", "residue", "note", "a", "b", "item-000007")))
	out := c.run("", "residue", "scan", notes)
	c.fails(out, exitPending, "deleted data on disk")
	if !strings.Contains(out.out, "left           of item 1, part 1: ") || strings.Count(out.out, "left ") != 6 || !strings.Contains(out.out, "found          17 of 17 pieces") {
		t.Errorf("before the delete:\n%s", out.out)
	}

	c.keyedOK("", "delete", "a", "b", "item-000007", "nobody", "--receipt", c.path("receipt.json"))
	if out := c.keyedOK("", "status", c.path("receipt.json")); !strings.Contains(out, "state          erased") || !strings.Contains(out, "  rows         3 rows found") || !strings.Contains(out, "  rewritten    no") {
		t.Errorf("status:\n%s", out)
	}
	if out := c.keyedOK("", "purge", "--rewrite", "--certificate", c.path("purge.json")); !strings.Contains(out, "rewritten      every delete up to sequence number") || !strings.Contains(out, "file system    ") {
		t.Errorf("purge:\n%s", out)
	}
	if out := c.keyedOK("", "status", c.path("receipt.json"), "--certificate", c.path("certificate.json")); !strings.Contains(out, "  rewritten    yes") || !strings.Contains(out, "certificate    "+c.path("certificate.json")) {
		t.Errorf("status after the rewrite:\n%s", out)
	}
	out = c.run("", "residue", "scan", notes)
	c.fails(out, exitOK)
	if !strings.Contains(out.out, "found          0 of ") || strings.Contains(out.out, "left") {
		t.Errorf("after the purge:\n%s", out.out)
	}
	pem := c.keyedOK("", "root-key")

	// Another machine: the public key and the documents, no store and no key.
	elsewhere := &cli{t, t.TempDir(), map[string]string{}, nil}
	elsewhere.write("root.pem", []byte(pem))
	for _, name := range []string{"receipt.json", "purge.json", "certificate.json"} {
		elsewhere.write(name, c.read(name))
	}
	said := elsewhere.ok("verify", "--root-key", elsewhere.path("root.pem"), elsewhere.path("receipt.json"), elsewhere.path("certificate.json"), elsewhere.path("purge.json"))
	for _, want := range []string{
		"verified       yes: a receipt, signed by root", "to delete 4 distinct ids", "verified       yes: a certificate, signed by root",
		"names          " + elsewhere.path("receipt.json") + ": yes", "names          " + elsewhere.path("receipt.json") + ": not by its head; but it speaks of every delete up to its number",
		"not covered    device-remapping: ", "copies-outside: ", "memory-images: ", "tokens-and-sizes: ", "copying-file-system: ",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("verify does not say %q:\n%s", want, said)
		}
	}
	for _, name := range []string{"receipt.json", "certificate.json", "purge.json"} {
		elsewhere.refusesEveryChange(name)
	}
}

// refusesEveryChange alters a document in every leaf of its envelope, of its body
// and of what stands in that.
func (c *cli) refusesEveryChange(name string) {
	c.Helper()
	changed := 0
	for _, m := range alterations(c, c.read(name)) {
		changed++
		path := c.write("altered.json", m.text)
		r := c.run("", "verify", "--root-key", c.path("root.pem"), path)
		c.fails(r, exitRefused, path+": refused: ")
		if !strings.Contains(r.out, "verified       NO: ") || strings.Contains(r.out, "yes") {
			c.Errorf("%s, %s altered:\n%s", name, m.leaf, r.out)
		}
	}
	if changed < 15 {
		c.Errorf("%s: only %d leaves altered", name, changed)
	}
}

// alteration is a document with another value in one leaf.
type alteration struct {
	leaf string
	text []byte
}

// alterations are those of the envelope's leaves, and, in place of the payload,
// those of the body.
func alterations(t testing.TB, doc []byte) (all []alteration) {
	t.Helper()
	var env map[string]any
	if err := json.Unmarshal(doc, &env); err != nil {
		t.Fatal(err)
	}
	payload := env["payload"].(string)
	body, err := base64.StdEncoding.DecodeString(payload)
	if err != nil {
		t.Fatal(err)
	}
	all = append(all, alteredLeaves(t, doc)...)
	for _, m := range alteredLeaves(t, body) {
		text := strings.Replace(string(doc), payload, base64.StdEncoding.EncodeToString(m.text), 1)
		all = append(all, alteration{"body." + m.leaf, []byte(text)})
	}
	return all
}

// alteredLeaves changes each leaf of a JSON text where it stands, and nothing else.
func alteredLeaves(t testing.TB, text []byte) (all []alteration) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.UseNumber()
	key, keys := true, []bool{} // whether the next string is the name of a field
	for {
		from := d.InputOffset()
		tok, err := d.Token()
		if err != nil {
			return all
		}
		switch tok {
		case json.Delim('{'), json.Delim('['):
			keys = append(keys, tok == json.Delim('{'))
			key = tok == json.Delim('{')
			continue
		case json.Delim('}'), json.Delim(']'):
			keys = keys[:len(keys)-1]
			key = len(keys) > 0 && keys[len(keys)-1]
			continue
		}
		if _, name := tok.(string); name && key {
			key = false
			continue
		}
		key = len(keys) > 0 && keys[len(keys)-1]
		whole := string(text[from:d.InputOffset()])
		raw := strings.TrimLeft(whole, ":, \n\t")
		start := int(d.InputOffset()) - len(raw)
		changed := string(text[:start]) + other(raw) + string(text[d.InputOffset():])
		all = append(all, alteration{fmt.Sprintf("%s at %d", raw, start), []byte(changed)})
	}
}

// other is another value of the same type and, where that can be, of a valid form.
func other(raw string) string {
	switch {
	case raw == "null":
		return `"2026-01-02T03:04:05Z"`
	case raw == "true":
		return "false"
	case raw[0] != '"':
		return raw + "1"
	}
	b := []byte(raw)
	for i := 1; i < len(b)-1; i++ {
		switch {
		case b[i] >= '1' && b[i] <= '8':
			b[i]++
			return string(b)
		case b[i] >= 'a' && b[i] <= 'e', b[i] >= 'A' && b[i] <= 'Y':
			b[i]++
			return string(b)
		}
	}
	return `"1` + string(b[1:])
}

func (c *cli) read(name string) []byte {
	c.Helper()
	b, err := os.ReadFile(c.path(name))
	if err != nil {
		c.Fatal(err)
	}
	return b
}

// A store that is put back takes its deletes from the ledger, and does not open for
// writing without it.
func TestAStoreThatIsPutBackForgetsAgain(t *testing.T) {
	c := newCLI(t)
	kept := []string{"--ledger", c.path("ledger")}
	with := func(args ...string) []string { return append(args, kept...) }
	c.ok(with("init", "--generate-key", c.path("key"))...)
	c.keyedOK(threeItems, with("upsert")...)
	if err := os.CopyFS(c.path("copy"), os.DirFS(c.env[envStore])); err != nil {
		t.Fatal(err)
	}
	c.keyedOK("", with("delete", "a", "--receipt", c.path("receipt"))...)
	c.keyedOK("", with("delete", "b")...)
	if err := os.RemoveAll(c.env[envStore]); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(c.path("copy"), c.env[envStore]); err != nil {
		t.Fatal(err)
	}

	c.fails(c.keyed("", "delete", "x"), exitUsage, "give --ledger FILE or set $OUBLIETTE_LEDGER")
	if out := c.keyedOK("", "ls"); strings.Count(out, "\n") != 3 {
		t.Errorf("the state that was put back: %s", out)
	}
	c.fails(c.keyed("", "status", c.path("receipt")), exitCorrupt, "is not there") // the receipt tells

	r := c.run("", "ledger", "check", c.path("ledger"))
	c.fails(r, exitOK)
	if !strings.Contains(r.out, "was put back: index default lacks 2 groups") {
		t.Errorf("ledger check:\n%s", r.out)
	}
	r = c.keyed("", with("ls")...)
	c.fails(r, exitOK, "warning: ", `index "default" was put back to an earlier state: 2 groups of deletes were missing`)
	if r.out != "\"line\\nbreak\"\n" {
		t.Errorf("ls shows %s", r.out)
	}
	r = c.keyed("", with("ls", "--json")...)
	if w := decode[struct{ Warning string }](t, r.err); r.code != exitOK || !strings.Contains(w.Warning, "put back") {
		t.Errorf("ls --json: %+v", r)
	}
	c.env[envLedger] = c.path("ledger")
	r = c.keyed("", "purge")
	c.fails(r, exitOK, "put back")
	if r := c.keyed("", "status", c.path("receipt")); r.code != exitOK || r.err != "" || !strings.Contains(r.out, "erased") {
		t.Errorf("status: %+v", r)
	}
	if r := c.keyed("", "check"); r.code != exitOK || r.err != "" {
		t.Errorf("it is told once: %+v", r)
	}
}

// A ledger inside of the store would be put back with it, however it is spelt.
func TestALedgerStandsOutsideOfTheStore(t *testing.T) {
	c := newCLI(t)
	store := c.env[envStore]
	if err := os.Symlink(store, c.path("link")); err != nil {
		t.Fatal(err)
	}
	refused := func(args ...string) {
		t.Helper()
		c.fails(c.run("", args...), exitUsage, "inside of the store")
	}
	inside := []string{filepath.Join(store, "ledger"), filepath.Join(store, "segments", "..", "x"), store, c.path("x/../store/ledger")}
	for _, path := range inside {
		refused("init", "--generate-key", c.path("key"), "--ledger", path)
	}
	if _, err := os.Stat(c.path("key")); err == nil {
		t.Error("a key file of an index that was not made")
	}
	c.ok("init", "--generate-key", c.path("key"), "--ledger", c.path("store-ledger"))
	for _, path := range append(inside, c.path("link/ledger")) {
		refused("ls", "--key-file", c.path("key"), "--ledger", path)
		c.env[envLedger] = path
		refused("delete", "x", "--key-file", c.path("key"))
		delete(c.env, envLedger)
	}
	t.Chdir(store)
	refused("ls", "--key-file", c.path("key"), "--ledger", "ledger")
	c.ok("ls", "--key-file", c.path("key"), "--ledger", "../store-ledger")
}
