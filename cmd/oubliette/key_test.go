package main

import (
	"os"
	"strings"
	"testing"
)

func TestAGeneratedKeyIsItsOwnersAndNeverOverwritten(t *testing.T) {
	c := initialised(t)
	info, err := os.Stat(c.path("key"))
	if err != nil || info.Mode().Perm() != 0o600 || info.Size() != 65 {
		t.Fatalf("key file: %v, %v", info, err)
	}
	before, err := os.ReadFile(c.path("key"))
	if err != nil {
		t.Fatal(err)
	}
	c.fails(c.run("", "init", "--index", "second", "--generate-key", c.path("key")), exitFailure, "never overwritten")
	if after, err := os.ReadFile(c.path("key")); err != nil || string(after) != string(before) {
		t.Errorf("the key file has changed: %v", err)
	}
	if out := c.ok("stat"); strings.Contains(out, "second") {
		t.Error("an index without a key")
	}
}

func TestAKeyComesFromTheEnvironmentToo(t *testing.T) {
	c := initialised(t)
	digits, err := os.ReadFile(c.path("key"))
	if err != nil {
		t.Fatal(err)
	}
	c.env[envKey] = strings.TrimSpace(string(digits))
	c.ok("ls")
	c.env[envKey] = strings.Repeat("ab", 32)
	c.fails(c.run("", "ls"), exitKey, "wrong key")
	c.keyedOK("", "ls") // a named file comes before the environment
	c.env[envKey] = ""
	c.fails(c.run("", "ls"), exitKey, "no key", envKey)
	c.fails(c.run("", "init", "--index", "second"), exitKey)
}

func TestNoErrorShowsKeyBytes(t *testing.T) {
	c := initialised(t)
	secret := strings.Repeat("5ec2e7", 11)[:64]
	for name, content := range map[string]string{
		"other": secret + "\n",
		"short": secret[:63],
		"long":  secret + "5e\n",
		"huge":  strings.Repeat(secret, 100),
		"alpha": secret[:63] + "x",
		"lines": secret + "\n\n\n",
		"empty": "",
		"zeros": strings.Repeat("0", 64),
	} {
		for _, flag := range []string{"", "--json"} {
			args := []string{"ls", "--key-file", c.write(name, []byte(content))}
			if flag != "" {
				args = append(args, flag)
			}
			r := c.run("", args...)
			c.fails(r, exitKey)
			if strings.Contains(r.err+r.out, secret[:8]) {
				t.Errorf("%s: %s%s", name, r.out, r.err)
			}
		}
		c.env[envKey] = content
		if r := c.run("", "ls"); r.code != exitKey || strings.Contains(r.err+r.out, secret[:8]) {
			t.Errorf("%s in the environment: exit code %d, %s%s", name, r.code, r.out, r.err)
		}
	}
	c.fails(c.run("", "ls", "--key-file", c.path("nowhere")), exitKey, "nowhere")
}

func TestLineEndsOfAKeyFileDoNotMatter(t *testing.T) {
	c := initialised(t)
	b, err := os.ReadFile(c.path("key"))
	if err != nil {
		t.Fatal(err)
	}
	digits := strings.TrimSpace(string(b))
	for _, end := range []string{"", "\n", "\r\n"} {
		c.ok("ls", "--key-file", c.write("copy", []byte(digits+end)))
	}
	c.ok("ls", "--key-file", c.write("upper", []byte(strings.ToUpper(digits))))
}

func TestAKeyFileOpenToOthersIsWarnedOf(t *testing.T) {
	c := initialised(t)
	if r := c.keyed("", "ls"); r.err != "" {
		t.Errorf("a key file of mode 0600: %s", r.err)
	}
	for _, mode := range []os.FileMode{0o640, 0o604} {
		if err := os.Chmod(c.path("key"), mode); err != nil {
			t.Fatal(err)
		}
		if r := c.keyed("", "ls"); r.code != exitOK || !strings.Contains(r.err, "open to others") {
			t.Errorf("mode %o: %+v", mode, r)
		}
	}
}
