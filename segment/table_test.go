package segment

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/crypto"
)

// manyEntries makes an index over n made-up rows, without their bytes.
func manyEntries(t testing.TB, rng *rand.Rand, n int) *closed {
	t.Helper()
	s := newStore(t, vfs.NewMem())
	w := s.create(t)
	finish(t, w)
	c := &closed{store: s, in: IndexInput{ID: s.id, DEK: w.DEKCommitment(), Rows: uint32(n), DataEnd: DataStart}}
	for i := range n {
		e := Entry{Seq: uint64(i), Pointer: Pointer{Row: uint32(i), Offset: c.in.DataEnd}}
		binary.LittleEndian.PutUint64(e.Token[:], rng.Uint64())
		e.Len[Head] = minSealed + uint32(rng.IntN(50))
		e.Commit[Head] = crypto.Commitment{byte(i)}
		if i%3 == 1 {
			e.Expires = 1 + rng.Uint64N(MaxExpiry)
		}
		c.in.DataEnd += e.size()
		c.in.Entries = append(c.in.Entries, e)
	}
	sortEntries(c.in.Entries)
	c.write(t)
	return c
}

func (c *closed) write(t testing.TB) {
	t.Helper()
	ref, err := WriteIndex(c.fs, c.path, c.in, c.mapKey, c.signer)
	if err != nil {
		t.Fatal(err)
	}
	c.ref = ref
}

func TestIndexFindsEveryEntry(t *testing.T) {
	rng := seeded(t)
	for _, n := range []int{0, 1, 2, 3, 63, 64, 65, 128, 129, 5000} {
		c := manyEntries(t, rng, n)
		tab := c.table(t, c.open(t, c.in.DEK))
		if tab.Entries() != n || tab.Rows() != uint32(n) || tab.DataEnd() != c.in.DataEnd || tab.Epoch() != c.id.Epoch {
			t.Fatalf("%d entries: the table says %d of %d rows to %d", n, tab.Entries(), tab.Rows(), tab.DataEnd())
		}
		for _, cache := range []*BlockCache{nil, NewBlockCache(3 * blockMemory)} {
			for _, e := range c.in.Entries {
				got, err := tab.Find(e.Token, cache)
				if err != nil {
					t.Fatal(err)
				}
				wantEqual(t, "found", got, []Entry{e})
			}
		}
		wrong := 0
		for range 2000 {
			var tok crypto.Token
			binary.LittleEndian.PutUint64(tok[:], rng.Uint64())
			if tab.MayContain(tok) {
				wrong++
			}
			if got, err := tab.Find(tok, nil); err != nil || got != nil {
				t.Fatalf("an absent token answers %v, %v", got, err)
			}
		}
		if wrong > 5 {
			t.Errorf("%d entries: the filter was wrong %d times in 2000", n, wrong)
		}
		var all []Entry
		if err := tab.All(func(e Entry) error { all = append(all, e); return nil }); err != nil {
			t.Fatal(err)
		}
		wantEqual(t, "all", all, c.in.Entries)
	}
}

func TestTokenThatStraddlesBlocksIsFoundWhole(t *testing.T) {
	rng := seeded(t)
	for _, repeat := range []int{2, 63, 64, 65, 200} {
		c := manyEntries(t, rng, 400)
		const from = 60
		tok := c.in.Entries[from].Token
		for i := range repeat {
			c.in.Entries[from+i].Token = tok
			c.in.Entries[from+i].Seq = uint64(1000 + i)
		}
		sortEntries(c.in.Entries)
		c.write(t)
		tab := c.table(t, c.open(t, c.in.DEK))
		want := c.in.Entries[from : from+repeat]
		got, err := tab.Find(tok, nil)
		if err != nil {
			t.Fatal(err)
		}
		wantEqual(t, "found", got, want)
		got = nil
		before, after := c.in.Entries[from-1], c.in.Entries[from+repeat]
		err = tab.Match([]crypto.Token{before.Token, tok, after.Token}, nil, func(i int, e Entry) error {
			got = append(got, e)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		wantEqual(t, "matched", got, c.in.Entries[from-1:from+repeat+1])
	}
}

func TestMatchIsASortedMerge(t *testing.T) {
	rng := seeded(t)
	c := manyEntries(t, rng, 3000)
	tab := c.table(t, c.open(t, c.in.DEK))
	cache := NewBlockCache(1 << 20)
	for range 20 {
		var want []Entry
		var tokens []crypto.Token
		for _, e := range c.in.Entries {
			switch rng.IntN(20) {
			case 0:
				tokens = append(tokens, e.Token)
				want = append(want, e)
			case 1:
				var absent crypto.Token
				binary.LittleEndian.PutUint64(absent[:], rng.Uint64())
				tokens = append(tokens, absent)
			case 2:
				if _, err := tab.Find(e.Token, cache); err != nil {
					t.Fatal(err)
				}
			}
		}
		slices.SortFunc(tokens, compareTokens)
		var got []Entry
		last := -1
		err := tab.Match(tokens, cache, func(i int, e Entry) error {
			if tokens[i] != e.Token || i <= last {
				t.Fatalf("token %d after %d does not match its entry", i, last)
			}
			last = i
			got = append(got, e)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		wantEqual(t, "matched", got, want)
	}
	stop := errors.New("enough")
	if err := tab.Match([]crypto.Token{c.in.Entries[0].Token}, nil, func(int, Entry) error { return stop }); err != stop {
		t.Errorf("Match went on past an error: %v", err)
	}
	if err := tab.All(func(Entry) error { return stop }); err != stop {
		t.Errorf("All went on past an error: %v", err)
	}
}

func TestCacheIsBoundedAndForgets(t *testing.T) {
	c := manyEntries(t, seeded(t), 2000)
	f := c.open(t, c.in.DEK)
	tab := c.table(t, f)
	cache := NewBlockCache(4 * blockMemory)
	for _, e := range c.in.Entries {
		if _, err := tab.Find(e.Token, cache); err != nil {
			t.Fatal(err)
		}
		if n := cache.lru.Len(); n > 4 {
			t.Fatalf("%d blocks in a cache of 4", n)
		}
	}
	cache.Forget(crypto.NewSegmentID())
	if cache.lru.Len() != 4 {
		t.Error("the cache forgot another segment's blocks")
	}
	cache.Forget(c.id.Segment)
	if cache.lru.Len() != 0 {
		t.Error("the cache did not forget")
	}
	if NewBlockCache(0) != nil || NewBlockCache(-1) != nil {
		t.Error("a cache of nothing keeps something")
	}
	(*BlockCache)(nil).Forget(c.id.Segment)
}

func TestTableRefusesWhatDoesNotBelongToIt(t *testing.T) {
	c := manyEntries(t, seeded(t), 100)
	other := manyEntries(t, seeded(t), 100)
	f := c.open(t, c.in.DEK)
	no := func(crypto.UserID, uint64) (crypto.VerifyKey, bool) { return crypto.VerifyKey{}, false }
	badRef := c.ref
	badRef.Hash[0] ^= 1
	farRef := c.ref
	farRef.Off = 1 << 60
	hugeRef := c.ref
	hugeRef.Len = 1 << 62
	cases := map[string]func() (*Table, error){
		"hash":              func() (*Table, error) { return OpenTable(f, badRef, c.mapKey, c.in.DEK, c.verify) },
		"offset":            func() (*Table, error) { return OpenTable(f, farRef, c.mapKey, c.in.DEK, c.verify) },
		"length":            func() (*Table, error) { return OpenTable(f, hugeRef, c.mapKey, c.in.DEK, c.verify) },
		"map key":           func() (*Table, error) { return OpenTable(f, c.ref, other.mapKey, c.in.DEK, c.verify) },
		"data key":          func() (*Table, error) { return OpenTable(f, c.ref, c.mapKey, other.in.DEK, c.verify) },
		"unlisted signer":   func() (*Table, error) { return OpenTable(f, c.ref, c.mapKey, c.in.DEK, no) },
		"signature":         func() (*Table, error) { return OpenTable(f, c.ref, c.mapKey, c.in.DEK, other.anyone) },
		"footer of another": func() (*Table, error) { return openForeign(t, c, other) },
	}
	for name, open := range cases {
		tab, err := open()
		wantCorrupt(t, name, err)
		if tab != nil {
			t.Errorf("%s: a table came with the error", name)
		}
	}
}

// anyone verifies with this store's key whoever signed.
func (s *store) anyone(crypto.UserID, uint64) (crypto.VerifyKey, bool) {
	return s.signer.Public(), true
}

// openForeign puts another segment's index into c's file, as it is.
func openForeign(t *testing.T, c, other *closed) (*Table, error) {
	fs := vfs.NewMem()
	b := readFile(t, other.fs, other.path)
	copy(b, readFile(t, c.fs, c.path)[:DataStart])
	writeFile(t, fs, c.path, b)
	f, err := Open(fs, c.path, c.id)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Release)
	return OpenTable(f, other.ref, other.mapKey, other.in.DEK, other.anyone)
}

func TestWriteIndexRefusesBadInput(t *testing.T) {
	c := manyEntries(t, seeded(t), 10)
	before := readFile(t, c.fs, c.path)
	cases := map[string]func(in *IndexInput){
		"disorder":          func(in *IndexInput) { slices.Reverse(in.Entries) },
		"alike":             func(in *IndexInput) { in.Entries[1] = in.Entries[0] },
		"too few rows":      func(in *IndexInput) { in.Rows = 9 },
		"row out of range":  func(in *IndexInput) { in.Entries[0].Row = 10 },
		"behind the end":    func(in *IndexInput) { in.DataEnd-- },
		"before the start":  func(in *IndexInput) { in.Entries[0].Offset = DataStart - 1 },
		"rows in header":    func(in *IndexInput) { in.DataEnd = DataStart - 1 },
		"no head":           func(in *IndexInput) { in.Entries[0].Len[Head] = 0 },
		"absent commitment": func(in *IndexInput) { in.Entries[0].Commit[Vector] = crypto.Commitment{1} },
		"another segment":   func(in *IndexInput) { in.ID.Segment = crypto.NewSegmentID() },
	}
	for name, change := range cases {
		in := c.in
		in.Entries = slices.Clone(c.in.Entries)
		change(&in)
		if _, err := WriteIndex(c.fs, c.path, in, c.mapKey, c.signer); err == nil {
			t.Errorf("%s was taken", name)
		}
		wantEqual(t, name, readFile(t, c.fs, c.path), before)
	}
	if _, err := WriteIndex(c.fs, "missing.seg", c.in, c.mapKey, c.signer); err == nil {
		t.Error("an index was written into a missing file")
	}
	if _, err := c.fs.Stat("missing.seg"); err == nil {
		t.Error("a file was made")
	}
}

func TestEachWritingOfAnIndexHasItsOwnKey(t *testing.T) {
	c := manyEntries(t, seeded(t), 64)
	first := readFile(t, c.fs, c.path)
	c.write(t)
	second := readFile(t, c.fs, c.path)
	at := (c.in.DataEnd + indexAlign - 1) / indexAlign * indexAlign
	// The same plaintext under the same nonce and key would give the same bytes.
	if slices.Equal(first[at:at+blockSize], second[at:at+blockSize]) {
		t.Error("an index written twice is sealed alike")
	}
}

func TestOpenSegmentHasNoFooter(t *testing.T) {
	s := newStore(t, vfs.NewMem())
	w := s.create(t)
	defer finish(t, w)
	_, err := FindFooter(w.File())
	wantCorrupt(t, "no tail", err)
	if _, err := w.Append(prepareAll(t, []Content{{ID: "x", Contents: make([]byte, 50)}})); err != nil {
		t.Fatal(err)
	}
	_, err = FindFooter(w.File())
	wantCorrupt(t, "rows, no tail", err)
}
