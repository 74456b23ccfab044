package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/engine"
)

// cli runs commands in this process on a store of its own.
type cli struct {
	testing.TB
	dir string // holds the store and the key file
	env map[string]string
	fs  vfs.FS // of the store
}

func newCLI(t testing.TB) *cli {
	dir := t.TempDir()
	return &cli{t, dir, map[string]string{envStore: filepath.Join(dir, "store")}, vfs.Default}
}

// initialised is newCLI with a store, its index and a key file.
func initialised(t testing.TB) *cli {
	t.Helper()
	c := newCLI(t)
	c.ok("init", "--generate-key", c.path("key"))
	return c
}

func (c *cli) path(name string) string { return filepath.Join(c.dir, name) }

// result is what one command has answered.
type result struct {
	code     int
	out, err string
}

func (c *cli) runWith(ctx context.Context, stdin io.Reader, args ...string) result {
	var out, errs bytes.Buffer
	code := run(ctx, args, c.environment(stdin, &out, &errs))
	return result{code, out.String(), errs.String()}
}

func (c *cli) environment(stdin io.Reader, stdout, stderr io.Writer) environment {
	return environment{stdin, stdout, stderr, func(name string) string { return c.env[name] }, c.fs}
}

// run runs a command without a key.
func (c *cli) run(stdin string, args ...string) result {
	return c.runWith(context.Background(), strings.NewReader(stdin), args...)
}

// keyed runs a command with the key file.
func (c *cli) keyed(stdin string, args ...string) result {
	return c.run(stdin, append(args, "--key-file", c.path("key"))...)
}

func (c *cli) ok(args ...string) string {
	c.Helper()
	return c.okResult(c.run("", args...), args...)
}

func (c *cli) keyedOK(stdin string, args ...string) string {
	c.Helper()
	return c.okResult(c.keyed(stdin, args...), args...)
}

func (c *cli) okResult(r result, args ...string) string {
	c.Helper()
	if r.code != exitOK {
		c.Fatalf("oubliette %q: exit code %d\n%s", args, r.code, r.err)
	}
	return r.out
}

// fails wants an exit code and parts of what standard error says.
func (c *cli) fails(r result, code int, says ...string) {
	c.Helper()
	if r.code != code {
		c.Errorf("exit code %d, want %d\n%s%s", r.code, code, r.out, r.err)
	}
	for _, s := range says {
		if !strings.Contains(r.err, s) {
			c.Errorf("standard error does not say %q:\n%s", s, r.err)
		}
	}
}

// ids are those that ls lists, as a set.
func (c *cli) ids() map[string]bool {
	c.Helper()
	set := make(map[string]bool)
	for id := range strings.Lines(c.keyedOK("", "ls")) {
		set[strings.TrimSuffix(id, "\n")] = true
	}
	return set
}

func (c *cli) write(name string, b []byte) string {
	c.Helper()
	if err := os.WriteFile(c.path(name), b, 0o600); err != nil {
		c.Fatal(err)
	}
	return c.path(name)
}

// decode reads JSON that must have every field of into and no other.
func decode[T any](t testing.TB, s string) (v T) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(s))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v in %s", err, s)
	}
	return v
}

// segments are the paths of the store's segment files.
func (c *cli) segments() []string {
	c.Helper()
	paths, err := filepath.Glob(filepath.Join(c.env[envStore], "segments", "*", "*.seg"))
	if err != nil || len(paths) == 0 {
		c.Fatalf("segments: %v, %v", paths, err)
	}
	return paths
}

// holdOpen keeps the store open while do runs.
func (c *cli) holdOpen(do func(db *engine.DB)) {
	c.Helper()
	c.holdOpenWith(nil, do)
}

func (c *cli) holdOpenWith(opts *engine.Options, do func(db *engine.DB)) {
	c.Helper()
	db, err := engine.Open(c.env[envStore], opts)
	if err != nil {
		c.Fatal(err)
	}
	do(db)
	if err := db.Close(); err != nil {
		c.Fatal(err)
	}
}

// manyItems are lines for upsert.
func manyItems(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "{\"id\": \"item-%06d\"}\n", i)
	}
	return b.String()
}
