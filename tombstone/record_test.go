package tombstone

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"oubliette/crypto"
	"oubliette/internal/codec"
	"oubliette/internal/fault"
)

func TestRecordComesBackAsItWasWritten(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for _, n := range []int{1, 2, 100, 10_000} {
		tokens := Sort(uniform(rng, n))
		prefix := []byte("before")
		b := AppendRecord(prefix, tokens)
		if string(b[:6]) != "before" || len(b) != len(prefix)+RecordSize(n) {
			t.Fatalf("record of %d tokens is not %d bytes behind the prefix", n, RecordSize(n))
		}
		got, err := DecodeRecord(b[6:])
		if err != nil || !slices.Equal(got, tokens) {
			t.Fatalf("%d tokens (PCG seed 7, 8): %v", n, err)
		}
		clear(b)
		if !slices.Equal(got, tokens) {
			t.Fatal("the tokens alias the record")
		}
	}
}

func TestLargestRecordIsAccepted(t *testing.T) {
	b := AppendRecord(nil, skewed(8, MaxTokens))
	if tokens, err := DecodeRecord(b); err != nil || len(tokens) != MaxTokens {
		t.Fatalf("%d tokens: %v", len(tokens), err)
	}
}

// rawRecord is a record of any header and tokens, checked by nobody.
func rawRecord(version, flags byte, count uint32, tokens ...crypto.Token) []byte {
	b := binary.LittleEndian.AppendUint32([]byte{version, flags}, count)
	for _, t := range tokens {
		b = append(b, t[:]...)
	}
	return b
}

func TestDecodeRecordNamesWhatIsWrong(t *testing.T) {
	a, b := crypto.Token{1}, crypto.Token{2}
	tests := []struct {
		name   string
		record []byte
		want   string
		is     error
	}{
		{"nothing", nil, "offset 0", codec.ErrShort},
		{"version 0", rawRecord(0, 0, 1, a), "version 0 does not exist", nil},
		{"newer version", rawRecord(2, 0, 1, a), "version 2", fault.ErrNewer},
		{"newer version in another layout", []byte{9}, "version 9", fault.ErrNewer},
		{"flags", rawRecord(1, 0x80, 1, a), "flags 0x80 at offset 1", nil},
		{"no flags", []byte{1}, "offset 1", codec.ErrShort},
		{"half a count", []byte{1, 0, 1, 0}, "offset 2", codec.ErrShort},
		{"no tokens", rawRecord(1, 0, 0), "no tokens", nil},
		{"no tokens, one there", rawRecord(1, 0, 0, a), "16 bytes left over", nil},
		{"one token too few", rawRecord(1, 0, 2, a), "count 2 at offset 2", nil},
		{"count out of all reason", rawRecord(1, 0, 1<<32-1, a), "count 4294967295", nil},
		{"one token too many", rawRecord(1, 0, 1, a, b), "16 bytes left over", nil},
		{"a byte too many", append(rawRecord(1, 0, 1, a), 0), "1 bytes left over", nil},
		{"a byte too few", rawRecord(1, 0, 1, a)[:21], "count 1 at offset 2", nil},
		{"descending", rawRecord(1, 0, 2, b, a), "token 1 at offset 22 is below", nil},
		{"duplicate", rawRecord(1, 0, 2, a, a), "token 1 at offset 22 repeats", nil},
		{"over the limit", rawRecord(1, 0, MaxTokens+1, skewed(8, MaxTokens+1)...), "1000001 tokens, at most 1000000", nil},
	}
	for _, tt := range tests {
		tokens, err := DecodeRecord(tt.record)
		if err == nil || tokens != nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want an error with %q", tt.name, err, tt.want)
		}
		if tt.is != nil && !errors.Is(err, tt.is) {
			t.Errorf("%s: %v is not %v", tt.name, err, tt.is)
		}
		if tt.is != fault.ErrNewer && errors.Is(err, fault.ErrNewer) {
			t.Errorf("%s: called newer", tt.name)
		}
	}
}

func TestDecodeRecordAllocatesNothingForAFalseCount(t *testing.T) {
	for _, count := range []uint32{MaxTokens, 1<<32 - 1} {
		b := rawRecord(1, 0, count, crypto.Token{1})
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := DecodeRecord(b)
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; err == nil || got > 1<<16 {
			t.Fatalf("count %d in %d bytes: %d bytes allocated, error %v", count, len(b), got, err)
		}
	}
}

func TestAppendRecordRefusesWhatNoDecoderTakes(t *testing.T) {
	tests := map[string][]crypto.Token{
		"no tokens":  nil,
		"duplicate":  {{1}, {1}},
		"descending": {{2}, {1}},
		"too many":   skewed(8, MaxTokens+1),
	}
	for name, tokens := range tests {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: a record was written", name)
				}
			}()
			AppendRecord(nil, tokens)
		}()
	}
}
