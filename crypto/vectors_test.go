package crypto

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// hexBytes are bytes that stand in a vector file as hexadecimal digits.
type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

// load reads a file of vectors; each says in "origin" where it is from.
func load[T any](t testing.TB, name string) (v T) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return v
}

func secret(t testing.TB, b []byte) Secret {
	t.Helper()
	s, err := SecretFromBytes(b)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func fill(b byte) (a [32]byte) {
	for i := range a {
		a[i] = b
	}
	return a
}

// flips calls f with a copy of b for every single bit flipped in it, or, when b
// is longer than 256 bytes, for one bit of every byte and all bits of the first
// and last 128.
func flips(b []byte, f func(byteAt int, flipped []byte)) {
	for i := range b {
		for bit := range 8 {
			if len(b) > 256 && i >= 128 && i < len(b)-128 && bit != i%8 {
				continue
			}
			c := append([]byte(nil), b...)
			c[i] ^= 1 << bit
			f(i, c)
		}
	}
}
