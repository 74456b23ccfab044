package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	pieceSize = 32 // bytes of a piece; random ones do not come twice by chance
	pieceStep = 64 // between the beginnings of two pieces
)

// needles are pieces of bytes that were noted on their way to the disk, to be
// searched for in files later. They are found by their first eight bytes: a
// bitmap over a part of those keeps the search from looking at every offset
// twice.
type needles struct {
	maybe  []uint64 // bitmap over the lowest 24 bits
	pieces map[uint64][][pieceSize]byte
	count  int
}

func newNeedles() *needles {
	return &needles{maybe: make([]uint64, 1<<24/64), pieces: make(map[uint64][][pieceSize]byte)}
}

// add cuts pieces out of b. Whatever is all zeros is no piece: it proves
// nothing.
func (n *needles) add(b []byte) {
	for ; len(b) >= pieceSize; b = b[min(len(b), pieceStep):] {
		p := [pieceSize]byte(b)
		if p == ([pieceSize]byte{}) {
			continue
		}
		key := binary.LittleEndian.Uint64(b)
		n.maybe[key&(1<<24-1)/64] |= 1 << (key % 64)
		n.pieces[key] = append(n.pieces[key], p)
		n.count++
	}
}

// search answers how many of the pieces are in a file below dir, each counted
// once.
func (n *needles) search(dir string) (int, error) {
	found := make(map[[pieceSize]byte]bool)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		return n.searchFile(path, found)
	})
	return len(found), err
}

func (n *needles) searchFile(path string, found map[[pieceSize]byte]bool) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // removed meanwhile
	}
	if err != nil {
		return err
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 1<<20)
	for {
		window, err := r.Peek(1 << 20) // fewer come with an error
		n.searchBytes(window, found)
		if err != nil {
			if err == io.EOF {
				err = nil
			}
			return err
		}
		if _, err := r.Discard(len(window) - pieceSize + 1); err != nil { // the rest may begin a piece
			return err
		}
	}
}

func (n *needles) searchBytes(b []byte, found map[[pieceSize]byte]bool) {
	for ; len(b) >= pieceSize; b = b[1:] {
		key := binary.LittleEndian.Uint64(b)
		if n.maybe[key&(1<<24-1)/64]&(1<<(key%64)) == 0 {
			continue
		}
		for _, p := range n.pieces[key] {
			if p == [pieceSize]byte(b) {
				found[p] = true
			}
		}
	}
}
