package residue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	// MinNeedle is the length of the shortest needle, in bytes.
	MinNeedle = windowSize
	// MaxNeedle is that of the longest.
	MaxNeedle = 1 << 30
	// MaxNeedles is how many one search takes.
	MaxNeedles = 1 << 26
	// MaxHits is how many hits a search answers one by one; it counts all.
	MaxHits = 1 << 20
)

const (
	maxStride = 16
	// maxWindows is up to how many windows the stride is as long as it may be.
	maxWindows = 1 << 21
	chunkSize  = 1 << 20
)

// Hit is one occurrence of a needle: its number in the list that was given (of
// equal ones the first), the file's path and the offset of its first byte.
type Hit struct {
	Needle int
	Path   string
	Offset int64
}

// Stats says what has been searched.
type Stats struct {
	Files    int           // read whole
	Bytes    int64         // of them
	Hits     int64         // all, also those beyond MaxHits
	Vanished int           // listed, but gone before they could be opened
	Duration time.Duration // of the search
}

// Rate is bytes a second.
func (s Stats) Rate() float64 {
	if s.Duration <= 0 {
		return 0
	}
	return float64(s.Bytes) / s.Duration.Seconds()
}

// Searcher holds needles ready to be searched for. It is immutable and may
// search any number of times, also at once.
type Searcher struct {
	needles [][]byte // different from one another
	number  []int    // of each in the list that was given
	stride  int
	chunk   int // bytes that a read moves on; a multiple of stride
	table   *table
}

// NewSearcher takes needles of MinNeedle to MaxNeedle bytes; it keeps them, so
// they must not change. Equal ones count as one. A list without needles is an
// error: a search for nothing would find nothing and prove nothing.
func NewSearcher(needles [][]byte) (*Searcher, error) {
	if len(needles) == 0 {
		return nil, errors.New("residue: no needles to search for")
	}
	if len(needles) > MaxNeedles {
		return nil, fmt.Errorf("residue: %d needles, at most %d", len(needles), MaxNeedles)
	}
	s := &Searcher{stride: maxStride}
	seen := make(map[string]struct{}, len(needles))
	for i, n := range needles {
		if len(n) < MinNeedle || len(n) > MaxNeedle {
			return nil, fmt.Errorf("residue: needle %d has %d bytes, allowed are %d to %d", i, len(n), MinNeedle, MaxNeedle)
		}
		if _, dup := seen[string(n)]; dup {
			continue
		}
		seen[string(n)] = struct{}{}
		s.needles, s.number = append(s.needles, n), append(s.number, i)
		s.stride = min(s.stride, len(n)-windowSize+1)
	}
	s.stride = max(1, min(s.stride, maxWindows/len(s.needles)))
	s.setChunk(chunkSize)
	s.table = newTable(s.needles, s.stride)
	return s, nil
}

// setChunk makes reads move on by about n bytes.
func (s *Searcher) setChunk(n int) { s.chunk = max(1, n/s.stride) * s.stride }

// Needles is how many different needles are searched for.
func (s *Searcher) Needles() int { return len(s.needles) }

// Search reads every byte of every file below dir. progress, unless nil, is
// told how many more bytes have been read. The hits come file by file, by offset;
// an error means that not everything has been searched.
func (s *Searcher) Search(ctx context.Context, fs vfs.FS, dir string, progress func(bytes int64)) ([]Hit, Stats, error) {
	began := time.Now()
	r := &run{Searcher: s, ctx: ctx, fs: fs, progress: progress, buf: make([]byte, s.chunk+windowSize-1)}
	err := r.folder(dir)
	r.stats.Duration = time.Since(began)
	return r.hits, r.stats, err
}

// run is one search under way.
type run struct {
	*Searcher
	ctx      context.Context
	fs       vfs.FS
	progress func(int64)
	buf      []byte // a chunk, and behind it the rest of its last window
	compare  []byte // for needles that reach beyond buf
	hits     []Hit
	stats    Stats
}
