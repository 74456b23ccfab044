package ledger

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/internal/codec"
	"oubliette/internal/corpus"
)

// FuzzDecodeEntry: an entry that is taken has one encoding. Groups and epoch records
// have targets of their own, in their packages.
func FuzzDecodeEntry(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		var e any
		var err error
		corpus.Bound(t, len(b), 4, func() { e, err = decodeEntry(b) })
		if err != nil {
			return
		}
		var again []byte
		switch e := e.(type) {
		case *Begin:
			again = e.Entry()
		case *gone:
			again = encoded(func(c *codec.Encoder) {
				c.U8(uint8(kindGone))
				c.U8(entryVersion)
				c.Raw(e.index[:])
				c.U64(e.epoch)
				c.Raw(e.signature[:])
			})
		default:
			return
		}
		if !bytes.Equal(again, b) {
			t.Fatalf("encodes to\n%x from\n%x", again, b)
		}
	})
}

// FuzzRead takes the entries of a small ledger and replaces one, cuts, or moves:
// no answer may be a delete that nobody signed, and nothing panics.
func FuzzRead(f *testing.F) {
	w, l, states := told(f)
	// These belong to keys that are drawn anew each time; no file can hold them.
	f.Add(bytes.Clone((*l)[3]), 3, 7)
	f.Add(bytes.Clone((*l)[5]), 2, 6)
	f.Add(epochZero((*l)[2]), 1, 2)
	f.Fuzz(func(t *testing.T, b []byte, at, n int) {
		at, n = max(0, at)%len(*l), max(0, n)%(len(*l)+1)
		bad := slices.Clone((*l)[:n])
		if at < n {
			bad[at] = b
		}
		h, err := Read(bad.Entries(), Options{ID: store, Store: w.knows(states[4])})
		if err != nil {
			return
		}
		c, err := h.Compare(w.index)
		if err != nil {
			return
		}
		for _, g := range c.Missing {
			if n := g.Position().Group; n != 4 && n != 6 {
				t.Fatalf("group %d is missing", n)
			}
		}
	})
}

// FuzzLedgerFile opens any bytes as a ledger: no panic, no allocation beyond what
// there is, and what a reader is shown a writer is shown, who then goes on.
func FuzzLedgerFile(f *testing.F) {
	head := encodeHeader(store)
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) >= headerSize { // so that what is behind the head is reached
			b = append(bytes.Clone(head), b[headerSize:]...)
		}
		fs := vfs.NewMem()
		must(t, fs.MkdirAll("elsewhere", 0o700))
		writeBytes(t, fs, path, b)
		var r *File
		var err error
		corpus.Bound(t, len(b), 8, func() { r, err = ReadFile(fs, path) })
		if err != nil {
			if _, err := OpenFile(fs, path, store); err == nil {
				t.Fatal("refused to a reader, not to a writer")
			}
			return
		}
		shown, err := all(r)
		must(t, errors.Join(err, r.Close()))
		w, err := OpenFile(fs, path, store)
		must(t, err)
		must(t, w.Append([]byte{2, 1, 3}))
		must(t, w.Close())
		w, err = OpenFile(fs, path, store)
		must(t, err)
		got, err := all(w)
		must(t, errors.Join(err, w.Close()))
		if len(got) != len(shown)+1 || !slices.EqualFunc(got[:len(shown)], shown, bytes.Equal) {
			t.Fatalf("%d entries shown, %d behind one more", len(shown), len(got))
		}
	})
}

// TestSeeds holds the corpora in testdata against the formats of today.
func TestSeeds(t *testing.T) {
	corpus.Hold(t, "FuzzDecodeEntry", entrySeeds(t), func(s corpus.Seed) error {
		_, err := decodeEntry(s.Bytes(0))
		return err
	})
	corpus.Hold(t, "FuzzRead", readSeeds(t), func(s corpus.Seed) error {
		w, l, states := told(t)
		bad := slices.Clone((*l)[:s.Values[2].(int)])
		bad[s.Values[1].(int)] = s.Bytes(0)
		h, err := Read(bad.Entries(), Options{ID: store, Store: w.knows(states[4])})
		if err == nil {
			_, err = h.Compare(w.index)
		}
		return err
	})
	corpus.Hold(t, "FuzzLedgerFile", fileSeeds(), func(s corpus.Seed) error {
		fs := vfs.NewMem()
		must(t, fs.MkdirAll("elsewhere", 0o700))
		writeBytes(t, fs, path, s.Bytes(0))
		f, err := ReadFile(fs, path)
		if err == nil {
			must(t, f.Close())
		}
		return err
	})
}

// cutAndLonger are near misses of what is taken.
func cutAndLonger(name string, b []byte) []corpus.Seed {
	return []corpus.Seed{corpus.Hostile(name+"-cut", b[:len(b)-1]), corpus.Hostile(name+"-longer", append(bytes.Clone(b), 0))}
}

func entrySeeds(t testing.TB) (out []corpus.Seed) {
	w, l, _ := told(t)
	for name, entry := range map[string][]byte{
		"begin": (*l)[0], "epoch": (*l)[1], "group": (*l)[2], "second-epoch": (*l)[4], "gone": GoneEntry(store, w.index, 2, w.root),
	} {
		out = append(append(out, corpus.Valid(name, entry)), cutAndLonger(name, entry)...)
	}
	newer := bytes.Clone((*l)[0])
	newer[1]++
	long := encoded(func(e *codec.Encoder) {
		e.Raw([]byte{byte(kindBegin), entryVersion})
		e.Raw(w.index[:])
		e.U32(1 << 31)
	})
	return append(out, corpus.Hostile("gone-in-epoch-0", GoneEntry(store, w.index, 0, w.root)), corpus.Hostile("empty", []byte{}),
		corpus.Hostile("group-of-epoch-0", epochZero((*l)[2])), corpus.Hostile("newer", newer), corpus.Hostile("length-bomb", long),
		corpus.Hostile("unknown-kind", []byte{9, entryVersion}))
}

// readSeeds take the place of an entry of the ledger that told makes.
func readSeeds(t testing.TB) []corpus.Seed {
	w, l, _ := told(t)
	begin := (*l)[0]
	return []corpus.Seed{
		corpus.Valid("as-it-was", begin, 0, len(*l)), corpus.Hostile("twice", begin, 3, len(*l)), corpus.Hostile("cut", begin, 0, 3),
		corpus.Hostile("empty", []byte{}, 0, 1), corpus.Hostile("gone-in-epoch-0", GoneEntry(store, w.index, 0, w.root), 1, 2),
		corpus.Hostile("gone-first", GoneEntry(store, w.index, 1, w.root), 0, 1),
	}
}

func fileSeeds() []corpus.Seed {
	head := encodeHeader(store)
	two := appendFrame(bytes.Clone(head), made(1)[0], headerSize)
	two = appendFrame(two, made(5)[4], int64(len(two)))
	newer := bytes.Clone(head)
	newer[8]++
	return []corpus.Seed{
		corpus.Valid("head", head), corpus.Valid("two", two), corpus.Valid("torn", two[:len(two)-40]),
		corpus.Valid("zeros-behind", append(bytes.Clone(two), 0, 0, 0, 0, 0, 0, 0, 0)), corpus.Valid("torn-head", append(bytes.Clone(two), 9)),
		corpus.Hostile("empty", []byte{}), corpus.Hostile("cut-head", head[:headerSize-1]), corpus.Hostile("newer", newer),
		corpus.Hostile("first-changed", append(append(bytes.Clone(head), 3), two[headerSize+1:]...)),
	}
}
