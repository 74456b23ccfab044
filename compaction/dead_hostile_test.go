package compaction

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"reflect"
	"slices"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"

	"oubliette/crypto"
	"oubliette/internal/codec"
	"oubliette/internal/fault"
	"oubliette/segment"
)

// raw is a dead record made by hand.
type raw struct {
	magic   string
	version uint16
	index   crypto.IndexID
	seg     crypto.SegmentID
	entries uint32
	count   int // of extents; -1: as many as there are
	pending []segment.Extent
	rows    []byte
	behind  []byte
}

func honest() raw {
	rows, err := roaring.BitmapOf(1, 2, 3, 70000).ToBytes()
	if err != nil {
		panic(err)
	}
	return raw{deadMagic, deadVersion, index, seg, 2, -1, []segment.Extent{{Off: 8192, Len: 10}, {Off: 8300, Len: 1}}, rows, nil}
}

func (r raw) encode() []byte {
	var e codec.Encoder
	e.Raw([]byte(r.magic))
	e.U16(r.version)
	e.Raw(r.index[:])
	e.Raw(r.seg[:])
	e.U64(5)
	e.U32(r.entries)
	e.U64(11)
	if r.count < 0 {
		r.count = len(r.pending)
	}
	e.U32(uint32(r.count))
	for _, x := range r.pending {
		e.U64(x.Off)
		e.U64(x.Len)
	}
	e.Blob(r.rows)
	e.Raw(r.behind)
	return e.B
}

// withRuns is one serialised container of runs, each given as its first number
// and its length less one.
func withRuns(key, cardinality uint16, runs ...uint16) []byte {
	b := binary.LittleEndian.AppendUint32(nil, rowsWithRuns)
	b = append(b, 1) // it is one of runs
	b = binary.LittleEndian.AppendUint16(b, key)
	b = binary.LittleEndian.AppendUint16(b, cardinality-1)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(runs)/2))
	for _, v := range runs {
		b = binary.LittleEndian.AppendUint16(b, v)
	}
	return b
}

// plain is one serialised container of numbers.
func plain(values ...uint16) []byte {
	b := binary.LittleEndian.AppendUint32(nil, rowsPlain)
	b = binary.LittleEndian.AppendUint32(b, 1)
	b = binary.LittleEndian.AppendUint16(b, 0)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(values)-1))
	b = binary.LittleEndian.AppendUint32(b, 16)
	for _, v := range values {
		b = binary.LittleEndian.AppendUint16(b, v)
	}
	return b
}

// manyRuns are n runs of one number each, none touching the next.
func manyRuns(n int) []uint16 {
	var out []uint16
	for i := range n {
		out = append(out, uint16(2*i), 0)
	}
	return out
}

func TestHostileDeadRecordsAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		want  error
		spoil func(*raw)
	}{
		"honest":                      {nil, func(*raw) {}},
		"honest, rows of runs":        {nil, func(r *raw) { r.rows = withRuns(0, 8, 5, 3, 20, 3) }},
		"honest, most runs":           {nil, func(r *raw) { r.rows = withRuns(0, maxRuns, manyRuns(maxRuns)...) }},
		"honest, plain rows":          {nil, func(r *raw) { r.rows = plain(1, 2, 9) }},
		"no magic":                    {fault.ErrForeign, func(r *raw) { r.magic = "OUBLDEAD" }},
		"nothing at all":              {fault.ErrForeign, func(r *raw) { r.magic = "" }},
		"newer":                       {fault.ErrNewer, func(r *raw) { r.version = deadVersion + 1 }},
		"version 0":                   {fault.ErrDamaged, func(r *raw) { r.version = 0 }},
		"of another index":            {fault.ErrDamaged, func(r *raw) { r.index[0]++ }},
		"of another segment":          {fault.ErrDamaged, func(r *raw) { r.seg[0]++ }},
		"extents out of order":        {fault.ErrDamaged, func(r *raw) { slices.Reverse(r.pending) }},
		"extents that touch":          {fault.ErrDamaged, func(r *raw) { r.pending[1].Off = 8202 }},
		"extents that overlap":        {fault.ErrDamaged, func(r *raw) { r.pending[1].Off = 8200 }},
		"an extent twice":             {fault.ErrDamaged, func(r *raw) { r.pending[1] = r.pending[0] }},
		"an empty extent":             {fault.ErrDamaged, func(r *raw) { r.pending[1].Len = 0 }},
		"an extent that wraps":        {fault.ErrDamaged, func(r *raw) { r.pending[1].Len = math.MaxUint64 }},
		"an extent that ends at 2^64": {fault.ErrDamaged, func(r *raw) { r.pending[1] = segment.Extent{Off: math.MaxUint64, Len: 1} }},
		"more extents than there are": {fault.ErrDamaged, func(r *raw) { r.count = 3 }},
		"2^32-1 extents":              {fault.ErrDamaged, func(r *raw) { r.count = math.MaxUint32 }},
		"more entries than rows":      {fault.ErrDamaged, func(r *raw) { r.entries = 5 }},
		"bytes behind":                {fault.ErrDamaged, func(r *raw) { r.behind = []byte{0} }},
		"no rows":                     {fault.ErrDamaged, func(r *raw) { r.rows = nil }},
		"rows cut short":              {fault.ErrDamaged, func(r *raw) { r.rows = r.rows[:len(r.rows)-1] }},
		"rows with bytes behind":      {fault.ErrDamaged, func(r *raw) { r.rows = append(r.rows, 0) }},
		"rows of another format":      {fault.ErrDamaged, func(r *raw) { r.rows[0]++; r.rows[0]++ }},
		"rows out of order":           {fault.ErrDamaged, func(r *raw) { r.rows = plain(1, 9, 2) }},
		"a row twice":                 {fault.ErrDamaged, func(r *raw) { r.rows = plain(1, 2, 2) }},
		"no runs in runs":             {fault.ErrDamaged, func(r *raw) { r.rows = withRuns(0, 1) }},
		"runs that overlap":           {fault.ErrDamaged, func(r *raw) { r.rows = withRuns(0, 8, 5, 9, 7, 3) }},
		"runs that wrap":              {fault.ErrDamaged, func(r *raw) { r.rows = withRuns(0, 8, 65535, 9) }},
		"too many runs":               {fault.ErrDamaged, func(r *raw) { r.rows = withRuns(0, maxRuns+1, manyRuns(maxRuns+1)...) }},
		"2^32-1 containers": {fault.ErrDamaged, func(r *raw) {
			r.rows = append(binary.LittleEndian.AppendUint32(nil, rowsPlain), 0xFF, 0xFF, 0xFF, 0xFF)
		}},
		"a bitmap that miscounts": {fault.ErrDamaged, func(r *raw) { r.rows = miscounted() }},
	} {
		r := honest()
		c.spoil(&r)
		_, err := DecodeDead(r.encode(), index, seg)
		if c.want == nil && err != nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		for _, other := range []error{fault.ErrForeign, fault.ErrNewer, fault.ErrDamaged} {
			if other != c.want && errors.Is(err, other) {
				t.Errorf("%s: %v is also %v", name, err, other)
			}
		}
	}
}

// miscounted is a bitmap container of 5,000 rows that says it holds 5,001.
func miscounted() []byte {
	b := roaring.New()
	for i := range uint32(5000) {
		b.Add(i * 13)
	}
	out, err := b.ToBytes()
	if err != nil {
		panic(err)
	}
	binary.LittleEndian.PutUint16(out[10:], 5000)
	return out
}

// TestNoDamageOfADeadRecordPanics cuts a record at every length and flips every
// byte: what still decodes has to keep to the rules.
func TestNoDamageOfADeadRecordPanics(t *testing.T) {
	whole := honest().encode()
	for n := range whole {
		if _, err := DecodeDead(whole[:n], index, seg); err == nil {
			t.Errorf("%d of %d bytes decode", n, len(whole))
		}
	}
	for i := range whole {
		for bit := range 8 {
			b := bytes.Clone(whole)
			b[i] ^= 1 << bit
			if d, err := DecodeDead(b, index, seg); err == nil {
				checkDead(t, d)
			}
		}
	}
}

// checkDead is what holds of every dead set that decodes.
func checkDead(t *testing.T, d *Dead) {
	t.Helper()
	last := uint64(0)
	for i, x := range d.Pending {
		if x.Len == 0 || x.End() < x.Off || i > 0 && x.Off <= last {
			t.Fatalf("pending %v", d.Pending)
		}
		last = x.End()
	}
	if uint64(d.Entries) > d.Rows.GetCardinality() {
		t.Fatalf("%d entries of %d rows", d.Entries, d.Rows.GetCardinality())
	}
	if n := uint64(len(d.Rows.ToArray())); n != d.Rows.GetCardinality() {
		t.Fatalf("%d rows counted as %d", n, d.Rows.GetCardinality())
	}
	b, err := d.Encode(index, seg)
	if err != nil {
		t.Fatal(err)
	}
	again, err := DecodeDead(b, index, seg)
	if err != nil || !sameDead(again, d) || !reflect.DeepEqual(again.Pending, d.Pending) && len(d.Pending) > 0 {
		t.Fatalf("reads back as %+v, %v", again, err)
	}
	d.Add([]Death{{Row: 12, Extent: segment.Extent{Off: 9000, Len: 9}}}, nil)
}

func errorsNamed(err error) (n int) {
	for _, cause := range []error{fault.ErrForeign, fault.ErrNewer, fault.ErrDamaged} {
		if errors.Is(err, cause) {
			n++
		}
	}
	return n
}
