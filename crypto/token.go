package crypto

import (
	"crypto/hmac"
	"crypto/sha256"
	"hash"
	"runtime"
	"sync"
)

// Token stands for an id wherever the store must find it without naming it: a
// keyed pseudorandom function of the id, 16 bytes.
type Token [16]byte

// Tokenizer makes tokens under one index's id key. It is safe for concurrent
// use.
//
// The function is HMAC-SHA-256 truncated to 128 bits: a PRF by its proof
// (Bellare, CRYPTO 2006), and collision resistant also for somebody who holds
// the key (2^64 work), which matters because every writer does. For a short id
// it costs twice a bare SHA-256; BenchmarkToken prints both. A one-pass keyed
// hash would be cheaper, but the standard library's HMAC is reviewed, runs on
// the processor's SHA instructions, needs no module, and is not what limits a
// delete.
//
// A Tokenizer holds the key in forms that cannot be wiped: drop it to let the
// collector have it.
type Tokenizer struct{ pool sync.Pool }

type tokenHash struct {
	mac hash.Hash
	sum [sha256.Size]byte
	id  []byte
}

// NewTokenizer makes tokens under the id key.
func NewTokenizer(idKey Secret) *Tokenizer {
	t := new(Tokenizer)
	key := idKey.Clone()
	t.pool.New = func() any { return &tokenHash{mac: hmac.New(sha256.New, key.Reveal())} }
	return t
}

// Token is the token of one id.
func (t *Tokenizer) Token(id string) Token {
	h := t.pool.Get().(*tokenHash)
	tok := h.token(id)
	t.pool.Put(h)
	return tok
}

func (h *tokenHash) token(id string) (tok Token) {
	h.mac.Reset()
	h.id = append(h.id[:0], id...) // hash.Hash takes bytes; the buffer is reused
	h.mac.Write(h.id)
	copy(tok[:], h.mac.Sum(h.sum[:0]))
	return tok
}

// parallelTokens is from how many ids on Tokens uses more than one core.
const parallelTokens = 512

// Tokens are the tokens of ids, in their order.
func (t *Tokenizer) Tokens(ids []string) []Token {
	out := make([]Token, len(ids))
	workers := 1
	if len(ids) >= parallelTokens {
		workers = runtime.GOMAXPROCS(0)
	}
	var wg sync.WaitGroup
	for w := range workers {
		lo, hi := len(ids)*w/workers, len(ids)*(w+1)/workers
		if w == workers-1 {
			t.fill(out[lo:hi], ids[lo:hi])
			break
		}
		wg.Go(func() { t.fill(out[lo:hi], ids[lo:hi]) })
	}
	wg.Wait()
	return out
}

func (t *Tokenizer) fill(out []Token, ids []string) {
	h := t.pool.Get().(*tokenHash)
	for i, id := range ids {
		out[i] = h.token(id)
	}
	t.pool.Put(h)
}
