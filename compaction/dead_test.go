package compaction

import (
	"math"
	"slices"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
	"pgregory.net/rapid"

	"oubliette/crypto"
	"oubliette/segment"
)

var (
	index = crypto.IndexID{1, 2, 3}
	seg   = crypto.SegmentID{4, 5, 6}
)

func TestDeathCountsOnceAndLeavesTheOldSetAsItIs(t *testing.T) {
	first := NoDead.Add([]Death{
		{Row: 7, Extent: segment.Extent{Off: 9000, Len: 100}, InIndex: true},
		{Row: 8, Extent: segment.Extent{Off: 9100, Len: 50}},
	}, nil)
	want := &Dead{Generation: 1, Rows: roaring.BitmapOf(7, 8), Entries: 1, Bytes: 150, Pending: []segment.Extent{{Off: 9000, Len: 150}}}
	wantDead(t, "first", first, want)

	second := first.Erased().Add([]Death{
		{Row: 7, Extent: segment.Extent{Off: 9000, Len: 100}, InIndex: true}, // again
		{Row: 3, Extent: segment.Extent{Off: 8192, Len: 10}, InIndex: true},
	}, []segment.Extent{{Off: 8300, Len: 20}, {Off: 8310, Len: 90}})
	wantDead(t, "second", second, &Dead{
		Generation: 3, Rows: roaring.BitmapOf(3, 7, 8), Entries: 2, Bytes: 270,
		Pending: []segment.Extent{{Off: 8192, Len: 10}, {Off: 8300, Len: 100}},
	})
	wantDead(t, "first, afterwards", first, want)
	wantDead(t, "none, afterwards", NoDead, &Dead{Rows: roaring.New()})
	if !second.Contains(3) || second.Contains(4) || first.Contains(3) {
		t.Error("Contains is wrong")
	}
}

func TestErasedKeepsAllButWhatIsPending(t *testing.T) {
	d := NoDead.Add([]Death{{Row: 1, Extent: segment.Extent{Off: 8192, Len: 40}, InIndex: true}}, nil)
	e := d.Erased()
	wantDead(t, "erased", e, &Dead{Generation: 2, Rows: roaring.BitmapOf(1), Entries: 1, Bytes: 40})
	if len(d.Pending) != 1 {
		t.Error("the set before lost what is pending")
	}
}

func wantDead(t *testing.T, what string, got, want *Dead) {
	t.Helper()
	if !sameDead(got, want) {
		t.Errorf("%s: %+v %v, want %+v %v", what, got, got.Rows, want, want.Rows)
	}
}

func sameDead(a, b *Dead) bool {
	return a.Generation == b.Generation && a.Rows.Equals(b.Rows) && a.Entries == b.Entries && a.Bytes == b.Bytes && slices.Equal(a.Pending, b.Pending)
}

func drawExtents(t *rapid.T, label string, end uint64) []segment.Extent {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) segment.Extent {
		off := rapid.Uint64Range(0, end-1).Draw(t, "off")
		return segment.Extent{Off: off, Len: rapid.Uint64Range(0, end-off).Draw(t, "len")}
	}), 0, 12).Draw(t, label)
}

// TestPendingIsExactlyTheUnion: after any history of deaths and space, what is
// pending covers every byte that was named and no other, sorted and merged.
func TestPendingIsExactlyTheUnion(t *testing.T) {
	const end = 200
	rapid.Check(t, func(t *rapid.T) {
		var covered [end]bool
		d, row := NoDead, uint32(0)
		for range rapid.IntRange(1, 4).Draw(t, "generations") {
			space := drawExtents(t, "space", end)
			var deaths []Death
			for _, x := range drawExtents(t, "rows", end) {
				deaths = append(deaths, Death{Row: row, Extent: x})
				row++
			}
			for _, x := range space {
				mark(covered[:], x)
			}
			for _, x := range deaths {
				mark(covered[:], x.Extent)
			}
			d = d.Add(deaths, space)
		}
		var pending [end]bool
		last := int64(-1)
		for _, x := range d.Pending {
			if x.Len == 0 || int64(x.Off) <= last {
				t.Fatalf("%v is not sorted and merged", d.Pending)
			}
			last = int64(x.End())
			mark(pending[:], x)
		}
		if pending != covered {
			t.Fatalf("%v covers other bytes than were named", d.Pending)
		}
	})
}

func mark(b []bool, x segment.Extent) {
	for i := x.Off; i < x.End(); i++ {
		b[i] = true
	}
}

// TestCoalesceCoversExactlyTheUnion is the same of segment.Coalesce by itself,
// which both of this package's callers rely on.
func TestCoalesceCoversExactlyTheUnion(t *testing.T) {
	const end = 120
	rapid.Check(t, func(t *rapid.T) {
		in := drawExtents(t, "extents", end)
		slices.SortFunc(in, func(a, b segment.Extent) int { return int(a.Off) - int(b.Off) })
		before := slices.Clone(in)
		out := segment.Coalesce(in)
		var want, got [end]bool
		for _, x := range in {
			mark(want[:], x)
		}
		for i, x := range out {
			mark(got[:], x)
			if x.Len == 0 || i > 0 && x.Off <= out[i-1].End() {
				t.Fatalf("%v of %v", out, in)
			}
		}
		if want != got || !slices.Equal(in, before) {
			t.Fatalf("%v of %v, which is %v now", out, before, in)
		}
	})
}

func TestDeadRecordReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := NoDead
		for range rapid.IntRange(0, 3).Draw(t, "generations") {
			var deaths []Death
			at := rapid.Uint32Range(0, math.MaxUint32-5000).Draw(t, "first")
			for range rapid.IntRange(0, 300).Draw(t, "rows") {
				at += rapid.SampledFrom([]uint32{1, 1, 1, 2, 7}).Draw(t, "step")
				deaths = append(deaths, Death{Row: at, Extent: segment.Extent{Off: uint64(at) * 10, Len: uint64(at%9 + 1)}, InIndex: at%3 == 0})
			}
			d = d.Add(deaths, nil)
		}
		b, err := d.Encode(index, seg)
		if err != nil {
			t.Fatal(err)
		}
		got, err := DecodeDead(b, index, seg)
		if err != nil || !sameDead(got, d) {
			t.Fatalf("%+v, %v", got, err)
		}
	})
}

// TestDeadRecordOfEveryKindOfContainerReadsBack: arrays, bitmaps and runs, few
// and many.
func TestDeadRecordOfEveryKindOfContainerReadsBack(t *testing.T) {
	var deaths []Death
	add := func(row uint32) { deaths = append(deaths, Death{Row: row}) }
	for i := range uint32(6) {
		for k := range uint32(20_000) {
			switch i {
			case 0, 3: // runs
				add(i<<16 + k)
			case 1, 4: // a bitmap
				add(i<<16 + 2*k + k%2)
			default: // an array
				if k%50 == 0 {
					add(i<<16 + k)
				}
			}
		}
		add(i<<16 + 65535)
	}
	for n := range uint32(40) { // runs until the library makes a bitmap of them
		for k := range 3 * (2030 + n) {
			add((9+n)<<16 + 5*(k/3) + k%3)
		}
	}
	d := NoDead.Add(deaths, nil)
	if !d.Rows.HasRunCompression() {
		t.Error("no runs: the test shows nothing of them")
	}
	b, err := d.Encode(index, seg)
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeDead(b, index, seg)
	if err != nil || !sameDead(got, d) {
		t.Errorf("%v", err)
	}
}

// TestFewContainersOfRunsReadBack: with fewer than four and runs among them
// their offsets are left out.
func TestFewContainersOfRunsReadBack(t *testing.T) {
	for n := range uint32(10) {
		var deaths []Death
		for i := range n << 16 {
			if i%65536 < 1000 {
				deaths = append(deaths, Death{Row: i})
			}
		}
		d := NoDead.Add(deaths, nil)
		b, err := d.Encode(index, seg)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := DecodeDead(b, index, seg); err != nil || !sameDead(got, d) {
			t.Errorf("%d containers: %v", n, err)
		}
	}
}
