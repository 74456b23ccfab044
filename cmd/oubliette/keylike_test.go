package main

import (
	"os"
	"slices"
	"strings"
	"testing"
)

func TestAKeyInTheCommandLineIsNotShown(t *testing.T) {
	c := initialised(t)
	key := strings.Repeat("5ec2e7A", 10)[:64]
	for _, args := range [][]string{
		{"ls", "--key-file", key}, {"ls", "--key-file=" + key}, {"ls", key}, {"ls", "x", key}, {"ls", "--index", key}, {"ls", "--store", key},
		{"ls", "--key-file", c.path(key)}, {key}, {"--" + key}, {"ls", "-" + key}, {"ls", "-l" + key}, {"ls", "--" + key + "=x"}, {"help", key},
		{"upsert", key}, {"upsert", "--batch", key}, {"upsert", "x", key}, {"get", "--file", key}, {"get", "x", "--fields", key}, {"get", key},
		{"get", `"` + key + `"`}, {"get", "-", key}, {"get", `"` + key + `x"y"`}, {"delete", "--file", key}, {"stat", "--index", key},
		{"init", "--generate-key", key}, {"init", "--index", key}, {"init", "--store", key}, {"init", "--dimension", key}, {"demo", "--mnist", key}, {"demo", key},
		{"ls", "--user", key}, {"ls", "--user", key[:40] + "-" + key[40:]}, {"users", key}, {"users", "ls", key}, {"users", "rm", key}, {"users", "rm", "x", key},
		{"users", "add", "--perm", key}, {"users", "add", "--perm", "read", "--user-id", key, "--generate-user-key", c.path("new")},
		{"users", "add", "--perm", "read", "--user-key-file", key}, {"users", "add", "--perm", "read", "--generate-user-key", key},
		{"backup", key}, {"restore", key}, {"restore", "x", "--store", key}, {"rotate-key", key}, {"rotate-key", "--new-key-file", key}, {"rotate-key", "--generate-new-key", key},
		{"delete", "x", "--receipt", key}, {"purge", "--certificate", key}, {"status", key}, {"status", "x", "--certificate", key}, {"status", "x", "--root-key", key},
		{"verify", key}, {"verify", "x", key}, {"verify", "x", "--root-key", key}, {"verify", "x", "--ids", key}, {"root-key", key}, {"ls", "--ledger", key},
		{"ledger", key}, {"ledger", "show", key}, {"ledger", "check", key}, {"residue", key}, {"residue", "note", "--file", key}, {"residue", "scan", key},
		{"ls", "--key-file", key[:63]}, {"ls", "--key-file", key + "0"}, {"ls", "--key-file", " " + key + "\n"}, {"ls", "--key-file", strings.ToUpper(key)},
	} {
		for _, all := range [][]string{args, append([]string{"--json"}, args...)} {
			r := c.run("", append([]string{"--key-file", c.path("key")}, all...)...)
			if r.code == exitOK || strings.Contains(strings.ToLower(r.out+r.err), strings.ToLower(key[:60])) {
				t.Errorf("%s: exit code %d\n%s%s", all, r.code, r.out, r.err)
			}
		}
	}
	for _, dir := range []string{".", c.dir} {
		names, err := os.ReadDir(dir)
		if err != nil || slices.ContainsFunc(names, func(e os.DirEntry) bool { return looksLikeKey(e.Name()) }) {
			t.Errorf("named like a key: %v, %v", names, err)
		}
	}
	c.fails(c.run("", "ls", "--key-file", key), exitUsage, "--key-file: that looks like a key: give a file that holds it")
	c.fails(c.run("", "ls", key), exitUsage, "that looks like a key: give a file that holds it")
}

// Digests make good ids: 64 hexadecimal digits are one, too.
func TestAnIDMayLookLikeAKey(t *testing.T) {
	c := initialised(t)
	id, other := strings.Repeat("c0ffee00", 8), strings.Repeat("deadbeef", 8)
	c.keyedOK(`{"id": "`+id+`"}`, "upsert")
	if out := c.keyedOK("", "get", id); out != `{"id":"`+id+`"}`+"\n" {
		t.Errorf("get: %s", out)
	}
	c.fails(c.keyed("", "get", id, other), exitNotFound, "not found: argument 2, which is not shown", "1 of 2 ids")
	c.fails(c.keyed("", "get", "\x9d"+other), exitNotFound, "not found: argument 1, which is not shown", "1 of 1 id")
	c.fails(c.keyed(other+"\n", "get", "-"), exitNotFound, "not found: "+other)
	c.keyedOK("", "delete", id)
	if got := c.ids(); len(got) != 0 {
		t.Errorf("left: %v", got)
	}
	c.keyedOK("", "check")
}
