package residue

import (
	"bytes"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/internal/corpus"
)

// FuzzSearchAgreesWithANaiveSearch: whatever is searched for in whatever, in steps of
// any size, is found where a search byte by byte finds it.
func FuzzSearchAgreesWithANaiveSearch(f *testing.F) {
	f.Fuzz(func(t *testing.T, text, a, b []byte, chunk int) {
		s, err := NewSearcher([][]byte{a, b})
		if err != nil {
			return
		}
		s.setChunk(max(1, min(chunk, 1<<16)))
		fs := vfs.NewMem()
		put(t, fs, "/d/f", text)
		hits, _ := search(t, s, fs, "/d")
		if want := naive([][]byte{a, b}, "/d/f", text); !slices.Equal(hits, want) {
			t.Fatalf("got %v, want %v", hits, want)
		}
	})
}

// TestSeeds holds the corpus in testdata against what may be searched for.
func TestSeeds(t *testing.T) {
	corpus.Hold(t, "FuzzSearchAgreesWithANaiveSearch", []corpus.Seed{
		corpus.Valid("overlapping", []byte("aaaaaaaaaaaaaaaaaaaaaa"), []byte("aaaaaaaa"), []byte("aaaaaaaaaa"), 9),
		corpus.Valid("text", []byte("a needle in a haystack"), []byte(" needle "), []byte("in a haystack"), 1),
		corpus.Valid("periodic", bytes.Repeat([]byte("abcdefg\x00"), 40), []byte("\x00abcdefg\x00abc"), make([]byte, 30), 64),
		corpus.Hostile("short", []byte("text"), []byte("short"), []byte("long enough"), 1),
		corpus.Hostile("nothing", []byte("text"), []byte{}, []byte{}, 1),
	}, func(s corpus.Seed) error {
		_, err := NewSearcher([][]byte{s.Bytes(1), s.Bytes(2)})
		return err
	})
}
