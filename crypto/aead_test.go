package crypto

import (
	"bytes"
	"testing"
)

func TestAEADGivesRFC8439(t *testing.T) {
	v := load[struct{ Key, Nonce, AAD, Plaintext, Ciphertext, Tag hexBytes }](t, "rfc8439.json")
	a := NewAEAD(secret(t, v.Key))
	if a.Overhead() != Overhead || a.NonceSize() != NonceSize {
		t.Fatalf("overhead %d and nonce %d", a.Overhead(), a.NonceSize())
	}
	want := append(bytes.Clone(v.Ciphertext), v.Tag...)
	if got := a.Seal(nil, v.Nonce, v.Plaintext, v.AAD); !bytes.Equal(got, want) {
		t.Errorf("%x, want %x", got, want)
	}
}

func TestCounterNonceIsLittleEndianAndNeverRepeats(t *testing.T) {
	if got, want := CounterNonce(0x0102030405060708), [NonceSize]byte{8, 7, 6, 5, 4, 3, 2, 1}; got != want {
		t.Errorf("%x, want %x", got, want)
	}
	seen := map[[NonceSize]byte]uint64{}
	for bit := range 64 {
		for _, n := range []uint64{1<<bit - 1, 1 << bit} {
			if m, ok := seen[CounterNonce(n)]; ok && m != n {
				t.Errorf("%d and %d share a nonce", n, m)
			}
			seen[CounterNonce(n)] = n
		}
	}
}
