package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"oubliette/internal/mnist"
)

// tempFolder makes the demo work in a folder of the test's.
func tempFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	return dir
}

func wantEmpty(t *testing.T, dir string) {
	t.Helper()
	names, err := os.ReadDir(dir)
	if err != nil || len(names) != 0 {
		t.Errorf("left in the temporary folder: %v, %v", names, err)
	}
}

var smallDemo = []string{"demo", "--items", "300", "--delete", "60", "--dimension", "16", "--contents", "200", "--purge-within", "3s"}

func TestDemoFindsNothingOfWhatWasDeleted(t *testing.T) {
	tmp := tempFolder(t)
	c := newCLI(t)
	r := decode[demoReport](t, c.ok(append(smallDemo, "--json")...))
	if !r.OK || r.Upsert.Items != 300 || r.Delete.IDs != 60 {
		t.Errorf("report %+v", r)
	}
	if b := r.Before; b.DeletedHits != b.DeletedPieces || b.ControlOnce != b.ControlPieces || b.PlainHits != 0 || b.DeletedPieces < 60*10 {
		t.Errorf("before: %+v", b)
	}
	if a := r.After; a.DeletedHits != 0 || a.ControlOnce != a.ControlPieces || a.ControlHits != a.ControlPieces || a.PlainHits != 0 || a.Bytes == 0 || a.Files < 5 {
		t.Errorf("after: %+v", a)
	}
	if h := r.Hidden; h.Get != 0 || h.IteratorBefore != 150 || h.IteratorDeleted != 0 || h.IteratorSurvived != 240 || h.Listed != 240 || h.ListedDeleted != 0 || h.Count != 240 {
		t.Errorf("hidden: %+v", h)
	}
	if e := r.Erasure; !e.InTime || e.Rows != 60 || e.Overwritten < uint64(r.Noted.DeletedSize) {
		t.Errorf("erasure: %+v, noted %+v", e, r.Noted)
	}
	if o := r.Reopen; o.Get != 0 || o.Items != 240 || o.Equal != 240 {
		t.Errorf("reopen: %+v", o)
	}
	wantEmpty(t, tmp)
}

func TestDemoPrintsWhatAStrangerCanRead(t *testing.T) {
	tmp := tempFolder(t)
	c := newCLI(t)
	out := c.ok(append(smallDemo, "--keep")...)
	for _, want := range []string{
		"items          300 items, 16 dimensions", "0 of 60 found", "  deleted      0 of ", "  in the clear 0 of 480 ",
		"240 of 240 items left are whole", "kept           oubliette --store " + tmp,
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	for l := range strings.Lines(out) {
		if l = strings.TrimSuffix(l, "\n"); strings.Contains(l, "!") || !strings.Contains(l, "kept") && len(l) > 150 {
			t.Errorf("a line of %d bytes: %s", len(l), l)
		}
	}
	kept, err := filepath.Glob(filepath.Join(tmp, "oubliette-demo-*"))
	if err != nil || len(kept) != 1 {
		t.Fatalf("kept: %v, %v", kept, err)
	}
	c.ok("check", "--store", filepath.Join(kept[0], "store"), "--key-file", filepath.Join(kept[0], "key"))
}

// erasing is skipped: the search has to tell.
func TestDemoTellsWhenNothingWasErased(t *testing.T) {
	tmp := tempFolder(t)
	var out, errs bytes.Buffer
	a := &app{environment: environment{stdout: &out, stderr: &errs}, json: true}
	cfg := demoConfig{items: 200, deleted: 40, dimension: 8, contents: 100, seed: 7, purgeWithin: time.Hour, skipWait: true}
	err := a.demo(context.Background(), cfg)
	if exitCode(err) != exitPending || !strings.Contains(err.Error(), ".seg at offset") {
		t.Errorf("error %v, exit code %d", err, exitCode(err))
	}
	r := decode[demoReport](t, out.String())
	if r.OK || r.Erasure.InTime || r.After.DeletedPieces == 0 || r.After.DeletedHits != r.After.DeletedPieces {
		t.Errorf("after: %+v, erasure %+v", r.After, r.Erasure)
	}
	if r.Hidden.Get != 0 || r.Hidden.Listed != 160 {
		t.Errorf("hidden: %+v", r.Hidden)
	}
	wantEmpty(t, tmp)
}

func TestDemoJudges(t *testing.T) {
	good := demoSearch{DeletedPieces: 5, ControlPieces: 4, ControlOnce: 4, ControlHits: 4}
	for name, c := range map[string]struct {
		change func(s *demoSearch, e *demoErasure)
		code   int
	}{
		"all well":          {func(*demoSearch, *demoErasure) {}, exitOK},
		"residue":           {func(s *demoSearch, _ *demoErasure) { s.DeletedHits = 1 }, exitPending},
		"in the clear":      {func(s *demoSearch, _ *demoErasure) { s.PlainHits = 1 }, exitPending},
		"late":              {func(_ *demoSearch, e *demoErasure) { e.InTime = false }, exitPending},
		"control not found": {func(s *demoSearch, _ *demoErasure) { s.ControlOnce, s.ControlHits = 3, 3 }, exitFailure},
		"control twice":     {func(s *demoSearch, _ *demoErasure) { s.ControlHits = 5 }, exitFailure},
	} {
		s, d := good, &demo{}
		d.report.Erasure.InTime = true
		c.change(&s, &d.report.Erasure)
		if got := exitCode(d.judge(&s)); got != c.code {
			t.Errorf("%s: exit code %d, want %d", name, got, c.code)
		}
	}
}

func TestAnInterruptedDemoLeavesNothing(t *testing.T) {
	tmp := tempFolder(t)
	ctx, cancel := context.WithCancel(context.Background())
	a := &app{environment: environment{stdout: cancelling{cancel}, stderr: &bytes.Buffer{}}}
	cfg := demoConfig{items: 200, deleted: 40, dimension: 8, contents: 100, purgeWithin: time.Hour}
	if err := a.demo(ctx, cfg); !errors.Is(err, context.Canceled) || exitCode(err) != exitFailure {
		t.Errorf("error %v", err)
	}
	wantEmpty(t, tmp)
}

// cancelling interrupts the demo when it waits for the erasure.
type cancelling struct{ cancel func() }

func (c cancelling) Write(b []byte) (int, error) {
	if bytes.HasPrefix(b, []byte("listing")) {
		time.AfterFunc(20*time.Millisecond, c.cancel)
	}
	return len(b), nil
}

func TestMadeItemsAreTheSameWheneverTheyAreMade(t *testing.T) {
	m := &madeItems{seed: 3, dimension: 384, contents: 1024}
	ids := make(map[string]bool)
	for i := range 50 {
		it := m.item(i)
		if !sameItem(it, m.item(i)) || sameItem(it, m.item(i+1)) {
			t.Fatalf("item %d", i)
		}
		if len(it.Vector) != 384 || len(it.Contents) != 1024 || len(it.Metadata) < 150 || len(it.Metadata) > 250 {
			t.Fatalf("item %d: %d dimensions, %d and %d bytes", i, len(it.Vector), len(it.Contents), len(it.Metadata))
		}
		ids[it.ID] = true
	}
	if len(ids) != 50 {
		t.Errorf("%d different ids", len(ids))
	}
	a, b := m.item(1), m.item(1)
	b.Vector[383] = -b.Vector[383]
	if sameItem(a, b) {
		t.Error("items with different vectors are the same")
	}
}

// internal/mnist has the tests of what is refused; here it is the demo's input.
func TestABadMNISTFileIsInput(t *testing.T) {
	c := newCLI(t)
	c.fails(c.run("", "demo", "--mnist", c.dir), exitUsage, mnist.Images, "no such file")
	c.write(mnist.Images, []byte("no gzip at all"))
	c.fails(c.run("", "demo", "--mnist", c.dir), exitUsage, mnist.Images, "gzip")
}
