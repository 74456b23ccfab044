package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"oubliette/internal/corpus"
)

// lineEnd parts the arguments of a command line, commandEnd command lines.
const (
	lineEnd    = "\n"
	commandEnd = "\n\n"
	maxLines   = 4
)

// commandLines takes a text apart. What would leave the folder of the test, or make
// thousands of items, is left out.
func commandLines(text string) (lines [][]string, ok bool) {
	if strings.ContainsAny(text, `/\`) || strings.Contains(text, "..") || strings.Contains(text, "demo") {
		return nil, false
	}
	for line := range strings.SplitSeq(text, commandEnd) {
		lines = append(lines, strings.Split(line, lineEnd))
	}
	return lines, len(lines) <= maxLines
}

// FuzzCommandLines runs up to four command lines, one after the other on one store,
// all with the same standard input. Each ends with an exit code that the help lists,
// says something when it fails, with --json in lines of JSON, and shows nothing that
// looks like a key.
func FuzzCommandLines(f *testing.F) {
	f.Fuzz(func(t *testing.T, text string, stdin []byte) {
		lines, ok := commandLines(text)
		if !ok {
			return
		}
		runLines(t, lines, stdin)
	})
}

// runLines runs command lines in a folder of their own, and answers the exit code of
// the last.
func runLines(t testing.TB, lines [][]string, stdin []byte) (code int) {
	dir, err := os.MkdirTemp("", "lines")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	c := newCLI(t)
	c.dir, c.env[envStore] = dir, filepath.Join(dir, "store")
	here, err := os.Getwd()
	if err == nil {
		err = os.Chdir(dir)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.Chdir(here) }()
	for _, args := range lines {
		r := c.run(string(stdin), args...)
		checkResult(t, args, r)
		code = r.code
	}
	return code
}

func checkResult(t testing.TB, args []string, r result) {
	if r.code < exitOK || r.code > exitRefused || r.code != exitOK && r.err == "" {
		t.Fatalf("%q: exit code %d, and says %q", args, r.code, r.err)
	}
	for _, digits := range keyLike(args) {
		if strings.Contains(r.err, digits) {
			t.Fatalf("%q: shows %q", args, r.err)
		}
	}
	if !wantsJSON(args) || slices.Contains(args, "--help") || slices.Contains(args, "-h") {
		return
	}
	for line := range strings.Lines(r.err) {
		if !json.Valid([]byte(line)) {
			t.Fatalf("%q: says %q, which is no JSON", args, line)
		}
	}
}

func commandSeeds() []corpus.Seed {
	join := func(lines ...string) string { return strings.ReplaceAll(strings.Join(lines, commandEnd), " ", lineEnd) }
	initial, key := "init --generate-key key", " --key-file key"
	id := `"a b"`
	return []corpus.Seed{
		corpus.Valid("help", "help", []byte{}), corpus.Valid("version", join("--version --json"), []byte{}), corpus.Valid("init", join(initial), []byte{}),
		corpus.Valid("story", join(initial, "upsert"+key, "ls --json"+key, "delete a"+key), []byte(threeItems)),
		corpus.Valid("ids-by-line", join(initial, "delete -"+key, "check"+key, "stat"), []byte("a\n"+id+"\n")),
		corpus.Valid("receipt", join(initial, "delete x --receipt r"+key, "root-key"+key, "status r"+key), []byte{}),
		corpus.Valid("backup", join(initial, "backup b", "restore b --store other", "purge --rewrite --store other"+key), []byte{}),
		corpus.Valid("users", join(initial, "users add --user-id 000102030405060708090a0b0c0d0e0f --perm both --generate-user-key u"+key, "users ls"+key, "ls --key-file u --user 000102030405060708090a0b0c0d0e0f"), []byte{}),
		corpus.Valid("ledger", join(initial+" --ledger l", "delete a --ledger l"+key, "ledger check l", "ledger show l --json"), []byte{}),
		corpus.Hostile("no-command", join("--json"), []byte{}), corpus.Hostile("no-store", join("ls --json"+key), []byte{}),
		corpus.Hostile("key-as-argument", join(initial, "verify "+strings.Repeat("ab", 32)), []byte{}),
		corpus.Hostile("key-as-id", join(initial, "get "+strings.Repeat("ab", 32)+key+" --json"), []byte{}),
		corpus.Hostile("bad-item", join(initial, "upsert"+key+" --json"), []byte("{}\n")),
		corpus.Hostile("no-document", join("verify - --root-key key"), []byte("{}")), corpus.Hostile("bad-flag", join("get --fields x a"+key), []byte{}),
		corpus.Hostile("no-notes", join(initial, "residue scan -"), []byte("{}")), corpus.Hostile("no-backup", join("restore -"), []byte("OUBLBAK")),
	}
}
