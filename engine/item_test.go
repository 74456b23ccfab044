package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/engine"
)

// vec is an item of nothing but a vector.
func vec(id string, dims int) engine.Item { return engine.Item{ID: id, Vector: make([]float32, dims)} }

func TestVectorsOfAnIndexHaveOneDimension(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	fixed := s.create("fixed", 4)
	wantError(t, fixed.Upsert(ctx, []engine.Item{vec("a", 4), vec("b", 5)}), engine.ErrDimension, "item 1", "5 dimensions", "4")
	wantError(t, fixed.Upsert(ctx, []engine.Item{vec("a", 5)}), engine.ErrDimension, "5 dimensions", "index of 4")
	wantItems(t, fixed, nil, "a", "b")

	free := s.create("free")
	wantError(t, free.Upsert(ctx, []engine.Item{vec("a", 2), {ID: "b"}, vec("c", 3)}), engine.ErrDimension, "item 2", "3 dimensions", "call of 2")
	wantItems(t, free, nil, "a", "b", "c")
	must(t, free.Upsert(ctx, []engine.Item{{ID: "none"}})) // an item without a vector fixes nothing
	must(t, free.Upsert(ctx, []engine.Item{vec("a", 3)}))
	wantError(t, free.Upsert(ctx, []engine.Item{vec("b", 2)}), engine.ErrDimension, "2 dimensions", "index of 3")

	s.reopen()
	wantError(t, s.load("free").Upsert(ctx, []engine.Item{vec("b", 2)}), engine.ErrDimension, "index of 3")
	wantError(t, s.load("fixed").Upsert(ctx, []engine.Item{vec("b", 2)}), engine.ErrDimension, "index of 4")
	wantItems(t, s.load("free"), byID(engine.Item{ID: "none"}, vec("a", 3)), "b")
}

// The dimension stays fixed when every item is gone, also behind a crash from
// before anything was applied.
func TestDimensionOutlivesItsVectors(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	ix := s.create("free")
	must(t, ix.Upsert(ctx, []engine.Item{vec("a", 3)}))
	crash := openStore(t, s.fs.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{}), s.keys)
	wantError(t, crash.load("free").Upsert(ctx, []engine.Item{vec("b", 2)}), engine.ErrDimension, "index of 3")
	got(ix.Delete(ctx, []string{"a"}))(t)
	must(t, ix.Compact(ctx))
	s.reopen()
	ix = s.load("free")
	wantError(t, ix.Upsert(ctx, []engine.Item{vec("b", 2)}), engine.ErrDimension, "index of 3")
	must(t, ix.Upsert(ctx, []engine.Item{vec("b", 3)}))
}

// A first upsert that is cancelled, wherever that happens, fixes nothing.
func TestFailedFirstUpsertFixesNoDimension(t *testing.T) {
	s := newStore(t)
	ix := s.create("free")
	failed := 0
	for {
		it := vec("a", 2+failed)
		err := ix.Upsert(&countdown{Context: context.Background(), left: failed}, []engine.Item{it})
		if err == nil {
			wantItems(t, ix, byID(it))
			break
		}
		wantError(t, err, context.Canceled)
		wantItems(t, ix, nil, "a")
		if failed++; t.Failed() {
			t.FailNow()
		}
	}
	if failed < 3 {
		t.Errorf("the context was looked at %d times only", failed)
	}
}

// countdown is a context that is cancelled when it has been asked often enough.
type countdown struct {
	context.Context
	mu   sync.Mutex
	left int
}

func (c *countdown) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

func TestConcurrentFirstUpsertsAgreeOnADimension(t *testing.T) {
	ctx := context.Background()
	for round := range 20 {
		s := newStore(t)
		ix := s.create("free")
		errs := make([]error, 8)
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() { errs[i] = ix.Upsert(ctx, []engine.Item{vec(fmt.Sprint(i), 2+i%3)}) })
		}
		wg.Wait()
		dims := make(map[int]bool)
		want := make(map[string]engine.Item)
		for i, err := range errs {
			if err == nil {
				dims[2+i%3] = true
				want[fmt.Sprint(i)] = vec(fmt.Sprint(i), 2+i%3)
			} else {
				wantError(t, err, engine.ErrDimension)
			}
		}
		if len(dims) != 1 {
			t.Fatalf("round %d: dimensions %v were taken together", round, dims)
		}
		wantItems(t, ix, want)
	}
}

func TestItemsComeBackBitForBit(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	ix := s.create("a")
	odd := []float32{
		float32(math.Inf(1)), float32(math.Inf(-1)), math.Float32frombits(0x7fc00001), math.Float32frombits(0xffc12345),
		math.Float32frombits(0x7f800001) /* signalling */, float32(math.Copysign(0, -1)), math.Float32frombits(1), math.MaxFloat32,
	}
	items := []engine.Item{
		{ID: "odd", Vector: odd},
		{ID: "bare"},
		{ID: "empty contents", Contents: []byte{}},
		{ID: "absent contents", Vector: make([]float32, 8)},
		{ID: "null", Metadata: json.RawMessage("null")},
		{ID: "spaces", Metadata: json.RawMessage(" {\"a\" : [1, 2.50] }\n")},
		{ID: "number", Metadata: json.RawMessage("1e400")},
		{ID: "all", Vector: odd, Contents: []byte("\x00\xff"), Metadata: json.RawMessage(`"x"`)},
		{ID: "\x00\xff\xfe", Contents: []byte("an id of any bytes")},
		{ID: strings.Repeat("i", engine.MaxID), Contents: []byte("the longest id")},
	}
	must(t, ix.Upsert(ctx, items))
	wantItems(t, ix, byID(items...))
	s.reopen()
	wantItems(t, s.load("a"), byID(items...))
	must(t, s.load("a").Compact(ctx))
	wantItems(t, s.load("a"), byID(items...))
}

func TestTheLargestVectorFits(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	ix := s.create("a")
	it := vec("a", engine.MaxDimension)
	it.Vector[engine.MaxDimension-1] = 1
	must(t, ix.Upsert(ctx, []engine.Item{it}))
	wantItems(t, ix, byID(it))
	wantError(t, s.create("b").Upsert(ctx, []engine.Item{vec("a", engine.MaxDimension+1)}), engine.ErrTooLarge, "item 0", "65537", "65536")
}

// Whatever is wrong with one item, nothing of its call is there afterwards, and
// nothing has been written.
func TestRefusedUpsertsChangeNothing(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	ix := s.create("a", testDim)
	kept := makeItem("kept", 1)
	must(t, ix.Upsert(ctx, []engine.Item{kept}))
	before := settled(t, s.fs)
	big := make([]byte, engine.MaxContents+1)
	long := strings.Repeat("i", engine.MaxID+1)
	for _, c := range []struct {
		name string
		bad  engine.Item
		is   error
		says []string
	}{
		{"empty id", engine.Item{}, engine.ErrInvalid, []string{"item 1", "empty id"}},
		{"long id", engine.Item{ID: long}, engine.ErrTooLarge, []string{"item 1", "4097", "4096"}},
		{"empty vector", engine.Item{ID: "x", Vector: []float32{}}, engine.ErrDimension, []string{"item 1", "0 dimensions"}},
		{"other dimension", vec("x", testDim+1), engine.ErrDimension, []string{"9", "8"}},
		{"too many dimensions", vec("x", engine.MaxDimension+1), engine.ErrTooLarge, []string{"item 1", "65537"}},
		{"huge contents", engine.Item{ID: "x", Contents: big}, engine.ErrTooLarge, []string{"item 1", "67108865", "67108864"}},
		{"huge metadata", engine.Item{ID: "x", Metadata: big}, engine.ErrTooLarge, []string{"item 1", "67108865", "67108864"}},
		{"not JSON", engine.Item{ID: "x", Metadata: json.RawMessage(`{"a":`)}, engine.ErrInvalid, []string{"item 1", "not JSON"}},
		{"empty metadata", engine.Item{ID: "x", Metadata: json.RawMessage{}}, engine.ErrInvalid, []string{"item 1", "not JSON"}},
		{"two JSON values", engine.Item{ID: "x", Metadata: json.RawMessage(`1 2`)}, engine.ErrInvalid, []string{"item 1", "not JSON"}},
	} {
		err := ix.Upsert(ctx, []engine.Item{makeItem("kept", 2), c.bad, makeItem("third", 1)})
		wantError(t, err, c.is, c.says...)
		if t.Failed() {
			t.Fatalf("that was %s", c.name)
		}
	}
	wantItems(t, ix, byID(kept), "third", "x")
	sameFiles(t, before, readAll(t, s.fs))
}

// settled is every file, when the database has removed what its opening left.
func settled(t testing.TB, fs vfs.FS) map[string][]byte {
	t.Helper()
	var files map[string][]byte
	eventually(t, slack, "one OPTIONS file", func() bool {
		files = readAll(t, fs)
		n := 0
		for path := range files {
			if strings.Contains(path, "OPTIONS") {
				n++
			}
		}
		return n == 1
	})
	return files
}

func sameFiles(t testing.TB, before, after map[string][]byte) {
	t.Helper()
	for path, b := range before {
		if a, ok := after[path]; !ok {
			t.Errorf("%s is gone", path)
		} else if string(a) != string(b) {
			t.Errorf("%s has changed: %d bytes, then %d", path, len(b), len(a))
		}
	}
	for path := range after {
		if _, ok := before[path]; !ok {
			t.Errorf("%s is new", path)
		}
	}
}

func TestRefusedIDsChangeNothing(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	ix := s.create("a")
	items := makeItems("k", 3)
	must(t, ix.Upsert(ctx, items))
	before := settled(t, s.fs)
	many := make([]string, engine.MaxIDs+1)
	for i := range many {
		many[i] = "k0"
	}
	for _, c := range []struct {
		ids  []string
		is   error
		says []string
	}{
		{[]string{"k0", "", "k1"}, engine.ErrInvalid, []string{"id 1", "empty id"}},
		{[]string{"k0", "k1", strings.Repeat("i", engine.MaxID+1)}, engine.ErrTooLarge, []string{"id 2", "4097", "4096"}},
		{many, engine.ErrTooLarge, []string{"1000001", "1000000"}},
	} {
		r, err := ix.Delete(ctx, c.ids)
		wantError(t, err, c.is, c.says...)
		if r != (engine.Receipt{}) {
			t.Errorf("a refused delete has the receipt %+v", r)
		}
		_, err = ix.Get(ctx, c.ids, engine.AllFields)
		wantError(t, err, c.is, c.says...)
	}
	wantItems(t, ix, byID(items...))
	sameFiles(t, before, readAll(t, s.fs))
}

func TestTheMostIDsOfOneDelete(t *testing.T) {
	if testing.Short() {
		t.Skip("a million ids")
	}
	ctx := context.Background()
	s := newStore(t)
	ix := s.create("a")
	items := makeItems("k", 3)
	must(t, ix.Upsert(ctx, items))
	ids := make([]string, engine.MaxIDs)
	for i := range ids {
		ids[i] = fmt.Sprint("k", i)
	}
	if r := got(ix.Delete(ctx, ids))(t); r.Count != engine.MaxIDs {
		t.Errorf("the receipt counts %d", r.Count)
	}
	wantItems(t, ix, nil, "k0", "k1", "k2")
}

func TestTooManyItemsAreRefused(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	ix := s.create("a")
	items := make([]engine.Item, engine.MaxIDs+1)
	for i := range items {
		items[i].ID = "same"
	}
	wantError(t, ix.Upsert(ctx, items), engine.ErrTooLarge, "1000001", "1000000")
	wantError(t, ix.Upsert(ctx, items[:600_000]), engine.ErrTooLarge, "600000 items", "bytes of log", fmt.Sprint(engine.MaxUpsertRecord))
	wantItems(t, ix, nil, "same")
	must(t, ix.Upsert(ctx, nil))
	must(t, ix.Upsert(ctx, []engine.Item{}))
	wantItems(t, ix, nil, "same")
}

func TestTheLargestContents(t *testing.T) {
	if testing.Short() {
		t.Skip("64 MiB of contents")
	}
	ctx := context.Background()
	s := newStore(t)
	ix := s.create("a")
	big := make([]byte, engine.MaxContents) // zeros compress: memory stays sane
	big[0], big[len(big)-1] = 1, 2
	meta := append(append(json.RawMessage(`"`), strings.Repeat("m", engine.MaxMetadata-2)...), '"')
	must(t, ix.Upsert(ctx, []engine.Item{{ID: "contents", Contents: big}}))
	must(t, ix.Upsert(ctx, []engine.Item{{ID: "metadata", Metadata: meta}}))
	for _, want := range []engine.Item{{ID: "contents", Contents: big}, {ID: "metadata", Metadata: meta}} {
		items := got(ix.Get(ctx, []string{want.ID}, engine.AllFields))(t)
		if len(items) != 1 || !equal(items[0], want) {
			t.Errorf("%s does not come back", want.ID)
		}
	}
	err := ix.Upsert(ctx, []engine.Item{{ID: "more", Contents: make([]byte, engine.MaxContents+1)}})
	wantError(t, err, engine.ErrTooLarge, "67108865")
}

func TestTheLastOfAnIDInACallWins(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	ix := s.create("a")
	must(t, ix.Upsert(ctx, []engine.Item{makeItem("x", 1), makeItem("y", 1), makeItem("x", 2), makeItem("x", 3)}))
	want := byID(makeItem("y", 1), makeItem("x", 3))
	wantItems(t, ix, want)
	s.reopen()
	wantItems(t, s.load("a"), want)
}

// The caller's slices are its own again when Upsert has returned.
func TestItemsAreCopied(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	ix := s.create("a")
	it := makeItem("x", 1)
	must(t, ix.Upsert(ctx, []engine.Item{it}))
	clear(it.Vector)
	clear(it.Contents)
	clear(it.Metadata)
	wantItems(t, ix, byID(makeItem("x", 1)))
	first := got(ix.Get(ctx, []string{"x", "x"}, engine.AllFields))(t)
	clear(first[0].Contents)
	clear(first[0].Vector)
	if !equal(first[1], makeItem("x", 1)) {
		t.Error("items of one call share memory")
	}
	wantItems(t, ix, byID(makeItem("x", 1)))
}

func TestErrorsOfACallAreNotOfTheStore(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	ix := s.create("a")
	err := ix.Upsert(ctx, []engine.Item{{}})
	if errors.Is(err, engine.ErrFailed) || errors.Is(err, engine.ErrCorrupt) {
		t.Errorf("a refused call answers %v", err)
	}
	must(t, ix.Upsert(ctx, makeItems("k", 1)))
}
