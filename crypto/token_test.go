package crypto

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"sync"
	"testing"
)

// The function under the tokens is the HMAC-SHA-256 of RFC 4231.
func TestHMACGivesRFC4231(t *testing.T) {
	v := load[struct {
		Cases []struct{ Key, Data, HMAC hexBytes }
	}](t, "rfc4231.json")
	for i, c := range v.Cases {
		h := &tokenHash{mac: hmac.New(sha256.New, c.Key)}
		tok := h.token(string(c.Data))
		if !bytes.Equal(h.sum[:], c.HMAC) || !bytes.Equal(tok[:], c.HMAC[:16]) {
			t.Errorf("case %d: %x and token %x, want %x", i, h.sum, tok, c.HMAC)
		}
	}
}

func TestTokenGivesTheVectors(t *testing.T) {
	v := load[struct {
		Cases []struct{ Key, ID, Token hexBytes }
	}](t, "token.json")
	for i, c := range v.Cases {
		got := NewTokenizer(secret(t, c.Key)).Token(string(c.ID))
		if !bytes.Equal(got[:], c.Token) {
			t.Errorf("case %d, id %.20q: %x, want %x", i, c.ID, got, c.Token)
		}
	}
}

func ids(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("item-%017d", i)
	}
	return out
}

func TestTokensInParallelEqualTokensOneByOne(t *testing.T) {
	tok := NewTokenizer(NewSecret())
	for _, n := range []int{0, 1, 2, parallelTokens - 1, parallelTokens, parallelTokens + 1, 10_007} {
		in := ids(n)
		got := tok.Tokens(in)
		if len(got) != n {
			t.Fatalf("%d tokens of %d ids", len(got), n)
		}
		for i, id := range in {
			if want := tok.Token(id); got[i] != want {
				t.Fatalf("of %d ids, number %d: %x, want %x", n, i, got[i], want)
			}
		}
	}
}

func TestTokenizerServesManyGoroutines(t *testing.T) {
	key := NewSecret()
	tok := NewTokenizer(key)
	in := ids(300)
	want := NewTokenizer(key).Tokens(in)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for round := range 5 {
				i := (g*37 + round*61) % len(in)
				if got := tok.Token(in[i]); got != want[i] {
					t.Errorf("goroutine %d: %s: %x, want %x", g, in[i], got, want[i])
				}
				if got := tok.Tokens(in); got[i] != want[i] {
					t.Errorf("goroutine %d: Tokens differ at %d", g, i)
				}
			}
		})
	}
	wg.Wait()
}

func TestTokenizerOutlivesTheSecretItWasGiven(t *testing.T) {
	key := NewSecret()
	want := NewTokenizer(key.Clone()).Token("a")
	tok := NewTokenizer(key)
	key.Wipe()
	if got := tok.Token("a"); got != want {
		t.Error("wiping the caller's key changed the tokens")
	}
}

func TestTokenDoesNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("sync.Pool drops what it is given at random under the race detector")
	}
	tok := NewTokenizer(NewSecret())
	tok.Token("item-00000000000000001")
	if n := testing.AllocsPerRun(200, func() { tok.Token("item-00000000000000001") }); n >= 1 {
		t.Errorf("%v allocations a token", n)
	}
}
