package engine_test

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/engine"
	"oubliette/internal/corpus"
)

// fuzzStore is a store with an index of three dimensions that many executions of a
// target share: opening one takes twenty times as long as a call. After some of them
// it gives way to a new one.
type fuzzStore struct {
	db   *engine.DB
	ix   *engine.Index
	left int
}

const fuzzDimension = 3

// use answers the index.
func (s *fuzzStore) use(t testing.TB) *engine.Index {
	if s.left--; s.left >= 0 {
		return s.ix
	}
	s.close(t)
	db, err := engine.Open(storeDir, &engine.Options{FS: vfs.NewMem(), PurgeWithin: time.Hour, Now: func() time.Time { return time.UnixMilli(clockBegins) }})
	must(t, err)
	ix, err := db.CreateIndex(context.Background(), "a", fuzzKey(t), engine.IndexConfig{Dimension: fuzzDimension})
	must(t, err)
	s.db, s.ix, s.left = db, ix, 200
	return ix
}

func (s *fuzzStore) close(t testing.TB) {
	if s.db != nil {
		must(t, s.db.Close())
	}
}

// wantShown holds a scan and a Get against what the index should show. Unlike
// wantItems it leaves the count out, which takes as long as all the rest.
func wantShown(t testing.TB, ix *engine.Index, want map[string]engine.Item, absent ...string) {
	t.Helper()
	have, ids := collect(t, ix), absent
	for id := range want {
		ids = append(ids, id)
	}
	if items := got(ix.Get(context.Background(), ids, engine.AllFields))(t); len(have) != len(want) || !maps.EqualFunc(byID(items...), have, equal) {
		t.Fatalf("a scan shows %.200v, Get %.200v", have, items)
	}
	for id, it := range want {
		if !equal(have[id], it) {
			t.Fatalf("%q is %.200v, want %.200v", id, have[id], it)
		}
	}
}

// fuzzKey is the same each time, so that what is sealed under it can be checked in.
func fuzzKey(t testing.TB) engine.Key {
	k, err := engine.ParseKey("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")
	must(t, err)
	return k
}

// Bits of an item of FuzzItem: which fields it has, and whether its vector is made as
// long as the index wants it.
const (
	hasVector = 1 << iota
	hasContents
	hasMetadata
	hasExpiry
	fits
)

// fuzzItem makes an item of what has come, and answers every error that it may be
// refused with.
func fuzzItem(id string, vector, contents, metadata []byte, parts byte, expires int64) (it engine.Item, may []error) {
	it.ID = id
	refuse := func(when bool, err error) {
		if when {
			may = append(may, err)
		}
	}
	refuse(id == "", engine.ErrInvalid)
	refuse(len(id) > engine.MaxID, engine.ErrTooLarge)
	if parts&hasVector != 0 {
		it.Vector = make([]float32, len(vector)/4)
		for i := range it.Vector {
			it.Vector[i] = math.Float32frombits(binary.LittleEndian.Uint32(vector[4*i:]))
		}
		if parts&fits != 0 {
			it.Vector = append(it.Vector, 0, 0, 0)[:fuzzDimension]
		}
		refuse(len(it.Vector) != fuzzDimension, engine.ErrDimension)
		refuse(len(it.Vector) > engine.MaxDimension, engine.ErrTooLarge)
	}
	if parts&hasContents != 0 {
		it.Contents = append([]byte{}, contents...)
	}
	if parts&hasMetadata != 0 {
		it.Metadata = append(json.RawMessage{}, metadata...)
		refuse(!json.Valid(metadata), engine.ErrInvalid)
	}
	if parts&hasExpiry != 0 {
		it.ExpiresAt = time.UnixMilli(expires)
		refuse(!it.ExpiresAt.IsZero() && (expires < 1 || expires > engine.MaxExpiry), engine.ErrInvalid)
	}
	return it, may
}

// FuzzItem puts one item in. It is refused with an error that says why, and nothing
// has changed, or it comes back bit for bit until it is deleted.
func FuzzItem(f *testing.F) {
	s := new(fuzzStore)
	f.Cleanup(func() { s.close(f) })
	f.Fuzz(func(t *testing.T, id string, vector, contents, metadata []byte, parts byte, expires int64) {
		ctx, ix := context.Background(), s.use(t)
		it, may := fuzzItem(id, vector, contents, metadata, parts, expires)
		want := byID()
		if err := ix.Upsert(ctx, []engine.Item{{ID: "other"}, it}); err != nil {
			if !slices.ContainsFunc(may, func(e error) bool { return errors.Is(err, e) }) {
				t.Fatalf("%+v: %v, want one of %v", it, err, may)
			}
		} else {
			if len(may) > 0 {
				t.Fatalf("%+v is taken, and should be one of %v", it, may)
			}
			want = byID(engine.Item{ID: "other"})
			if want[id] = it; !it.ExpiresAt.IsZero() && it.ExpiresAt.UnixMilli() <= clockBegins {
				delete(want, id)
			}
		}
		wantShown(t, ix, want)
		if len(may) == 0 {
			got(ix.Delete(ctx, []string{id, "other"}))(t)
			wantShown(t, ix, byID(), id)
		}
	})
}

// fuzzIDs reads ids: a length of one byte before each, and 255 stands for one that is
// longer than any may be.
func fuzzIDs(b []byte) (ids []string) {
	for len(b) > 0 {
		n := int(b[0])
		if b = b[1:]; n == 255 {
			ids = append(ids, strings.Repeat("x", engine.MaxID+1))
			continue
		}
		n = min(n, len(b))
		ids, b = append(ids, string(b[:n])), b[n:]
	}
	return ids
}

// refusedIDs is the error that a call with these ids answers.
func refusedIDs(ids []string) error {
	for _, id := range ids {
		if id == "" {
			return engine.ErrInvalid
		}
		if len(id) > engine.MaxID {
			return engine.ErrTooLarge
		}
	}
	return nil
}

// FuzzIDs gets and deletes any ids: all of a call or none, each once, in the order
// in which they are asked for.
func FuzzIDs(f *testing.F) {
	s := new(fuzzStore)
	f.Cleanup(func() { s.close(f) })
	f.Fuzz(func(t *testing.T, b []byte) {
		ctx, ix, ids := context.Background(), s.use(t), fuzzIDs(b)
		items := []engine.Item{{ID: "a"}, {ID: "b", Contents: []byte{}}, {ID: "ab"}, {ID: "\xff"}, {ID: "\x00"}}
		must(t, ix.Upsert(ctx, items))
		want, living := byID(items...), []engine.Item(nil)
		for _, id := range ids {
			if it, ok := want[id]; ok {
				living = append(living, it)
			}
		}
		have, err := ix.Get(ctx, ids, engine.AllFields)
		if refused := refusedIDs(ids); !errors.Is(err, refused) || refused == nil && !slices.EqualFunc(have, living, equal) {
			t.Fatalf("Get of %.80q: %v, %v; want %v, %v", ids, have, err, living, refused)
		}
		r, err := ix.Delete(ctx, ids)
		if refused := refusedIDs(ids); !errors.Is(err, refused) {
			t.Fatalf("Delete of %.80q: %v, want %v", ids, err, refused)
		}
		if err == nil {
			distinct := slices.Compact(slices.Sorted(slices.Values(ids)))
			if r.Count != len(distinct) || (r.Seq == 0) != (len(ids) == 0) {
				t.Fatalf("a receipt of %d ids, number %d, for %.80q", r.Count, r.Seq, ids)
			}
			for _, id := range ids {
				delete(want, id)
			}
		}
		wantShown(t, ix, want)
	})
}

// FuzzName makes an index of any name and deletes it. It is refused with an error
// that says why, or listed and found under that name alone, and gone afterwards.
func FuzzName(f *testing.F) {
	s := new(fuzzStore)
	f.Cleanup(func() { s.close(f) })
	f.Fuzz(func(t *testing.T, name string) {
		ctx, key := context.Background(), fuzzKey(t)
		s.use(t)
		var refused error
		switch {
		case name == "":
			refused = engine.ErrInvalid
		case len(name) > engine.MaxName:
			refused = engine.ErrTooLarge
		case name == "a":
			refused = engine.ErrIndexExists
		default:
			_, err := s.db.LoadIndex(ctx, name)
			wantError(t, err, engine.ErrIndexNotFound)
		}
		ix, err := s.db.CreateIndex(ctx, name, key, engine.IndexConfig{})
		if !errors.Is(err, refused) || (err == nil) != (refused == nil) {
			t.Fatalf("CreateIndex %q: %v, want %v", name, err, refused)
		}
		listed := []string{"a"}
		if err == nil {
			listed = append(listed, name)
			slices.Sort(listed)
			again := got(s.db.LoadIndex(ctx, name, engine.WithIndexKey(key)))(t)
			if again.Name() != name || again.ID() != ix.ID() {
				t.Fatalf("%q is loaded as %q", name, again.Name())
			}
		}
		if names := got(s.db.ListIndexes())(t); !slices.Equal(names, listed) {
			t.Fatalf("listed are %q, want %q", names, listed)
		}
		if err == nil {
			must(t, s.db.DeleteIndex(ctx, name, key))
			_, err := ix.Get(ctx, []string{"x"}, engine.AllFields)
			wantError(t, err, engine.ErrIndexNotFound)
		}
	})
}

// FuzzKey: a key is 32 bytes, or as many in hexadecimal digits, and not zeros;
// everything else is ErrInvalid.
func FuzzKey(f *testing.F) {
	f.Fuzz(func(t *testing.T, digits string, raw []byte) {
		k, err := engine.ParseKey(digits)
		b, bad := hex.DecodeString(digits)
		if good := bad == nil && len(b) == 32 && slices.Max(b) > 0; good != (err == nil) || err != nil && !errors.Is(err, engine.ErrInvalid) {
			t.Fatalf("%q: %v", digits, err)
		}
		c, cerr := engine.KeyFromBytes(raw)
		if good := len(raw) == 32 && slices.Max(raw) > 0; good != (cerr == nil) || cerr != nil && !errors.Is(cerr, engine.ErrInvalid) {
			t.Fatalf("%x: %v", raw, cerr)
		}
		if err == nil && cerr == nil && k.Equal(c) != slices.Equal(b, raw) {
			t.Fatalf("%q and %x: equal is %v", digits, raw, k.Equal(c))
		}
	})
}

// TestSeedsOfCalls holds the corpora in testdata against what the calls take.
func TestSeedsOfCalls(t *testing.T) {
	corpus.Hold(t, "FuzzItem", itemSeeds(), func(s corpus.Seed) error {
		_, may := fuzzItem(s.Values[0].(string), s.Bytes(1), s.Bytes(2), s.Bytes(3), s.Values[4].(byte), s.Values[5].(int64))
		return errors.Join(may...)
	})
	corpus.Hold(t, "FuzzIDs", idSeeds(), func(s corpus.Seed) error { return refusedIDs(fuzzIDs(s.Bytes(0))) })
	corpus.Hold(t, "FuzzName", nameSeeds(), func(s corpus.Seed) error {
		if name := s.Values[0].(string); name == "" || len(name) > engine.MaxName || name == "a" {
			return engine.ErrInvalid
		}
		return nil
	})
	corpus.Hold(t, "FuzzKey", keySeeds(), func(s corpus.Seed) error {
		_, err := engine.ParseKey(s.Values[0].(string))
		_, raw := engine.KeyFromBytes(s.Bytes(1))
		return errors.Join(err, raw)
	})
}

func itemSeeds() []corpus.Seed {
	v := func(bits ...uint32) (b []byte) {
		for _, x := range bits {
			b = binary.LittleEndian.AppendUint32(b, x)
		}
		return b
	}
	numbers := v(0x3F800000, 0xBF000000, 0)
	seed := func(id string, vector []byte, contents, metadata string, parts byte, expires int64) []any {
		return []any{id, append([]byte{}, vector...), []byte(contents), []byte(metadata), parts, expires}
	}
	all := byte(hasVector | hasContents | hasMetadata)
	return []corpus.Seed{
		corpus.Valid("id-alone", seed("a", nil, "", "", 0, 0)...), corpus.Valid("all", seed("id-1", numbers, "contents", `{"a": [1, null]}`, all, 0)...),
		corpus.Valid("nan", seed("\x00\xff", v(0x7FC00001, 0xFF800000, 0x80000000), "", `"\ud800"`, all, 0)...),
		corpus.Valid("other-twice", seed("other", numbers, "x", "1", all, 0)...), corpus.Valid("long-id", seed(strings.Repeat("x", engine.MaxID), nil, "", "", 0, 0)...),
		corpus.Valid("expires", seed("a", nil, "x", "", hasContents|hasExpiry, clockBegins+1)...), corpus.Valid("expired", seed("a", nil, "", "", hasExpiry, clockBegins)...),
		corpus.Valid("last-expiry", seed("a", nil, "", "", hasExpiry, engine.MaxExpiry)...), corpus.Valid("made-to-fit", seed("a", v(7), "", " 1e999 ", all|fits, 0)...),
		corpus.Hostile("no-id", seed("", nil, "", "", 0, 0)...), corpus.Hostile("longer-id", seed(strings.Repeat("x", engine.MaxID+1), nil, "", "", 0, 0)...),
		corpus.Hostile("no-dimension", seed("a", nil, "", "", hasVector, 0)...), corpus.Hostile("other-dimension", seed("a", numbers[:8], "", "", hasVector, 0)...),
		corpus.Hostile("no-json", seed("a", nil, "", "{", hasMetadata, 0)...), corpus.Hostile("two-values", seed("a", nil, "", "1 2", hasMetadata, 0)...),
		corpus.Hostile("empty-metadata", seed("a", nil, "", "", hasMetadata, 0)...), corpus.Hostile("1970", seed("a", nil, "", "", hasExpiry, 0)...),
		corpus.Hostile("year-10000", seed("a", nil, "", "", hasExpiry, engine.MaxExpiry+1)...), corpus.Hostile("long-ago", seed("a", nil, "", "", hasExpiry, math.MinInt64)...),
	}
}

func idSeeds() []corpus.Seed {
	return []corpus.Seed{
		corpus.Valid("none", []byte{}), corpus.Valid("known", []byte("\x01a\x01b")), corpus.Valid("twice", []byte("\x01a\x02ab\x01a\x01z")),
		corpus.Valid("bytes", []byte("\x01\xff\x01\x00")), corpus.Hostile("empty", []byte("\x01a\x00")), corpus.Hostile("long", []byte("\x01a\xff")),
	}
}

func nameSeeds() []corpus.Seed {
	return []corpus.Seed{
		corpus.Valid("plain", "docs"), corpus.Valid("bytes", "\x00\xff/../x"), corpus.Valid("prefix", "aa"), corpus.Valid("long", strings.Repeat("n", engine.MaxName)),
		corpus.Hostile("empty", ""), corpus.Hostile("longer", strings.Repeat("n", engine.MaxName+1)), corpus.Hostile("there", "a"),
	}
}

func keySeeds() []corpus.Seed {
	raw := []byte("0123456789abcdef0123456789abcdef")
	digits := hex.EncodeToString(raw)
	return []corpus.Seed{
		corpus.Valid("same", digits, raw), corpus.Valid("upper", strings.ToUpper(digits), raw), corpus.Hostile("empty", "", []byte{}),
		corpus.Hostile("zeros", strings.Repeat("0", 64), make([]byte, 32)), corpus.Hostile("short", digits[1:], raw[1:]), corpus.Hostile("longer", digits+"0", append(raw[:32:32], 0)),
	}
}
