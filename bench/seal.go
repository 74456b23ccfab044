package main

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"

	"golang.org/x/crypto/chacha20poly1305"
)

// sealer seals a peer's values under one random key, as somebody would who puts
// encryption at rest on top of a store. The nonce is a counter and stands in
// front of the sealed value; the key's name is the associated data. The key
// lives as long as the run, so no nonce comes twice under it.
type sealer struct {
	aead cipher.AEAD
	next atomic.Uint64
}

func newSealer() *sealer {
	key := make([]byte, chacha20poly1305.KeySize)
	rand.Read(key) // never fails
	aead, err := chacha20poly1305.New(key)
	if err != nil {
		panic("a key of 32 bytes: " + err.Error())
	}
	return &sealer{aead: aead}
}

func (s *sealer) seal(name, plain []byte) []byte {
	out := make([]byte, chacha20poly1305.NonceSize, chacha20poly1305.NonceSize+len(plain)+chacha20poly1305.Overhead)
	binary.LittleEndian.PutUint64(out, s.next.Add(1))
	return s.aead.Seal(out, out, plain, name)
}

var errSealed = errors.New("sealed value is shorter than its nonce")

func (s *sealer) open(name, sealed []byte) ([]byte, error) {
	if len(sealed) < chacha20poly1305.NonceSize {
		return nil, errSealed
	}
	return s.aead.Open(nil, sealed[:chacha20poly1305.NonceSize], sealed[chacha20poly1305.NonceSize:], name)
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
