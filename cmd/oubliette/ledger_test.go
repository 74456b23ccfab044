package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"oubliette/engine"
)

// kept is a store with a ledger and two deletes of index default, and with another
// index.
func kept(t *testing.T) *cli {
	t.Helper()
	c := newCLI(t)
	c.env[envLedger] = c.path("ledger")
	c.ok("init", "--generate-key", c.path("key"))
	c.keyedOK(threeItems, "upsert")
	c.keyedOK("", "delete", "a")
	c.keyedOK("", "init", "--index", "other one")
	c.keyedOK("", "delete", "nobody", "--index", "other one")
	c.keyedOK("", "delete", "b", "nobody")
	return c
}

// entries are those that ledger show prints.
func (c *cli) entries(args ...string) (all []entryJSON) {
	c.Helper()
	for l := range strings.Lines(c.ok(append([]string{"ledger", "show", "--json", c.path("ledger")}, args...)...)) {
		all = append(all, decode[entryJSON](c, l))
	}
	return all
}

func TestALedgerIsShown(t *testing.T) {
	c := kept(t)
	all := c.entries()
	kinds := ""
	for i, e := range all {
		kinds += e.Kind + " "
		if e.Size == 0 || len(e.IndexID) != 32 || i > 0 && e.Offset <= all[i-1].Offset || e.Kind == "group" && (e.FirstSeq == 0 || e.LastSeq < e.FirstSeq || e.Epoch != 1 || e.Group == 0) {
			t.Errorf("entry %+v", e)
		}
	}
	if kinds != "begin epoch group begin epoch group group " {
		t.Errorf("entries: %s", kinds)
	}
	for name, n := range map[string]int{"default": 4, "other one": 3} {
		some := c.entries("--index", name)
		for _, e := range some {
			if e.Index != name {
				t.Errorf("of %s: %+v", name, e)
			}
		}
		if len(some) != n {
			t.Errorf("%d entries of %s", len(some), name)
		}
	}
	c.fails(c.run("", "ledger", "show", c.path("ledger"), "--index", "nowhere"), exitNotFound, "nowhere")
	if out := c.ok("ledger", "show", c.path("ledger")); strings.Count(out, "\n") != 7 || !strings.Contains(out, "  group  default: group ") {
		t.Errorf("ledger show:\n%s", out)
	}
	c.fails(c.run("", "ledger", "show", c.path("nowhere")), exitUsage, "no such file")
	c.fails(c.run("", "ledger", "show", c.path("key")), exitRefused, "not_ours")
}

// Each of the things that can be wrong with a ledger has its own word.
func TestWhatIsWrongWithALedgerIsOneWord(t *testing.T) {
	c := kept(t)
	check := func(path, word string, says ...string) ledgerReport {
		t.Helper()
		code := exitRefused
		if word == "" {
			code = exitOK
		}
		r := c.run("", "ledger", "check", path, "--json")
		c.fails(r, code, says...)
		report := decode[ledgerReport](t, r.out)
		if report.Problem != word || report.OK != (word == "") || (report.Error == "") != (word == "") {
			t.Errorf("%s: %+v", path, report)
		}
		if text := c.run("", "ledger", "check", path); text.code != code || !strings.Contains(text.out, strings.ReplaceAll(word, "_", " ")) {
			t.Errorf("%s: %+v", path, text)
		}
		return report
	}
	if r := check(c.path("ledger"), ""); len(r.Indexes) != 2 || r.Indexes[0].Groups != 2 || r.Indexes[1].Name != "other one" || r.Store != c.env[envStore] || len(r.StoreID) != 32 || len(r.Behind) != 0 {
		t.Errorf("a whole one: %+v", r)
	}
	whole, all := c.read("ledger"), c.entries()
	last := all[len(all)-1]

	cut := c.write("cut", whole[:last.Offset])
	check(cut, "cut", "cut")
	c.fails(c.keyed("", "ls", "--ledger", cut), exitRefused, "ledger is cut")
	c.env[envStore] = ""
	check(cut, "") // by itself it is whole: it ends earlier
	c.env[envStore] = c.path("store")

	flipped := append([]byte{}, whole...)
	flipped[all[2].Offset+100] ^= 1
	if r := check(c.write("altered", flipped), "altered"); r.Offset == nil || *r.Offset != all[2].Offset {
		t.Errorf("where: %+v", r)
	}
	r := c.run("", "ledger", "show", c.path("altered"))
	c.fails(r, exitRefused, "altered", fmt.Sprintf("at offset %d", all[2].Offset))
	if r.out != "" {
		t.Errorf("shown of a damaged one:\n%s", r.out)
	}

	other := kept(t)
	check(other.path("ledger"), "not_ours", "not this store's ledger")
	check(c.path("key"), "not_ours")
	never := initialised(t)
	never.fails(never.run("", "ledger", "check", c.path("ledger")), exitRefused, "has never kept a ledger")

	// Two that go on from one.
	c.copyStore("copy")
	c.write("copied", whole)
	c.keyedOK("", "delete", "x")
	c.keyedOK("", "delete", "y", "--store", c.path("copy"), "--ledger", c.path("copied"))
	check(c.path("copied"), "fork", "different ways")
	c.fails(c.run("", "ledger", "check", c.path("ledger"), "--store", c.path("nowhere")), exitNotFound)
	c.fails(c.run("", "ledger", "check", c.path("nowhere")), exitUsage, "no such file")
}

func (c *cli) copyStore(name string) {
	c.Helper()
	if err := os.CopyFS(c.path(name), os.DirFS(c.env[envStore])); err != nil {
		c.Fatal(err)
	}
}

// A store from before a change of its keys is told, and does not open.
func TestAStoreFromBeforeAChangeOfKeysIsRefused(t *testing.T) {
	c := kept(t)
	c.copyStore("copy")
	c.addUser(1, "read")
	c.env[envStore] = c.path("copy")
	r := c.run("", "ledger", "check", "--json", c.path("ledger"))
	c.fails(r, exitRefused, "before a change of its keys")
	if report := decode[ledgerReport](t, r.out); report.Problem != "rolled_back" || len(report.Behind) != 1 || report.Behind[0].Epochs != 1 || report.Behind[0].Index != "default" {
		t.Errorf("%+v", report)
	}
	c.fails(c.keyed("", "ls"), exitRefused, "warning: ", "it lacks 1 change of users or keys, and cannot be opened", "before a change of its keys")
}

func TestALedgerIsTakenWithEveryCommandThatOpensAStore(t *testing.T) {
	c := kept(t)
	if r := c.run("", "stat", "--ledger", c.path("key")); r.code != exitRefused || r.out != "" {
		t.Errorf("stat with another file: %+v", r)
	}
	delete(c.env, envLedger)
	for _, args := range []string{"upsert", "delete x", "purge", "compact", "users add --perm read --generate-user-key " + c.path("x"), "init --index third"} {
		r := c.keyed(`{"id": "x"}`, append(strings.Fields(args), "--json")...)
		var f failure
		if err := json.Unmarshal([]byte(r.err), &f); err != nil || r.code != exitUsage || !strings.Contains(f.Error, "--ledger FILE or set $"+envLedger) {
			t.Errorf("%s: %+v", args, r)
		}
	}
	for _, args := range []string{"ls", "stat", "check", "root-key"} {
		c.keyedOK("", strings.Fields(args)...)
	}
	c.env[envLedger] = c.path("ledger")
	c.holdOpenWith(&engine.Options{Ledger: engine.LedgerFile(nil, c.path("ledger"))}, func(*engine.DB) {
		c.copyStore("copy")
		c.fails(c.keyed("", "delete", "x", "--store", c.path("copy")), exitLocked, "ledger is in use")
	})
	c.keyedOK("", "check")
}
