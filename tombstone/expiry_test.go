package tombstone

import (
	"encoding/binary"
	"errors"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"oubliette/crypto"
	"oubliette/internal/codec"
	"oubliette/internal/fault"
)

// somePairs makes n pairs, ascending, with numbers below 1,000.
func somePairs(rng *rand.Rand, n int) []Tombstone {
	var out []Tombstone
	for _, tok := range Sort(uniform(rng, n)) {
		out = append(out, Tombstone{tok, 1 + rng.Uint64N(999)})
	}
	return out
}

func TestExpiryComesBackAsItWasWritten(t *testing.T) {
	rng := rand.New(rand.NewPCG(17, 18))
	for _, n := range []int{1, 2, 100, 10_000} {
		pairs := somePairs(rng, n)
		b := AppendExpiry([]byte("before"), pairs)
		if string(b[:6]) != "before" || len(b) != 6+ExpirySize(n) {
			t.Fatalf("record of %d tokens is not %d bytes behind the prefix", n, ExpirySize(n))
		}
		got, err := DecodeExpiry(b[6:], 999)
		clear(b)
		if err != nil || !slices.Equal(got, pairs) {
			t.Fatalf("%d tokens (PCG seed 17, 18): %v", n, err)
		}
	}
}

// rawExpiry is a record of any header and pairs, checked by nobody.
func rawExpiry(version, flags byte, count uint32, pairs ...Tombstone) []byte {
	b := binary.LittleEndian.AppendUint32([]byte{version, flags}, count)
	for _, p := range pairs {
		b = append(b, p.Token[:]...)
		b = binary.LittleEndian.AppendUint64(b, p.Seq)
	}
	return b
}

func TestDecodeExpiryNamesWhatIsWrong(t *testing.T) {
	a, b := Tombstone{crypto.Token{1}, 5}, Tombstone{crypto.Token{2}, 9}
	many := make([]Tombstone, MaxTokens+1)
	for i, tok := range skewed(8, len(many)) {
		many[i] = Tombstone{tok, 1}
	}
	tests := []struct {
		name   string
		record []byte
		want   string
		is     error
	}{
		{"nothing", nil, "offset 0", codec.ErrShort},
		{"version 0", rawExpiry(0, 0, 1, a), "version 0 does not exist", nil},
		{"newer version", rawExpiry(2, 0, 1, a), "version 2", fault.ErrNewer},
		{"newer version in another layout", []byte{9}, "version 9", fault.ErrNewer},
		{"flags", rawExpiry(1, 0x80, 1, a), "flags 0x80 at offset 1", nil},
		{"half a count", []byte{1, 0, 1, 0}, "offset 2", codec.ErrShort},
		{"no tokens", rawExpiry(1, 0, 0), "no tokens", nil},
		{"one token too few", rawExpiry(1, 0, 2, a), "count 2 at offset 2", nil},
		{"count out of all reason", rawExpiry(1, 0, 1<<32-1, a), "count 4294967295", nil},
		{"one token too many", rawExpiry(1, 0, 1, a, b), "24 bytes left over", nil},
		{"a byte too few", rawExpiry(1, 0, 1, a)[:29], "count 1 at offset 2", nil},
		{"a tombstone record", rawRecord(1, 0, 3, crypto.Token{1}, crypto.Token{2}, crypto.Token{3}), "count 3 at offset 2", nil},
		{"descending", rawExpiry(1, 0, 2, b, a), "token 1 at offset 30 is below", nil},
		{"duplicate", rawExpiry(1, 0, 2, a, Tombstone{a.Token, 6}), "token 1 at offset 30 repeats", nil},
		{"below nothing", rawExpiry(1, 0, 2, a, Tombstone{b.Token, 0}), "token 1 at offset 30 expires below 0", nil},
		{"of the future", rawExpiry(1, 0, 2, a, Tombstone{b.Token, 10}), "token 1 at offset 30 expires below 10, the record is numbered 9", nil},
		{"over the limit", rawExpiry(1, 0, MaxTokens+1, many...), "1000001 tokens, at most 1000000", nil},
	}
	for _, tt := range tests {
		pairs, err := DecodeExpiry(tt.record, 9)
		if err == nil || pairs != nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want an error with %q", tt.name, err, tt.want)
		}
		if tt.is != nil && !errors.Is(err, tt.is) {
			t.Errorf("%s: %v is not %v", tt.name, err, tt.is)
		}
		if tt.is != fault.ErrNewer && errors.Is(err, fault.ErrNewer) {
			t.Errorf("%s: called newer", tt.name)
		}
	}
	if got, err := DecodeExpiry(rawExpiry(1, 0, MaxTokens, many[1:]...), 9); err != nil || len(got) != MaxTokens {
		t.Errorf("the largest record: %d tokens, %v", len(got), err)
	}
}

func TestDecodeExpiryAllocatesNothingForAFalseCount(t *testing.T) {
	for _, count := range []uint32{MaxTokens, 1<<32 - 1} {
		b := rawExpiry(1, 0, count, Tombstone{crypto.Token{1}, 1})
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := DecodeExpiry(b, 9)
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; err == nil || got > 1<<16 {
			t.Fatalf("count %d in %d bytes: %d bytes allocated, error %v", count, len(b), got, err)
		}
	}
}

func TestAppendExpiryRefusesWhatNoDecoderTakes(t *testing.T) {
	tests := map[string][]Tombstone{
		"no tokens":  nil,
		"duplicate":  {{crypto.Token{1}, 1}, {crypto.Token{1}, 2}},
		"descending": {{crypto.Token{2}, 1}, {crypto.Token{1}, 2}},
		"number 0":   {{crypto.Token{1}, 0}},
		"too many":   make([]Tombstone, MaxTokens+1),
	}
	for name, pairs := range tests {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: a record was written", name)
				}
			}()
			AppendExpiry(nil, pairs)
		}()
	}
}

func TestAddEachKeepsTheHighestNumberOfAToken(t *testing.T) {
	rng := rand.New(rand.NewPCG(19, 20))
	set, want, every := NewSet(), model{}, make(map[Tombstone]bool)
	deleted := Sort(uniform(rng, 500))
	set.Add(7, slices.Clone(deleted))
	for range 30 {
		pairs := somePairs(rng, 1+rng.IntN(500))
		if len(want) > 10 { // some tokens again, with other numbers
			for i, old := range want.all()[:10] {
				pairs = append(pairs, Tombstone{old.Token, uint64(rng.IntN(2000)) + uint64(i)})
			}
		}
		given := slices.Clone(pairs)
		set.AddEach(pairs)
		if !slices.Equal(given, pairs) {
			t.Fatal("the slice was changed")
		}
		for _, p := range pairs {
			every[p] = true
			want.add(p.Seq, []crypto.Token{p.Token})
		}
	}
	all := every
	for _, s := range []*Set{set, Merge([]*Set{set}), Merge([]*Set{NewSet(), set})} {
		every = maps.Clone(all)
		now, has := s.Snapshot(), model{}
		for _, p := range now.Expired() {
			has.add(p.Seq, []crypto.Token{p.Token})
			delete(every, p)
		}
		if len(every) > 0 {
			t.Errorf("%d pairs are forgotten", len(every))
		}
		if !slices.Equal(has.all(), want.all()) || s.Len() != len(want)+len(deleted) {
			t.Errorf("%d tombstones that are not the %d of the model (PCG seed 19, 20)", s.Len(), len(want))
		}
		if all := now.All(); len(all) != len(deleted) || len(now.Again()) != 0 || all[0] != (Tombstone{deleted[0], 7}) {
			t.Errorf("%d deletes, %d deleted again: what has expired is among them", len(all), len(now.Again()))
		}
		for tok, seq := range want {
			if got, ok := s.Newest(tok); !ok || got != seq {
				t.Errorf("token %x: %d, want %d", tok, got, seq)
			}
		}
	}
	set.AddEach([]Tombstone{{deleted[0], 6}, {deleted[1], 8}})
	for i, want := range []uint64{7, 8, 7} {
		if got, _ := set.Newest(deleted[i]); got != want {
			t.Errorf("a token that was deleted below 7: %d, want %d", got, want)
		}
	}
}
