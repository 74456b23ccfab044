package segment

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/crypto"
)

// benchStore writes to a real file: the page cache, no syncs.
func benchStore(b *testing.B) *store {
	s := newStore(b, vfs.Default)
	s.path = filepath.Join(b.TempDir(), "bench.seg")
	return s
}

func benchContent(n int) Content {
	rng := rand.New(rand.NewPCG(1, 1))
	v := make([]float32, 384)
	for i := range v {
		v[i] = rng.Float32()
	}
	return Content{ID: "item-0000001", Vector: v, Contents: randomBytes(rng, n-4*len(v)-60), Metadata: []byte(`{"tag":"bench"}`)}
}

func BenchmarkPrepare(b *testing.B) {
	c := benchContent(4096)
	b.SetBytes(4096)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Prepare(c.ID, c.Vector, c.Contents, c.Metadata); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	row := prepareAll(b, []Content{benchContent(4096)})[0]
	for _, batch := range []int{1, 64, 1024} {
		b.Run(fmt.Sprintf("rows=%d", batch), func(b *testing.B) {
			w := benchStore(b).create(b)
			defer finish(b, w)
			rows := slices.Repeat([]Row{row}, batch)
			b.SetBytes(int64(batch * row.SealedSize()))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := w.Append(rows); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkRead(b *testing.B) {
	w := benchStore(b).create(b)
	defer finish(b, w)
	ptrs, err := w.Append(slices.Repeat(prepareAll(b, []Content{benchContent(4096)}), 1000))
	if err != nil {
		b.Fatal(err)
	}
	for _, k := range []struct {
		name string
		want Fields
	}{{"all", WantAll}, {"vector", WantVector}, {"head", 0}} {
		b.Run(k.name, func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if _, err := w.File().Read(ptrs[i%len(ptrs)], k.want); err != nil {
					b.Fatal(err)
				}
				i++
			}
		})
	}
}

func benchTable(b *testing.B) (*closed, *Table) {
	c := manyEntries(b, rand.New(rand.NewPCG(1, 1)), 100_000)
	return c, c.table(b, c.open(b, c.in.DEK))
}

func BenchmarkFind(b *testing.B) {
	c, tab := benchTable(b)
	rng := rand.New(rand.NewPCG(2, 2))
	for name, cache := range map[string]*BlockCache{"cold": nil, "cached": NewBlockCache(64 << 20)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				e := &c.in.Entries[rng.IntN(len(c.in.Entries))]
				if got, err := tab.Find(e.Token, cache); err != nil || len(got) != 1 {
					b.Fatal(got, err)
				}
			}
		})
	}
	b.Run("absent", func(b *testing.B) {
		b.ReportAllocs()
		var tok crypto.Token
		for b.Loop() {
			tok[0]++
			tok[3] += tok[0]
			if _, err := tab.Find(tok, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	c, tab := benchTable(b)
	for _, every := range []int{1, 100} {
		var tokens []crypto.Token
		for i := 0; i < len(c.in.Entries); i += every {
			tokens = append(tokens, c.in.Entries[i].Token)
		}
		b.Run(fmt.Sprintf("of=100000/tokens=%d", len(tokens)), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				n := 0
				if err := tab.Match(tokens, nil, func(int, Entry) error { n++; return nil }); err != nil || n != len(tokens) {
					b.Fatal(n, err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(tokens)), "ns/token")
		})
	}
}

func BenchmarkOverwrite(b *testing.B) {
	s := benchStore(b)
	w := s.create(b)
	defer finish(b, w)
	ptrs, err := w.Append(slices.Repeat(prepareAll(b, []Content{benchContent(4096)}), 1000))
	if err != nil {
		b.Fatal(err)
	}
	area := Extent{DataStart, uint64(w.Size()) - DataStart}
	var dead []Extent
	for i := 0; i < len(ptrs); i += 10 {
		dead = append(dead, ptrs[i].Extent())
	}
	b.SetBytes(int64(100 * dead[0].Len))
	for b.Loop() {
		if _, err := Overwrite(s.fs, s.path, s.id.Segment, dead, area); err != nil {
			b.Fatal(err)
		}
	}
}
