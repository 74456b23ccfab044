package segment

import (
	"math"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/crypto"
)

func TestFooterRefusesFiguresThatDoNotFit(t *testing.T) {
	const end = DataStart + 1<<20
	good := func() *footer {
		f := &footer{rows: 100, entries: 70, dataEnd: DataStart, perBlock: blockEntries, blockOff: DataStart, blocks: make([]crypto.Hash, 2)}
		f.filter.Extent = Extent{DataStart + f.blocksLen(), 40}
		f.top.Extent = Extent{f.filter.End(), 48}
		return f
	}
	decode := func(f *footer, end uint64) error {
		_, _, _, err := decodeFooter(append(f.body(), make([]byte, 64)...), end)
		return err
	}
	if err := decode(good(), end); err != nil {
		t.Fatal(err)
	}
	cases := map[string]func(f *footer){
		"more entries than rows": func(f *footer) { f.rows = 69 },
		"another block size":     func(f *footer) { f.perBlock = 32 },
		"a hash too few":         func(f *footer) { f.blocks = f.blocks[:1] },
		"a hash too many":        func(f *footer) { f.blocks = append(f.blocks, crypto.Hash{}) },
		"rows in the header":     func(f *footer) { f.dataEnd = DataStart - 1 },
		"rows in the index":      func(f *footer) { f.dataEnd = f.blockOff + 1 },
		"blocks too far":         func(f *footer) { f.blockOff = end },
		"blocks overflow":        func(f *footer) { f.blockOff = math.MaxUint64 },
		"gap before the filter":  func(f *footer) { f.filter.Off++ },
		"filter too long":        func(f *footer) { f.filter.Len = math.MaxUint64; f.top.Off = f.filter.End() },
		"filter over the footer": func(f *footer) { f.filter.Len = end; f.top.Off = f.filter.End() },
		"top over the footer":    func(f *footer) { f.top.Len = end },
		"top before the filter":  func(f *footer) { f.top.Off = DataStart },
	}
	for name, change := range cases {
		f := good()
		change(f)
		if decode(f, end) == nil {
			t.Errorf("%s was taken", name)
		}
	}
	if decode(good(), good().top.End()-1) == nil {
		t.Error("a footer inside its own index was taken")
	}
	if decode(good(), math.MaxUint64) == nil {
		t.Error("a footer behind every file's end was taken")
	}
}

func TestFrameAndHeadRefuseWhatNoWriterMakes(t *testing.T) {
	long := make([]byte, 200)
	zipped := appendFrame(nil, long, Contents)
	relabelled := append([]byte(nil), zipped...)
	relabelled[1]++
	cases := map[string]struct {
		field Field
		frame []byte
	}{
		"nothing":                 {Contents, nil},
		"cut":                     {Contents, []byte{codecRaw, 0, 0, 0}},
		"unknown codec":           {Contents, []byte{2, 0, 0, 0, 0}},
		"raw length too great":    {Contents, []byte{codecRaw, 2, 0, 0, 0, 'x'}},
		"raw length too small":    {Contents, []byte{codecRaw, 0, 0, 0, 0, 'x'}},
		"beyond the limit":        {Vector, []byte{codecRaw, 1, 0, 4, 0}},
		"no zstd":                 {Contents, []byte{codecZstd, 5, 0, 0, 0, 1, 2, 3, 4, 5}},
		"another length inside":   {Contents, relabelled},
		"zstd cut":                {Contents, zipped[:len(zipped)-1]},
		"two zstd frames":         {Contents, append(append([]byte(nil), zipped...), zipped[frameOverhead:]...)},
		"half a float":            {Vector, appendFrame(nil, []byte{1, 2, 3}, Vector)},
		"empty head":              {Head, appendFrame(nil, nil, Contents)},
		"head without id":         {Head, appendFrame(nil, []byte{0, 0, 0}, Head)},
		"id longer than its head": {Head, appendFrame(nil, []byte{9, 0, 'x', 0}, Head)},
		"id beyond its limit":     {Head, appendFrame(nil, append([]byte{1, 16}, make([]byte, 4098)...), Head)},
		"metadata unannounced":    {Head, appendFrame(nil, []byte{1, 0, 'x', 0, '{', '}'}, Head)},
		"unknown presence":        {Head, appendFrame(nil, []byte{1, 0, 'x', 2}, Head)},
	}
	for name, c := range cases {
		var got Content
		if err := got.take(c.field, c.frame, WantAll, new(scratch)); err == nil {
			t.Errorf("%s was taken: %+v", name, got)
		}
	}
}

// resign writes c's index anew, after change has had its way with the bytes
// and the footer: what somebody could do who may sign but has no map key, or a
// writer with a fault.
func (c *closed) resign(t *testing.T, change func(b []byte, f *footer)) error {
	t.Helper()
	b := readFile(t, c.fs, c.path)
	foot, _, _, err := decodeFooter(b[c.ref.Off:c.ref.Off+c.ref.Len], c.ref.Off)
	if err != nil {
		t.Fatal(err)
	}
	change(b, foot)
	for n := range foot.blocks {
		x := foot.block(n)
		foot.blocks[n] = crypto.Sum(b[x.Off:x.End()])
	}
	for _, p := range []*part{&foot.filter, &foot.top} {
		p.hash = crypto.Sum(b[p.Off:p.End()])
	}
	signed := foot.sign(c.signer)
	copy(b[c.ref.Off:], signed)
	fs := vfs.NewMem()
	writeFile(t, fs, c.path, b)
	f, err := Open(fs, c.path, c.id)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Release()
	ref := FooterRef{Off: c.ref.Off, Len: uint64(len(signed)), Hash: crypto.Sum(signed)}
	tab, err := OpenTable(f, ref, c.mapKey, c.in.DEK, c.verify)
	if err != nil {
		return err
	}
	return tab.All(func(Entry) error { return nil })
}

func TestSignedIndexIsStillHeldTogetherByItsSeals(t *testing.T) {
	c := manyEntries(t, seeded(t), 192)
	if err := c.resign(t, func([]byte, *footer) {}); err != nil {
		t.Fatal(err)
	}
	aead := func(f *footer) *indexWriter {
		return &indexWriter{aead: indexKey(c.mapKey, f.salt, f.id)}
	}
	replace := func(b []byte, f *footer, at Extent, number uint64, kind uint8, plain []byte) {
		w := aead(f)
		copy(b[at.Off:at.End()], w.seal.sealIndex(w.aead, nil, f.id.Segment, number, kind, plain))
	}
	plainOf := func(b []byte, f *footer, at Extent, number uint64, kind uint8) []byte {
		w := aead(f)
		plain, err := w.seal.openIndex(w.aead, f.id.Segment, number, kind, append([]byte(nil), b[at.Off:at.End()]...))
		if err != nil {
			t.Fatal(err)
		}
		return plain
	}
	cases := map[string]func(b []byte, f *footer){
		"blocks exchanged": func(b []byte, f *footer) {
			x, y := f.block(0), f.block(1)
			tmp := append([]byte(nil), b[x.Off:x.End()]...)
			copy(b[x.Off:x.End()], b[y.Off:y.End()])
			copy(b[y.Off:y.End()], tmp)
		},
		"fence out of order": func(b []byte, f *footer) {
			plain := plainOf(b, f, f.top.Extent, numberTop, kindTop)
			copy(plain, plain[2*fenceSize:2*fenceSize+16])
			replace(b, f, f.top.Extent, numberTop, kindTop, plain)
		},
		"fence does not fit": func(b []byte, f *footer) {
			plain := plainOf(b, f, f.top.Extent, numberTop, kindTop)
			plain[15]++
			replace(b, f, f.top.Extent, numberTop, kindTop, plain)
		},
		"fence hides an expiry": func(b []byte, f *footer) {
			plain := plainOf(b, f, f.top.Extent, numberTop, kindTop)
			clear(plain[16:fenceSize])
			replace(b, f, f.top.Extent, numberTop, kindTop, plain)
		},
		"fence hides all expiries": func(b []byte, f *footer) {
			plain := plainOf(b, f, f.top.Extent, numberTop, kindTop)
			for n := range f.blocks {
				clear(plain[n*fenceSize+16 : (n+1)*fenceSize])
			}
			replace(b, f, f.top.Extent, numberTop, kindTop, plain)
		},
		"expiry beyond the limit": func(b []byte, f *footer) {
			plain := plainOf(b, f, f.block(1), 1, kindEntries)
			plain[24+7] = 0xff
			replace(b, f, f.block(1), 1, kindEntries, plain)
		},
		"filter of another shape": func(b []byte, f *footer) {
			plain := plainOf(b, f, f.filter.Extent, numberFilter, kindFilter)
			plain[8]++
			replace(b, f, f.filter.Extent, numberFilter, kindFilter, plain)
		},
		"entry out of the rows": func(b []byte, f *footer) {
			plain := plainOf(b, f, f.block(1), 1, kindEntries)
			plain[32+3] = 0xff
			replace(b, f, f.block(1), 1, kindEntries, plain)
		},
		"entries out of order": func(b []byte, f *footer) {
			plain := plainOf(b, f, f.block(1), 1, kindEntries)
			copy(plain[entrySize:2*entrySize], plain[2*entrySize:3*entrySize])
			replace(b, f, f.block(1), 1, kindEntries, plain)
		},
		"end of the rows moved": func(b []byte, f *footer) { f.dataEnd = DataStart },
		"another epoch":         func(b []byte, f *footer) { f.id.Epoch++ },
		"another salt":          func(b []byte, f *footer) { f.salt[0] ^= 1 },
	}
	for name, change := range cases {
		wantCorrupt(t, name, c.resign(t, change))
	}
}

func TestTableTellsItsMemory(t *testing.T) {
	c := manyEntries(t, seeded(t), 10_000)
	n := c.table(t, c.open(t, c.in.DEK)).Memory()
	if perEntry := float64(n) / 10_000; perEntry < 2 || perEntry > 5 {
		t.Errorf("%.1f bytes an entry", perEntry)
	}
}
