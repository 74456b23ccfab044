package main

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// idle is a command that waits for input.
type idle struct {
	in     *io.PipeWriter
	cancel func()
	done   chan result
}

func (c *cli) idle(args ...string) *idle {
	ctx, cancel := context.WithCancel(context.Background())
	r, w := io.Pipe()
	i := &idle{w, cancel, make(chan result, 1)}
	go func() { i.done <- c.runWith(ctx, r, append(args, "--key-file", c.path("key"))...) }()
	c.Cleanup(func() { cancel(); w.Close() })
	return i
}

func (i *idle) end(t testing.TB) result {
	t.Helper()
	select {
	case r := <-i.done:
		return r
	case <-time.After(20 * time.Second):
		t.Fatal("the command goes on")
		return result{}
	}
}

func TestTheStoreIsNobodysUntilInputComes(t *testing.T) {
	c := initialised(t)
	for _, args := range [][]string{{"upsert"}, {"upsert", "-"}, {"delete", "-"}, {"delete", "--file", "-"}, {"get", "-"}} {
		i := c.idle(args...)
		if args[0] != "get" { // half a line is not yet one
			if _, err := io.WriteString(i.in, `{"id": `); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(20 * time.Millisecond)
		c.keyedOK(`{"id": "x"}`, "upsert")
		i.cancel()
		c.fails(i.end(t), exitFailure, "interrupted: reading line 1: ")
	}
	i := c.idle("upsert")
	i.in.Close()
	if r := i.end(t); r.code != exitOK || !strings.Contains(r.out, "0 items in 0 batches") {
		t.Errorf("no line at all: %+v", r)
	}
	c.keyedOK("", "check")
}

func TestWhatIsWrongWithoutInputIsToldBeforeItIsWaitedFor(t *testing.T) {
	c := initialised(t)
	for _, args := range [][]string{
		{"upsert", "--store", c.path("nowhere")}, {"delete", "-", "--store", c.path("nowhere")}, {"get", "-", "--fields", "colour"}, {"delete"},
	} {
		if r := c.idle(args...).end(t); r.code != exitNotFound && r.code != exitUsage {
			t.Errorf("%s: exit code %d\n%s", args, r.code, r.err)
		}
	}
}

func TestAnInterruptEndsAnUpsertThatWaitsForTheNextLine(t *testing.T) {
	c := initialised(t)
	i := c.idle("upsert", "--batch", "2", "--json")
	if _, err := io.WriteString(i.in, `{"id": "1"}`+"\n"+`{"id": "2"}`+"\n"+`{"id": "3"}`+"\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(i.in, "\n"); err != nil { // it is read when all before it has been dealt with
		t.Fatal(err)
	}
	c.fails(c.keyed("", "ls"), exitLocked)
	i.cancel()
	r := i.end(t)
	if f := decode[failure](t, r.err); f.Kind != "interrupted" || f.Committed == nil || *f.Committed != 2 || r.code != exitFailure {
		t.Errorf("%+v", r)
	}
	if got := c.ids(); len(got) != 2 {
		t.Errorf("left: %v", got)
	}
	c.keyedOK("", "check")
}

func TestAFolderIsNoInput(t *testing.T) {
	c := initialised(t)
	c.fails(c.keyed("", "upsert", c.dir), exitUsage, c.dir+" is a directory")
	c.fails(c.keyed("", "delete", "--file", c.dir), exitUsage, c.dir+" is a directory")
	c.fails(c.keyed("", "upsert", c.path("nowhere")), exitUsage, "no such file")
}

func TestAPatientReaderReadsAllThereIs(t *testing.T) {
	text := strings.Repeat("all of it\n", 30_000)
	for name, r := range map[string]io.Reader{
		"at once": strings.NewReader(text), "by bytes": iotest.OneByteReader(strings.NewReader(text)), "with its end": iotest.DataErrReader(strings.NewReader(text)),
	} {
		p := newPatientReader(context.Background(), r)
		if b, err := io.ReadAll(p); err != nil || string(b) != text {
			t.Errorf("%s: %d bytes, %v", name, len(b), err)
		}
		p.stop()
	}
	p := newPatientReader(context.Background(), iotest.TimeoutReader(iotest.HalfReader(strings.NewReader(text))))
	defer p.stop()
	if b, err := io.ReadAll(p); !errors.Is(err, iotest.ErrTimeout) || len(b) != 32<<10 {
		t.Errorf("a read that fails: %d bytes, %v", len(b), err)
	}
}

func TestACallThatGoesOnIsLeftBehind(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	never := make(chan struct{})
	defer close(never)
	cancel()
	if _, err := within(ctx, func() (int, error) { <-never; return 1, nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if n, err := within(ctx, func() (int, error) { return 1, os.ErrExist }); n != 1 || err != os.ErrExist {
		t.Errorf("a call that ends in time: %d, %v", n, err)
	}
}
