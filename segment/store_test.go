package segment

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/crypto"
	"oubliette/internal/fault"
)

// store is one segment with all keys at hand.
type store struct {
	fs     vfs.FS
	path   string
	id     Identity
	reader crypto.ReaderKey
	mapKey crypto.Secret
	signer *crypto.Signer
}

func newStore(t testing.TB, fs vfs.FS) *store {
	t.Helper()
	key, err := crypto.NewReaderKey(crypto.NewSecret())
	if err != nil {
		t.Fatal(err)
	}
	return &store{
		fs:     fs,
		path:   "one.seg",
		id:     Identity{Index: crypto.NewIndexID(), Segment: crypto.NewSegmentID(), Epoch: 7},
		reader: key,
		mapKey: crypto.NewSecret(),
		signer: crypto.NewSigner(crypto.UserID{1, 2, 3}, crypto.NewSecret()),
	}
}

func (s *store) verify(u crypto.UserID, epoch uint64) (crypto.VerifyKey, bool) {
	return s.signer.Public(), u == s.signer.User() && epoch == s.id.Epoch
}

func (s *store) create(t testing.TB) *Writer {
	t.Helper()
	w, err := Create(s.fs, s.path, s.id, s.reader.Public())
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// finish closes a writer and releases its file.
func finish(t testing.TB, w *Writer) {
	t.Helper()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	w.File().Release()
}

func (s *store) open(t testing.TB, commit crypto.Hash) *File {
	t.Helper()
	f, err := Open(s.fs, s.path, s.id)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Release)
	if err := f.Unlock(s.reader, commit); err != nil {
		t.Fatal(err)
	}
	return f
}

// closed is a segment with an index over the contents given.
type closed struct {
	*store
	in      IndexInput
	ref     FooterRef
	content []Content
	ptrs    []Pointer
}

// tokenOf is a stand-in for the keyed function of ids.
func tokenOf(id string) (t crypto.Token) {
	h := crypto.Sum([]byte(id))
	copy(t[:], h[:])
	return t
}

func writeClosed(t testing.TB, s *store, content []Content) *closed {
	t.Helper()
	w := s.create(t)
	ptrs, err := w.Append(prepareAll(t, content))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Sync(); err != nil {
		t.Fatal(err)
	}
	c := &closed{store: s, content: content, ptrs: ptrs}
	c.in = IndexInput{ID: s.id, DEK: w.DEKCommitment(), Rows: w.Rows(), DataEnd: uint64(w.Size())}
	for i := range content {
		c.in.Entries = append(c.in.Entries, Entry{tokenOf(content[i].ID), uint64(100 + i), ptrs[i]})
	}
	sortEntries(c.in.Entries)
	finish(t, w)
	if c.ref, err = WriteIndex(s.fs, s.path, c.in, s.mapKey, s.signer); err != nil {
		t.Fatal(err)
	}
	return c
}

func sortEntries(es []Entry) {
	slices.SortFunc(es, func(a, b Entry) int { return compareEntries(&a, &b) })
}

func (c *closed) table(t testing.TB, f *File) *Table {
	t.Helper()
	tab, err := OpenTable(f, c.ref, c.mapKey, c.in.DEK, c.verify)
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

func prepareAll(t testing.TB, content []Content) []Row {
	t.Helper()
	rows := make([]Row, len(content))
	for i, c := range content {
		r, err := Prepare(c.ID, c.Vector, c.Contents, c.Metadata)
		if err != nil {
			t.Fatal(err)
		}
		rows[i] = r
	}
	return rows
}

// someContent makes n items: some fields absent, some empty, some compressible.
func someContent(rng *rand.Rand, n int) []Content {
	out := make([]Content, n)
	for i := range out {
		out[i].ID = fmt.Sprintf("item-%d-%d", i, rng.Uint64())
		if rng.IntN(4) > 0 {
			out[i].Vector = make([]float32, rng.IntN(20))
			for k := range out[i].Vector {
				out[i].Vector[k] = math.Float32frombits(rng.Uint32() &^ 0x7f800000) // no NaN: DeepEqual
			}
		}
		if rng.IntN(4) > 0 {
			out[i].Contents = randomBytes(rng, rng.IntN(300))
			if rng.IntN(2) == 0 {
				clear(out[i].Contents)
			}
		}
		if rng.IntN(4) > 0 {
			out[i].Metadata = randomBytes(rng, rng.IntN(40))
		}
	}
	return out
}

func randomBytes(rng *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

// seeded is a generator whose seed shows when the test fails.
func seeded(t testing.TB) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d (rand.NewPCG(seed, 0))", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

func wantEqual(t testing.TB, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}

func wantCorrupt(t testing.TB, what string, err error) *fault.CorruptionError {
	t.Helper()
	var ce *fault.CorruptionError
	if !errors.As(err, &ce) || !errors.Is(err, fault.ErrCorrupt) || ce.Path == "" {
		t.Fatalf("%s: got %v, want a CorruptionError with a path", what, err)
	}
	return ce
}

// readFile and writeFile go around the package.
func readFile(t testing.TB, fs vfs.FS, path string) []byte {
	t.Helper()
	h, err := fs.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	st, err := h.Stat()
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, st.Size())
	if len(b) > 0 {
		if _, err := h.ReadAt(b, 0); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func writeFile(t testing.TB, fs vfs.FS, path string, b []byte) {
	t.Helper()
	h, err := fs.Create(path, writeCategory)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Write(slices.Clone(b)); err != nil {
		t.Fatal(err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
}
