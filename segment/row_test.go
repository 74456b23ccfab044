package segment

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

func TestRowsComeBackAsTheyWent(t *testing.T) {
	rng := seeded(t)
	s := newStore(t, vfs.NewMem())
	w := s.create(t)
	defer finish(t, w)
	want := append(someContent(rng, 200),
		Content{ID: "bare"},
		Content{ID: "empty", Vector: []float32{}, Contents: []byte{}, Metadata: []byte{}},
		Content{ID: strings.Repeat("i", MaxID), Contents: bytes.Repeat([]byte("abc"), 1<<20)},
		Content{ID: "compressible head", Metadata: bytes.Repeat([]byte(`{"a":1}`), 500)},
		Content{ID: "compressible vector", Vector: make([]float32, MaxDimension)},
		Content{ID: "\x00\xff not text", Contents: randomBytes(rng, 9<<20)},
	)
	ptrs, err := w.Append(prepareAll(t, want))
	if err != nil {
		t.Fatal(err)
	}
	again := s.open(t, w.DEKCommitment())
	for i, p := range ptrs {
		for _, f := range []*File{w.File(), again} {
			got, err := f.Read(p, WantAll)
			if err != nil {
				t.Fatal(err)
			}
			wantEqual(t, want[i].ID, got, want[i])
		}
	}
}

func TestReadAnswersOnlyWhatIsWanted(t *testing.T) {
	s := newStore(t, vfs.NewMem())
	w := s.create(t)
	defer finish(t, w)
	full := Content{ID: "x", Vector: []float32{1, 2}, Contents: []byte("contents"), Metadata: []byte("{}")}
	ptrs, err := w.Append(prepareAll(t, []Content{full}))
	if err != nil {
		t.Fatal(err)
	}
	for want := range WantAll + 1 {
		expect := Content{ID: "x"}
		if want&WantVector != 0 {
			expect.Vector = full.Vector
		}
		if want&WantContents != 0 {
			expect.Contents = full.Contents
		}
		if want&WantMetadata != 0 {
			expect.Metadata = full.Metadata
		}
		got, err := w.File().Read(ptrs[0], want)
		if err != nil {
			t.Fatal(err)
		}
		wantEqual(t, "wanted fields", got, expect)
	}
}

func TestUnwantedFieldsAreNotRead(t *testing.T) {
	s := newStore(t, vfs.NewMem())
	w := s.create(t)
	defer finish(t, w)
	ptrs, err := w.Append(prepareAll(t, []Content{{ID: "x", Vector: []float32{1}, Contents: []byte("c")}}))
	if err != nil {
		t.Fatal(err)
	}
	area := Extent{DataStart, uint64(w.Size()) - DataStart}
	p := ptrs[0]
	contents := Extent{p.fieldOffset(Contents), uint64(p.Len[Contents])}
	if _, err := Overwrite(s.fs, s.path, s.id.Segment, []Extent{contents}, area); err != nil {
		t.Fatal(err)
	}
	if _, err := w.File().Read(p, WantVector); err != nil {
		t.Fatalf("the contents were looked at: %v", err)
	}
	_, err = w.File().Read(p, WantContents)
	if ce := wantCorrupt(t, "erased contents", err); uint64(ce.Offset) != contents.Off {
		t.Fatalf("offset %d, want %d", ce.Offset, contents.Off)
	}
}

func TestVectorsKeepEveryBit(t *testing.T) {
	s := newStore(t, vfs.NewMem())
	w := s.create(t)
	defer finish(t, w)
	patterns := []uint32{0, 0x80000000, 0x7f800000, 0xff800000, 0x7fc00000, 0x7f800001, 0xffbfffff, 0x7fa5a5a5, 1, 0x007fffff}
	v := make([]float32, len(patterns))
	for i, p := range patterns {
		v[i] = math.Float32frombits(p)
	}
	r, err := Prepare("nan", v, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	ptrs, err := w.Append([]Row{r})
	if err != nil {
		t.Fatal(err)
	}
	got, err := w.File().Read(ptrs[0], WantVector)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range patterns {
		if b := math.Float32bits(got.Vector[i]); b != p {
			t.Errorf("bits %08x came back as %08x", p, b)
		}
	}
}

func TestLimitsAreEnforced(t *testing.T) {
	big := make([]byte, MaxContents+1)
	refused := map[string]func() error{
		"empty id": func() error { _, err := Prepare("", nil, nil, nil); return err },
		"id":       func() error { _, err := Prepare(strings.Repeat("x", MaxID+1), nil, nil, nil); return err },
		"vector":   func() error { _, err := Prepare("x", make([]float32, MaxDimension+1), nil, nil); return err },
		"contents": func() error { _, err := Prepare("x", nil, big, nil); return err },
		"metadata": func() error { _, err := Prepare("x", nil, nil, big); return err },
	}
	for what, try := range refused {
		if try() == nil {
			t.Errorf("%s beyond its limit was taken", what)
		}
	}
	s := newStore(t, vfs.NewMem())
	w := s.create(t)
	defer finish(t, w)
	big = big[:MaxContents]
	big[MaxContents-1] = 1
	r, err := Prepare("x", nil, big, big)
	if err != nil {
		t.Fatal(err)
	}
	ptrs, err := w.Append([]Row{r})
	if err != nil {
		t.Fatal(err)
	}
	got, err := w.File().Read(ptrs[0], WantAll)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Contents, big) || !bytes.Equal(got.Metadata, big) {
		t.Error("64 MiB came back changed")
	}
}

func TestCompressionIsKeptOnlyWhereItPays(t *testing.T) {
	rng := seeded(t)
	for _, n := range []int{0, 1, 63, 64, 1000, 100_000} {
		random := appendFrame(nil, randomBytes(rng, n), Contents)
		if random[0] != codecRaw || len(random) != frameOverhead+n {
			t.Errorf("%d random bytes: codec %d, frame of %d bytes", n, random[0], len(random))
		}
	}
	if same := appendFrame(nil, make([]byte, 1000), Contents); same[0] != codecZstd || len(same) > 100 {
		t.Errorf("1000 zeros: codec %d, frame of %d bytes", same[0], len(same))
	}
}

func TestSealedSizeIsWhatIsReserved(t *testing.T) {
	s := newStore(t, vfs.NewMem())
	w := s.create(t)
	defer finish(t, w)
	rows := prepareAll(t, someContent(seeded(t), 20))
	sum := 0
	for _, r := range rows {
		sum += r.SealedSize()
	}
	ptrs, err := w.Append(rows)
	if err != nil {
		t.Fatal(err)
	}
	if w.Size() != int64(DataStart+sum) || w.Rows() != 20 {
		t.Fatalf("reserved to %d with %d rows, want %d and 20", w.Size(), w.Rows(), DataStart+sum)
	}
	at := uint64(DataStart)
	for i, p := range ptrs {
		if p.Row != uint32(i) || p.Offset != at {
			t.Fatalf("row %d got number %d at %d, want offset %d", i, p.Row, p.Offset, at)
		}
		at = p.Extent().End()
	}
}

func TestRowsOfARewriteReadAlike(t *testing.T) {
	content := someContent(seeded(t), 50)
	from, to := newStore(t, vfs.NewMem()), newStore(t, vfs.NewMem())
	a, b := from.create(t), to.create(t)
	defer finish(t, a)
	defer finish(t, b)
	ptrs, err := a.Append(prepareAll(t, content))
	if err != nil {
		t.Fatal(err)
	}
	var rows []Row
	for i := len(ptrs) - 1; i >= 0; i-- {
		r, err := a.File().ReadRow(ptrs[i])
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, r)
	}
	moved, err := b.Append(rows)
	if err != nil {
		t.Fatal(err)
	}
	for i := range moved {
		got, err := b.File().Read(moved[i], WantAll)
		if err != nil {
			t.Fatal(err)
		}
		wantEqual(t, "moved row", got, content[len(content)-1-i])
	}
}
