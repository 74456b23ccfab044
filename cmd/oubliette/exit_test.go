package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"oubliette/engine"
)

func TestEveryClassOfErrorHasItsExitCode(t *testing.T) {
	corrupt := &engine.CorruptionError{Path: "p", Err: engine.ErrDamaged}
	for _, c := range []struct {
		err  error
		code int
	}{
		{nil, exitOK},
		{io.ErrUnexpectedEOF, exitFailure},
		{engine.ErrFailed, exitFailure},
		{engine.ErrIndexExists, exitFailure},
		{errUsage, exitUsage},
		{engine.ErrInvalid, exitUsage},
		{engine.ErrTooLarge, exitUsage},
		{engine.ErrDimension, exitUsage},
		{errNotFound, exitNotFound},
		{engine.ErrIndexNotFound, exitNotFound},
		{errKey, exitKey},
		{engine.ErrWrongKey, exitKey},
		{engine.ErrKeyRequired, exitKey},
		{engine.ErrPermission, exitKey},
		{corrupt, exitCorrupt},
		{engine.ErrLocked, exitLocked},
		{errResidue, exitPending},
		{&engine.PendingError{Indexes: []string{"a"}}, exitPending},
		{&engine.PendingError{Indexes: []string{"a"}, Err: corrupt}, exitCorrupt},
		{fmt.Errorf("%w: %w", errKey, engine.ErrInvalid), exitKey},
	} {
		if got := exitCode(c.err); got != c.code {
			t.Errorf("%v: exit code %d, want %d", c.err, got, c.code)
		}
		if wrapped := errors.Join(errors.New("x"), c.err); c.err != nil && exitCode(wrapped) != c.code {
			t.Errorf("%v, wrapped: exit code %d, want %d", c.err, exitCode(wrapped), c.code)
		}
	}
}

func TestUsageErrors(t *testing.T) {
	c := initialised(t)
	for _, args := range [][]string{
		{"nonsense"}, {"ls", "--nonsense"}, {"ls", "extra"}, {"upsert", "a", "b"},
		{"upsert", "--batch", "0"}, {"upsert", "--batch", "x"}, {"get"},
		{"init", "--generate-key", c.path("new")}, {"demo"}, {"help", "nonsense"},
	} {
		c.fails(c.keyed("", args...), exitUsage, "oubliette: ")
	}
	for _, args := range [][]string{
		{"demo", "--items", "5"}, {"demo", "--items", "100", "--delete", "41"}, {"demo", "--dimension", "0"},
		{"demo", "--contents", "1"}, {"demo", "--purge-within", "1ns"}, {"demo", "--mnist", c.path("nowhere")},
		{"demo", "--store", c.path("elsewhere")}, {"demo", "--index", "default"},
	} {
		c.fails(c.run("", args...), exitUsage, "oubliette: ")
	}
	if _, err := os.Stat(c.path("new")); err == nil {
		t.Error("a key file in spite of a usage error")
	}
	delete(c.env, envStore)
	c.fails(c.keyed("", "ls"), exitUsage, "--store")
}

func TestWhatIsNotThereIsNotFound(t *testing.T) {
	c := initialised(t)
	c.fails(c.keyed("", "ls", "--index", "other"), exitNotFound, `"other"`)
	c.fails(c.keyed("", "ls", "--store", c.path("nowhere")), exitNotFound, "nowhere")
	c.fails(c.keyed(`{"id": "a"}`, "upsert", "--store", c.dir), exitNotFound, "init")
	if _, err := os.Stat(c.path("FORMAT")); err == nil {
		t.Error("upsert has made a store")
	}
	c.fails(c.run("", "stat", "--store", c.path("nowhere")), exitNotFound)
}

func TestAnOpenStoreIsLocked(t *testing.T) {
	c := initialised(t)
	c.holdOpen(func(*engine.DB) {
		c.fails(c.keyed("", "ls"), exitLocked, "open already")
		c.fails(c.keyed("", "delete", "a"), exitLocked)
	})
	c.keyedOK("", "ls")
}

func TestDamageIsCorrupt(t *testing.T) {
	c := initialised(t)
	c.keyedOK(`{"id": "a", "contents": "`+strings.Repeat("x", 100)+`"}`, "upsert")
	path := c.segments()[0]
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[8192+3] ^= 1 // the first row's first field
	c.write("damaged", b)
	if err := os.Rename(c.path("damaged"), path); err != nil {
		t.Fatal(err)
	}
	c.fails(c.keyed("", "get", "a"), exitCorrupt, path)
	r := c.keyed("", "check", "--json")
	c.fails(r, exitCorrupt, path)
	if report := decode[reportJSON](t, r.out); report.OK || len(report.Problems) != 1 || !strings.Contains(report.Problems[0], path) {
		t.Errorf("check: %+v", report)
	}
	if err := os.WriteFile(c.env[envStore]+"/FORMAT", []byte("something else, not ours"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.fails(c.keyed("", "ls"), exitCorrupt, "FORMAT")
}

func TestAnIndexIsMadeOnce(t *testing.T) {
	c := initialised(t)
	c.fails(c.keyed("", "init"), exitFailure, "index exists")
	c.fails(c.run("", "init", "--generate-key", c.path("second")), exitFailure, "index exists")
	if _, err := os.Stat(c.path("second")); err == nil {
		t.Error("a key file of an index that was not made")
	}
	c.keyedOK("", "init", "--index", "another")
	if out := c.ok("stat"); !strings.Contains(out, "another") || !strings.Contains(out, "default") {
		t.Errorf("stat: %s", out)
	}
}
