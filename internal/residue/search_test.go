package residue

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// put makes a file with its folders.
func put(t testing.TB, fs vfs.FS, path string, b []byte) {
	t.Helper()
	if err := fs.MkdirAll(fs.PathDir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	f, err := fs.Create(path, "test")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(bytes.Clone(b)); err != nil { // a file may change what it is given
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func searcher(t testing.TB, needles [][]byte) *Searcher {
	t.Helper()
	s, err := NewSearcher(needles)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func search(t testing.TB, s *Searcher, fs vfs.FS, dir string) ([]Hit, Stats) {
	t.Helper()
	hits, stats, err := s.Search(context.Background(), fs, dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	return hits, stats
}

// naive is what every search has to answer for one file.
func naive(needles [][]byte, path string, b []byte) (hits []Hit) {
	seen := make(map[string]bool)
	for i, n := range needles {
		if seen[string(n)] {
			continue
		}
		seen[string(n)] = true
		for at := 0; at+len(n) <= len(b); at++ {
			if bytes.Equal(b[at:at+len(n)], n) {
				hits = append(hits, Hit{i, path, int64(at)})
			}
		}
	}
	slices.SortFunc(hits, func(a, b Hit) int {
		return cmp.Or(cmp.Compare(a.Offset, b.Offset), cmp.Compare(a.Needle, b.Needle))
	})
	return hits
}

func random(rng *rand.Rand, n, letters int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.IntN(letters))
	}
	return b
}

func TestSearchFindsWhatANaiveSearchFinds(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	rng := rand.New(rand.NewPCG(seed, 1))
	for round := range 300 {
		letters := []int{1, 2, 3, 16, 256}[rng.IntN(5)]
		text := random(rng, rng.IntN(3000), letters)
		shortest := MinNeedle + rng.IntN(24)
		var needles [][]byte
		for range 1 + rng.IntN(30) {
			n := shortest + rng.IntN(200)
			if at := rng.IntN(len(text) + 1); at+n <= len(text) && rng.IntN(3) > 0 {
				needles = append(needles, bytes.Clone(text[at:at+n]))
			} else {
				needles = append(needles, random(rng, n, letters))
			}
		}
		fs := vfs.NewMem()
		put(t, fs, "/d/f", text)
		s := searcher(t, needles)
		s.setChunk(1 + rng.IntN(400))
		hits, stats := search(t, s, fs, "/d")
		want := naive(needles, "/d/f", text)
		if !slices.Equal(hits, want) || stats.Hits != int64(len(want)) || stats.Bytes != int64(len(text)) {
			t.Fatalf("seed %d, round %d: %d hits, %d wanted (stride %d, chunk %d)\ngot  %v\nwant %v", seed, round, len(hits), len(want), s.stride, s.chunk, hits, want)
		}
	}
}

func TestNeedlesAcrossReadsAreFound(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	needle, long := random(rng, 40, 256), random(rng, 2*chunkSize+77, 256)
	for off := int64(chunkSize - 48); off <= chunkSize+8; off++ {
		fs := vfs.NewMem()
		b := make([]byte, chunkSize+100)
		copy(b[off:], needle)
		put(t, fs, "/d/f", b)
		hits, _ := search(t, searcher(t, [][]byte{needle}), fs, "/d")
		if want := []Hit{{0, "/d/f", off}}; !slices.Equal(hits, want) {
			t.Fatalf("needle at %d: %v", off, hits)
		}
	}
	fs := vfs.NewMem()
	put(t, fs, "/d/long", slices.Concat([]byte("xyz"), long, []byte("end")))
	put(t, fs, "/d/other", long[:len(long)-1])
	hits, _ := search(t, searcher(t, [][]byte{long}), fs, "/d")
	if want := []Hit{{0, "/d/long", 3}}; !slices.Equal(hits, want) {
		t.Fatalf("needle longer than a read: %v", hits)
	}
}

func TestEveryFileOfEveryFolderIsSearched(t *testing.T) {
	fs := vfs.NewMem()
	needle := []byte("the needle itself")
	paths := []string{"/d/.hidden", "/d/a", "/d/b/c/d/e/f", "/d/b/c/g", "/d/z.tmp"}
	for i, p := range paths {
		put(t, fs, p, append(bytes.Repeat([]byte{'-'}, i), needle...))
	}
	put(t, fs, "/d/b/empty", nil)
	put(t, fs, "/elsewhere", needle)
	hits, stats := search(t, searcher(t, [][]byte{needle, []byte("another"), []byte("the needle")}[:1]), fs, "/d")
	var want []Hit
	for i, p := range paths {
		want = append(want, Hit{0, p, int64(i)})
	}
	if !slices.Equal(hits, want) {
		t.Fatalf("got %v, want %v", hits, want)
	}
	if stats.Files != len(paths)+1 || stats.Vanished != 0 || stats.Bytes != int64(len(paths)*len(needle)+10) {
		t.Fatalf("stats %+v", stats)
	}
}

func TestEqualNeedlesCountOnceUnderTheFirstNumber(t *testing.T) {
	fs := vfs.NewMem()
	put(t, fs, "/d/f", []byte("..repeated..repeated"))
	s := searcher(t, [][]byte{[]byte("something else"), []byte("repeated"), []byte("repeated")})
	hits, _ := search(t, s, fs, "/d")
	if want := []Hit{{1, "/d/f", 2}, {1, "/d/f", 12}}; !slices.Equal(hits, want) || s.Needles() != 2 {
		t.Fatalf("%d needles, hits %v", s.Needles(), hits)
	}
}

func TestHitsBeyondTheLimitAreCounted(t *testing.T) {
	fs := vfs.NewMem()
	put(t, fs, "/d/f", make([]byte, MaxHits+100))
	hits, stats := search(t, searcher(t, [][]byte{make([]byte, 8)}), fs, "/d")
	if len(hits) != MaxHits || stats.Hits != MaxHits+100-7 {
		t.Fatalf("%d hits answered, %d counted", len(hits), stats.Hits)
	}
}

func TestNeedlesAreRefusedWhenTheyProveNothing(t *testing.T) {
	for _, c := range []struct {
		needles [][]byte
		says    string
	}{
		{nil, "no needles"},
		{[][]byte{[]byte("long enough"), []byte("1234567")}, "needle 1 has 7 bytes"},
		{[][]byte{nil}, "needle 0 has 0 bytes"},
	} {
		if _, err := NewSearcher(c.needles); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q: error %v, want %q", c.needles, err, c.says)
		}
	}
}

func TestPiecesCoverEveryByteAndCatchEverySurvivingRun(t *testing.T) {
	for _, n := range []int{1, 15, 16, 17, 31, 32, 33, 100} {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(i)
		}
		covered := make([]bool, n)
		for _, p := range Pieces(b, 16) {
			if len(p) != min(16, n) {
				t.Fatalf("%d bytes: a piece of %d", n, len(p))
			}
			for _, x := range p {
				covered[x] = true
			}
		}
		if slices.Contains(covered, false) {
			t.Fatalf("%d bytes: not covered: %v", n, covered)
		}
	}
	rng := rand.New(rand.NewPCG(3, 4))
	field := random(rng, 1000, 256)
	s := searcher(t, Pieces(field, 16))
	for at := range len(field) - 31 {
		fs := vfs.NewMem()
		put(t, fs, "/d/f", slices.Concat(make([]byte, 5), field[at:at+31], make([]byte, 5)))
		if hits, _ := search(t, s, fs, "/d"); len(hits) == 0 {
			t.Fatalf("31 bytes from %d on survive and nothing was found", at)
		}
	}
}

func BenchmarkSearch(b *testing.B) {
	rng := rand.New(rand.NewPCG(5, 6))
	fs := vfs.Default
	dir := b.TempDir()
	const size = 64 << 20
	text := make([]byte, size)
	for i := 0; i+8 <= size/2; i += 8 { // half random, half erased
		copy(text[i:], fmt.Appendf(nil, "%08x", rng.Uint32()))
	}
	put(b, fs, fs.PathJoin(dir, "f"), text)
	for _, c := range []struct{ needles, length int }{{3_000, 1000}, {100_000, 1000}, {200_000, 16}, {2_000_000, 16}, {1_000, 10}} {
		b.Run(fmt.Sprintf("needles=%d/length=%d", c.needles, c.length), func(b *testing.B) {
			needles := make([][]byte, c.needles)
			pool := random(rng, c.needles*16+c.length, 256)
			for i := range needles {
				needles[i] = pool[i*16 : i*16+c.length]
			}
			s := searcher(b, needles)
			b.SetBytes(size)
			for b.Loop() {
				if hits, _ := search(b, s, fs, dir); len(hits) != 0 {
					b.Fatal(hits[0])
				}
			}
		})
	}
}
