package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"oubliette/engine"
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

// idx is a gzipped IDX file.
func idx(t *testing.T, magic uint32, dims []uint32, data []byte) []byte {
	t.Helper()
	b := binary.BigEndian.AppendUint32(nil, magic)
	for _, n := range dims {
		b = binary.BigEndian.AppendUint32(b, n)
	}
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(append(b, data...)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestMNISTBecomesItems(t *testing.T) {
	c := newCLI(t)
	c.write(mnistImages, idx(t, idxImages, []uint32{2, 2, 2}, []byte{0, 255, 51, 0, 1, 2, 3, 4}))
	c.write(mnistLabels, idx(t, idxLabels, []uint32{2}, []byte{7, 3}))
	m, err := loadMNIST(c.dir)
	if err != nil {
		t.Fatal(err)
	}
	want := engine.Item{ID: "mnist-00000", Vector: []float32{0, 1, 0.2, 0}, Contents: []byte{0, 255, 51, 0}, Metadata: []byte(`{"label": 7, "set": "t10k"}`)}
	if got := m.item(0); !sameItem(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := m.item(1); got.ID != "mnist-00001" || !bytes.Equal(got.Contents, []byte{1, 2, 3, 4}) {
		t.Errorf("got %+v", got)
	}
}

func TestBadIDXFilesAreRefused(t *testing.T) {
	good := idx(t, idxImages, []uint32{2, 2, 2}, make([]byte, 8))
	labels := idx(t, idxLabels, []uint32{2}, make([]byte, 2))
	for _, c := range []struct {
		images, labels []byte
		says           string
	}{
		{[]byte("no gzip at all"), labels, "gzip"},
		{good[:len(good)-12], labels, "EOF"},
		{idx(t, 0x0802, []uint32{2, 2, 2}, make([]byte, 8)), labels, "magic 0x00000802"},
		{idx(t, idxImages, []uint32{2}, nil), labels, "IDX header"},
		{idx(t, idxImages, []uint32{0, 2, 2}, nil), labels, "dimension 0 is 0"},
		{idx(t, idxImages, []uint32{1 << 31, 2, 2}, nil), labels, "dimension 0 is 2147483648"},
		{idx(t, idxImages, []uint32{2, 4096, 4096}, nil), labels, "elements of 16777216 bytes"},
		{idx(t, idxImages, []uint32{2, 2, 2}, make([]byte, 7)), labels, "says 8 bytes"},
		{idx(t, idxImages, []uint32{2, 2, 2}, make([]byte, 9)), labels, "says 8 bytes"},
		{good, idx(t, idxLabels, []uint32{3}, make([]byte, 3)), "2 images, but 3 labels"},
	} {
		cl := newCLI(t)
		cl.write(mnistImages, c.images)
		cl.write(mnistLabels, c.labels)
		cl.fails(cl.run("", "demo", "--mnist", cl.dir), exitUsage, c.says)
	}
}

// The real set, where it is: OUBLIETTE_MNIST names its folder.
func TestDemoWithMNIST(t *testing.T) {
	dir := os.Getenv("OUBLIETTE_MNIST")
	if dir == "" {
		t.Skip("OUBLIETTE_MNIST does not name the folder of the MNIST test set")
	}
	tempFolder(t)
	r := decode[demoReport](t, newCLI(t).ok("demo", "--mnist", dir, "--json"))
	if !r.OK || r.Upsert.Items != 10_000 || r.Dimension != 784 {
		t.Errorf("report %+v", r)
	}
}
