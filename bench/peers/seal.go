package peers

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"math"
	"runtime"
	"sync"
	"sync/atomic"

	"golang.org/x/crypto/chacha20poly1305"
)

// sealer seals a peer's values under one key, as somebody would who puts
// encryption at rest on top of a store. The nonce stands in front of the sealed
// value; the key's name is the associated data.
//
// A nonce is eight random bytes, drawn when the sealer is made, and a counter:
// the key outlives the process, and who opens a store again does not know how
// far the last one has counted. That two of n sealers of a key draw the same
// bytes has a chance of n²/2⁶⁵.
type sealer struct {
	aead  cipher.AEAD
	drawn [8]byte
	next  atomic.Uint64
}

func newSealer(key [chacha20poly1305.KeySize]byte) *sealer {
	aead, err := chacha20poly1305.New(key[:])
	if err != nil {
		panic("a key of 32 bytes: " + err.Error())
	}
	s := &sealer{aead: aead}
	rand.Read(s.drawn[:]) // never fails
	return s
}

func (s *sealer) seal(name, plain []byte) []byte {
	n := s.next.Add(1)
	if n > math.MaxUint32 {
		panic("one sealer has sealed 2³² values")
	}
	out := make([]byte, chacha20poly1305.NonceSize, chacha20poly1305.NonceSize+len(plain)+chacha20poly1305.Overhead)
	copy(out, s.drawn[:])
	binary.LittleEndian.PutUint32(out[len(s.drawn):], uint32(n))
	return s.aead.Seal(out, out, plain, name)
}

var errSealed = errors.New("sealed value is shorter than its nonce")

func (s *sealer) open(name, sealed []byte) ([]byte, error) {
	if len(sealed) < chacha20poly1305.NonceSize {
		return nil, errSealed
	}
	return s.aead.Open(nil, sealed[:chacha20poly1305.NonceSize], sealed[chacha20poly1305.NonceSize:], name)
}

// sealAll answers the keys of items with their sealed values, laid out by l. It
// seals on all cores.
func (s *sealer) sealAll(l layout, items []Item) []part {
	sealed := make([][]part, len(items))
	inParallel(len(items), func(i int) {
		parts := l.parts(&items[i])
		for k := range parts {
			parts[k].value = s.seal(parts[k].key, parts[k].value)
		}
		sealed[i] = parts
	})
	var out []part
	for _, parts := range sealed {
		out = append(out, parts...)
	}
	return out
}

// openOne opens an item that is kept under one key.
func (s *sealer) openOne(key, sealed []byte) (Item, error) {
	plain, err := s.open(key, sealed)
	if err != nil {
		return Item{}, err
	}
	return oneKey{}.item([][]byte{plain})
}

// inParallel calls do for 0 to n-1, on all cores when that is worth it.
func inParallel(n int, do func(i int)) {
	workers := min(runtime.GOMAXPROCS(0), max(1, n/8))
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := n * w / workers; i < n*(w+1)/workers; i++ {
				do(i)
			}
		})
	}
	wg.Wait()
}
