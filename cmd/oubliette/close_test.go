package main

import (
	"errors"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"oubliette/engine"
)

// fullDisk makes writes of files fail whose path has a part, once n of them have
// been written.
func (c *cli) fullDisk(part string, n int64) {
	var writes atomic.Int64
	c.fs = errorfs.Wrap(vfs.Default, errorfs.InjectorFunc(func(op errorfs.Op) error {
		switch op.Kind {
		case errorfs.OpCreate, errorfs.OpFileWrite, errorfs.OpFileWriteAt, errorfs.OpFileSync, errorfs.OpFileSyncData:
			if strings.Contains(op.Path, part) && writes.Add(1) > n {
				return &os.PathError{Op: "write", Path: op.Path, Err: syscall.ENOSPC}
			}
		}
		return nil
	}))
}

func TestAFullDiskIsAFailureAndNotPendingErasures(t *testing.T) {
	c := initialised(t)
	c.keyedOK(threeItems, "upsert")
	c.fullDisk(".seg", 1)
	r := c.keyed(`{"id": "new"}`, "upsert", "--json")
	f := decode[failure](t, r.err)
	if r.code != exitFailure || f.Kind != "failure" || f.Committed == nil || *f.Committed != 0 || !strings.Contains(f.Error, "no space left") || !strings.Contains(f.Error, "stay on disk") {
		t.Errorf("%+v", r)
	}
	c.fs = vfs.Default
	c.fullDisk(".seg", 0)
	c.fails(c.keyed("", "delete", "a"), exitPending, "no space left", "stay on disk")
	c.fs = vfs.Default
	if got := c.ids(); len(got) != 2 {
		t.Errorf("left: %v", got)
	}
	c.keyedOK("", "purge")
	c.keyedOK("", "check")
}

func TestTheOwnErrorOfACommandCountsBeforeThatOfClosing(t *testing.T) {
	pending := &engine.PendingError{Indexes: []string{"a"}, Err: engine.ErrFailed}
	corrupt := &engine.CorruptionError{Path: "p", Err: engine.ErrDamaged}
	for _, c := range []struct {
		own, closing error
		code         int
	}{
		{nil, nil, exitOK},
		{nil, pending, exitPending},
		{io.ErrShortWrite, nil, exitFailure},
		{io.ErrShortWrite, pending, exitFailure},
		{errInput, pending, exitUsage},
		{io.ErrShortWrite, corrupt, exitCorrupt},
		{corrupt, pending, exitCorrupt},
	} {
		err := afterClose(c.own, c.closing)
		if got := exitCode(err); got != c.code {
			t.Errorf("%v, then %v: exit code %d, want %d", c.own, c.closing, got, c.code)
		}
		if c.own != nil && (!errors.Is(err, c.own) || !strings.Contains(err.Error(), c.own.Error())) {
			t.Errorf("%v, then %v: %v", c.own, c.closing, err)
		}
	}
}

func TestNothingIsSaidTwice(t *testing.T) {
	for text, want := range map[string]string{
		"a: b":                                 "a: b",
		"failed: failed: disk":                 "failed: disk",
		"x: failed: disk\nfailed: disk\ny":     "x: failed: disk\ny",
		"failed: disk (so far)\nfailed: disk":  "failed: disk (so far)",
		"y: failed: disk\nz: failed: disk\nz:": "y: failed: disk\nz: failed: disk",
	} {
		if got := brief(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}
