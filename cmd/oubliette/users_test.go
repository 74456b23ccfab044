package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// userOf is a user by number, whose key file has that user's name.
func userOf(n int) string { return fmt.Sprintf("%032x", 0xA0+n) }

// addUser lets a user in and answers its id; its key is in the file of that name.
func (c *cli) addUser(n int, perm string) string {
	c.Helper()
	id := userOf(n)
	c.keyedOK("", "users", "add", "--perm", perm, "--user-id", id, "--generate-user-key", c.path(id))
	return id
}

// as runs a command with a user's key.
func (c *cli) as(user, stdin string, args ...string) result {
	return c.run(stdin, append(args, "--user", user, "--key-file", c.path(user))...)
}

func (c *cli) asOK(user, stdin string, args ...string) string {
	c.Helper()
	return c.okResult(c.as(user, stdin, args...), args...)
}

// files are the names in the command's folder.
func (c *cli) files() (names []string) {
	c.Helper()
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		c.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// withholds wants no key that a file in the command's folder holds in a text.
func (c *cli) withholds(text string) {
	c.Helper()
	text = strings.ToLower(text)
	for _, name := range c.files() {
		b, err := os.ReadFile(c.path(name))
		if digits := strings.ToLower(strings.TrimSpace(string(b))); err == nil && looksLikeKey(digits) {
			for at := 0; at+16 <= len(digits); at += 8 {
				if strings.Contains(text, digits[at:at+16]) {
					c.Errorf("the key of %s is shown:\n%s", name, text)
				}
			}
		}
	}
}

func TestTheWholeLifeOfUsers(t *testing.T) {
	c := initialised(t)
	var shown strings.Builder
	do := func(code int, r result, says ...string) string {
		t.Helper()
		c.fails(r, code, says...)
		shown.WriteString(r.out + r.err)
		return r.out
	}
	reader, writer, both := userOf(1), userOf(2), userOf(3)
	add := func(id, perm string) result {
		return c.keyed("", "users", "add", "--perm", perm, "--user-id", id, "--generate-user-key", c.path(id))
	}
	for id, perm := range map[string]string{reader: "read", writer: "write", both: "both"} {
		if out := do(exitOK, add(id, perm)); !strings.Contains(out, "user           "+id+"\n") || !strings.Contains(out, "permission     "+perm+"\n") {
			t.Errorf("users add says\n%s", out)
		}
	}
	if out := do(exitOK, c.keyed("", "users", "ls")); out != reader+"  read\n"+writer+"  write\n"+both+"  both\n" {
		t.Errorf("users ls:\n%s", out)
	}

	do(exitOK, c.as(writer, threeItems, "upsert"))
	if out := do(exitOK, c.as(reader, "", "get", "a", "b")); strings.Count(out, "\n") != 2 {
		t.Errorf("the reader gets\n%s", out)
	}
	if out := do(exitOK, c.as(writer, "", "delete", "b")); !strings.Contains(out, "by "+writer) || !strings.Contains(out, "erased         1 row, ") {
		t.Errorf("the writer's delete:\n%s", out)
	}
	do(exitNotFound, c.as(reader, "", "get", "b"), "not found: b")
	for _, step := range []struct {
		args  string
		codes string // of the reader, the writer, and who may both
	}{
		{"get a", "040"}, {"ls", "040"}, {"ls --long", "040"}, {"stat", "000"}, {"check", "000"},
		{"delete nobody", "400"}, {"upsert", "400"}, {"purge", "400"}, {"compact", "440"},
		{"users ls", "444"}, {"users rm " + writer, "444"},
		{"users add --perm both --generate-user-key " + c.path("x"), "444"}, {"rotate-key --generate-new-key " + c.path("x"), "444"},
	} {
		for i, user := range []string{reader, writer, both} {
			code := int(step.codes[i] - '0')
			r := c.as(user, `{"id": "c"}`, strings.Fields(step.args)...)
			do(code, r)
			if code == exitKey && (!strings.Contains(r.err, "permission denied") || !strings.Contains(r.err, user) || r.out != "") {
				t.Errorf("%s as %s: %s%s", step.args, user, r.out, r.err)
			}
		}
	}
	do(exitKey, c.run("", "get", "a", "--user", writer, "--key-file", c.path(reader)), "wrong key")
	do(exitKey, c.run("", "get", "a", "--user", userOf(9), "--key-file", c.path(reader)), "wrong key")
	do(exitKey, c.run("", "get", "a", "--key-file", c.path(reader)), "wrong key") // that is as root
	do(exitKey, c.run("", "users", "ls", "--key-file", c.path(both)), "wrong key")
	if slices.Contains(c.files(), "x") {
		t.Error("a key file of a user who was not let in")
	}

	// Another permission, and another key.
	if out := do(exitOK, c.keyed("", "users", "add", "--perm", "read", "--user-id", both, "--generate-user-key", c.path("other"))); !strings.Contains(out, "the old key opens nothing") {
		t.Errorf("the same user again: %s", out)
	}
	do(exitKey, c.as(both, "", "get", "a"), "wrong key")
	do(exitOK, c.run("", "get", "a", "--user", both, "--key-file", c.path("other")))
	do(exitKey, c.run("", "delete", "a", "--user", both, "--key-file", c.path("other")), "permission denied")

	if out := do(exitOK, c.keyed("", "users", "rm", reader)); !strings.Contains(out, "was there") {
		t.Errorf("users rm: %s", out)
	}
	if out := do(exitOK, c.keyed("", "users", "rm", reader)); !strings.Contains(out, "was not there") {
		t.Errorf("users rm once more: %s", out)
	}
	for _, args := range []string{"get a", "ls", "stat", "check", "delete a", "purge", "compact"} {
		do(exitKey, c.as(reader, "", strings.Fields(args)...), "wrong key")
	}

	out := do(exitOK, c.keyed("", "rotate-key", "--generate-new-key", c.path("second")))
	if !strings.Contains(out, "new key        "+c.path("second")) || !strings.Contains(out, "old key        "+c.path("key")) {
		t.Errorf("rotate-key says\n%s", out)
	}
	for _, args := range []string{"get a", "ls", "stat", "check", "delete a", "purge", "users ls", "rotate-key --generate-new-key " + c.path("x")} {
		do(exitKey, c.keyed("", strings.Fields(args)...), "wrong key")
	}
	do(exitOK, c.as(writer, `{"id": "d"}`, "upsert"))
	do(exitOK, c.run("", "get", "a", "d", "--user", both, "--key-file", c.path("other")))
	do(exitKey, c.as(reader, "", "get", "a"), "wrong key")
	if out := do(exitOK, c.run("", "users", "ls", "--key-file", c.path("second"))); out != writer+"  write\n"+both+"  read\n" {
		t.Errorf("users after the rotation:\n%s", out)
	}
	do(exitOK, c.run("", "get", "a", "d", "--user", "root", "--key-file", c.path("second")))
	do(exitOK, c.run("", "check", "--key-file", c.path("second")))
	do(exitOK, c.run("", "stat"))
	if stat := decode[statJSON](t, do(exitOK, c.run("", "stat", "--json"))); stat.Index != nil || !slices.Equal(stat.Indexes, []string{"default"}) {
		t.Errorf("stat without a key: %+v", stat)
	}
	do(exitKey, c.run("", "stat", "--user", "root"), "no key") // who says whose key it is has one
	do(exitKey, c.run("", "stat", "--user", writer), "no key")

	key, err := os.ReadFile(c.path(writer))
	if err != nil {
		t.Fatal(err)
	}
	c.env[envKey] = strings.TrimSpace(string(key))
	do(exitOK, c.run("", "delete", "d", "--user", writer))
	do(exitKey, c.run("", "get", "d", "--user", writer), "permission denied")
	c.env[envKey] = ""
	if slices.Contains(c.files(), "x") {
		t.Error("a key file that nobody has")
	}
	c.withholds(shown.String())
}

func TestTheItemsAreNotCountedForWhoDoesNotRead(t *testing.T) {
	c := initialised(t)
	writer := c.addUser(1, "write")
	c.asOK(writer, threeItems, "upsert")
	if out := c.asOK(writer, "", "stat"); !strings.Contains(out, "not counted: the key does not read") {
		t.Errorf("stat: %s", out)
	}
	stat := decode[statJSON](t, c.asOK(writer, "", "stat", "--json"))
	if stat.Index == nil || stat.Index.Items != nil || stat.Index.DataBytes == 0 {
		t.Errorf("stat: %+v", stat.Index)
	}
	if r := decode[reportJSON](t, c.asOK(writer, "", "check", "--json")); !r.OK || !r.RowsUnread {
		t.Errorf("check: %+v", r)
	}
}

func TestUsersForMachines(t *testing.T) {
	c := initialised(t)
	type added struct {
		Index    string
		UserID   string `json:"user_id"`
		Perm     string
		Replaced bool
		KeyFile  string `json:"key_file"`
	}
	add := func(args ...string) added {
		t.Helper()
		return decode[added](t, c.keyedOK("", append([]string{"users", "add", "--json"}, args...)...))
	}
	first := add("--perm", "both", "--generate-user-key", c.path("first"))
	second := add("--perm", "write", "--generate-user-key", c.path("second"))
	if len(first.UserID) != userDigits || first.UserID == second.UserID || first.Perm != "both" || first.Replaced || first.KeyFile != c.path("first") || first.Index != "default" {
		t.Errorf("users add: %+v, %+v", first, second)
	}
	if info, err := os.Stat(c.path("first")); err != nil || info.Mode().Perm() != 0o600 || info.Size() != 65 {
		t.Errorf("key file: %v, %v", info, err)
	}
	if again := add("--perm", "read", "--user-id", strings.ToUpper(first.UserID), "--user-key-file", c.path("first")); !again.Replaced || again.UserID != first.UserID || again.Perm != "read" {
		t.Errorf("the same again: %+v", again)
	}
	var listed []userJSON
	for l := range strings.Lines(c.keyedOK("", "users", "ls", "--json")) {
		listed = append(listed, decode[userJSON](t, l))
	}
	want := []userJSON{{first.UserID, "read"}, {second.UserID, "write"}}
	slices.SortFunc(want, func(a, b userJSON) int { return strings.Compare(a.UserID, b.UserID) })
	if !slices.Equal(listed, want) {
		t.Errorf("users ls: %+v, want %+v", listed, want)
	}
	for _, there := range []bool{true, false} {
		removed := decode[struct {
			Index    string
			UserID   string `json:"user_id"`
			WasThere bool   `json:"was_there"`
		}](t, c.keyedOK("", "users", "rm", "--json", second.UserID))
		if removed.UserID != second.UserID || removed.WasThere != there {
			t.Errorf("users rm: %+v, was there: %v", removed, there)
		}
	}
	rotated := decode[struct {
		Index   string
		IndexID string `json:"index_id"`
		KeyFile string `json:"key_file"`
		OldKey  string `json:"old_key"`
	}](t, c.keyedOK("", "rotate-key", "--json", "--generate-new-key", c.path("third")))
	if rotated.KeyFile != c.path("third") || rotated.OldKey != c.path("key") || len(rotated.IndexID) != 32 {
		t.Errorf("rotate-key: %+v", rotated)
	}
	for _, args := range [][]string{{"users"}, {"users", "x"}, {"users", "rm"}, {"users", "rm", "x"}, {"users", "add"}, {"users", "ls", "x"}, {"rotate-key"}, {"ls", "--user", "x"}} {
		r := c.keyed("", append(args, "--json")...)
		if f := decode[failure](t, r.err); f.Kind != "usage" || r.code != exitUsage || r.out != "" || f.Unknown {
			t.Errorf("%s: %+v", args, r)
		}
	}
	r := c.keyed("", "users", "ls", "--json") // the old key
	if f := decode[failure](t, r.err); f.Kind != "key" || r.code != exitKey {
		t.Errorf("%+v", r)
	}
	if out := c.ok("users"); !strings.Contains(out, "add") || !strings.Contains(out, "rotate-key") {
		t.Errorf("users: %s", out)
	}
}

func TestBadInputForUsersChangesNothing(t *testing.T) {
	c := initialised(t)
	id := userOf(1)
	c.write("short", []byte("abcd\n"))
	digits, err := os.ReadFile(c.path("key"))
	if err != nil {
		t.Fatal(err)
	}
	c.write("roots", digits)
	before := c.files()
	t.Chdir(c.dir) // for what would be named "-"
	draw, read := "--generate-user-key "+c.path("new"), "--user-key-file "+c.path("roots")
	next, file := "--generate-new-key "+c.path("new"), "--new-key-file "+c.path("roots")
	for _, step := range []struct {
		args string
		code int
		says string
	}{
		{"users nonsense", exitUsage, `unknown command "nonsense"`},
		{"users add x --perm read " + draw, exitUsage, "takes no argument"},
		{"users add " + draw, exitUsage, "--perm is needed: read, write or both"},
		{"users add --perm all " + draw, exitUsage, `--perm knows no "all"`},
		{"users add --perm read", exitUsage, "give --user-key-file FILE or --generate-user-key FILE"},
		{"users add --perm read " + draw + " " + read, exitUsage, "--user-key-file and --generate-user-key"},
		{"users add --perm read --generate-user-key -", exitUsage, "a file and nowhere else"},
		{"users add --perm read --generate-user-key " + c.path("nowhere/key"), exitFailure, "no such file"},
		{"users add --perm read --generate-user-key " + c.path("key"), exitFailure, "never overwritten"},
		{"users add --perm read --generate-user-key " + c.dir, exitFailure, "never overwritten"},
		{"users add --perm read --user-key-file " + c.path("nowhere"), exitKey, "nowhere"},
		{"users add --perm read --user-key-file " + c.path("short"), exitKey, "short"},
		{"users add --perm read " + read, exitUsage, "root's key"},
		{"users add --perm read --user-id root " + draw, exitUsage, "--user-id: a user's id is needed, and root is none"},
		{"users add --perm read --user-id= " + draw, exitUsage, "--user-id: 0 hexadecimal digits"},
		{"users add --perm read --user-id 12 " + draw, exitUsage, "--user-id: 2 hexadecimal digits"},
		{"users add --perm read --user-id " + strings.Repeat("0", 32) + " " + draw, exitUsage, "root's"},
		{"users add --perm read --index nowhere " + draw, exitNotFound, "nowhere"},
		{"users add --perm read --store " + c.path("nowhere") + " " + draw, exitNotFound, "nowhere"},
		{"users add --perm read --user " + id + " " + draw, exitKey, "permission denied"},
		{"users add --perm read --user x " + draw, exitUsage, "--user: 'x' at place 1"},
		{"users rm", exitUsage, "takes one argument"},
		{"users rm " + id + " " + id, exitUsage, "takes one argument"},
		{"users rm root", exitUsage, "argument 1: a user's id is needed, and root is none"},
		{"users rm " + id[1:], exitUsage, "argument 1: 31 hexadecimal digits"},
		{"users rm " + id + " --user " + id, exitKey, id},
		{"users ls " + id, exitUsage, "takes no argument"},
		{"users ls --user " + id, exitKey, "permission denied"},
		{"rotate-key x " + next, exitUsage, "takes no argument"},
		{"rotate-key", exitUsage, "give --new-key-file FILE or --generate-new-key FILE"},
		{"rotate-key " + next + " " + file, exitUsage, "--new-key-file and --generate-new-key"},
		{"rotate-key --generate-new-key -", exitUsage, "a file and nowhere else"},
		{"rotate-key --generate-new-key " + c.path("key"), exitFailure, "never overwritten"},
		{"rotate-key --generate-new-key " + c.path("nowhere/key"), exitFailure, "no such file"},
		{"rotate-key " + file, exitUsage, "the new key is the old one"},
		{"rotate-key --new-key-file " + c.path("nowhere"), exitKey, "nowhere"},
		{"rotate-key --new-key-file " + c.path("short"), exitKey, "short"},
		{"rotate-key --index nowhere " + next, exitNotFound, "nowhere"},
		{"rotate-key --user " + id + " " + next, exitKey, "permission denied"},
		{"init --index second --user " + id, exitUsage, "the key of a new index is root's"},
	} {
		for _, key := range []string{"key", "short"} { // a bad key of root's changes nothing either
			r := c.run("", append(strings.Fields(step.args), "--key-file", c.path(key))...)
			if key == "key" {
				c.fails(r, step.code, step.says)
			}
			if r.code == exitOK || r.out != "" || !slices.Equal(c.files(), before) {
				t.Fatalf("%s: exit code %d, %s%s\nfiles are %v", step.args, r.code, r.out, r.err, c.files())
			}
			c.withholds(r.out + r.err)
		}
	}
	other := newCLI(t)
	other.ok("init", "--generate-key", other.path("key"))
	c.fails(c.run("", "rotate-key", "--generate-new-key", c.path("new"), "--key-file", other.path("key")), exitKey, "wrong key")
	c.fails(c.run("", "users", "add", "--perm", "read", "--generate-user-key", c.path("new"), "--key-file", other.path("key")), exitKey, "wrong key")
	if out := c.keyedOK("", "users", "ls"); out != "" || !slices.Equal(c.files(), before) {
		t.Errorf("users are %s, files %v", out, c.files())
	}
	c.keyedOK("", "check")
}

// Whatever a command's id of a user is, an error that names it shows it.
func TestAUserIDIsNoKey(t *testing.T) {
	c := initialised(t)
	id := strings.Repeat("deadbeef", 4)
	c.fails(c.keyed("", "users", "ls", "--user", id), exitKey, id)
	c.keyedOK("", "users", "add", "--perm", "read", "--user-id", id, "--generate-user-key", c.path(id))
	c.fails(c.as(id, "", "delete", "x"), exitKey, "user "+id+": permission denied")
	if out := c.keyedOK("", "users", "rm", id, "--json"); !strings.Contains(out, `"`+id+`"`) {
		t.Errorf("users rm: %s", out)
	}
}

func TestEveryCommandTakesAUser(t *testing.T) {
	c := initialised(t)
	id := c.addUser(1, "both")
	args := map[string]string{ // what a command needs
		"get": "x", "delete": "x", "users rm": id, "users add": "--perm read --user-key-file " + c.path("key"), "rotate-key": "--new-key-file " + c.path(id),
		"init": "--index second", "status": c.write("document", nil), "residue note": "x",
		"backup": "x", "restore": "x", "verify": "x", "ledger show": "x", "ledger check": "x", "residue scan": "x",
	}
	keyless := []string{"demo", "backup", "restore", "verify", "ledger show", "ledger check", "residue scan"}
	var walk func(cmd *cobra.Command, path []string)
	walk = func(cmd *cobra.Command, path []string) {
		for _, sub := range cmd.Commands() {
			walk(sub, append(slices.Clone(path), sub.Name()))
		}
		name := strings.Join(path, " ")
		if slices.Contains([]string{"", "users", "ledger", "residue", "help"}, name) {
			return
		}
		all := append(path, strings.Fields(args[name])...)
		bad := append(slices.Clone(all), "--user", "nobody", "--key-file", c.path(id))
		c.fails(c.run("", bad...), exitUsage, "--user")
		code, says := exitKey, "wrong key" // the key is not of the user
		switch {
		case slices.Contains(keyless, name):
			code, says = exitUsage, "takes no --"
		case name == "init":
			code, says = exitUsage, "--user"
		case name == "rotate-key" || path[0] == "users":
			says = "permission denied"
		}
		wrong := append(slices.Clone(all), "--user", id)
		if name != "demo" {
			wrong = append(wrong, "--key-file", c.path("key"))
		}
		c.fails(c.run("", wrong...), code, says)
	}
	walk((&app{}).root(), nil)
}
