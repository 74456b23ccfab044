package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// haystack writes a file of size bytes that has needle at off.
func haystack(t *testing.T, size, off int, needle []byte) string {
	t.Helper()
	dir := t.TempDir()
	b := bytes.Repeat([]byte{0xA5}, size)
	copy(b[off:], needle)
	if err := os.WriteFile(filepath.Join(dir, "hay"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func random(n int, seed uint64) []byte {
	b := make([]byte, n)
	newMaker(shape{}, seed).fast.Read(b)
	return b
}

func TestSearchFindsAPieceWhereverItStands(t *testing.T) {
	needle := random(pieceSize, 1)
	n := newNeedles()
	n.add(needle)
	const window = 1 << 20
	for _, off := range []int{0, 1, 4095, window - pieceSize, window - pieceSize + 1, window - 1, window, 2*window - 20, 3*window - pieceSize} {
		found, err := n.search(haystack(t, 3*window, off, needle))
		if err != nil || found != 1 {
			t.Errorf("at offset %d: found %d, %v, want 1", off, found, err)
		}
	}
}

func TestSearchFindsNothingWhereAByteDiffers(t *testing.T) {
	needle := random(pieceSize, 1)
	n := newNeedles()
	n.add(needle)
	for _, i := range []int{0, 7, 8, pieceSize - 1} {
		other := bytes.Clone(needle)
		other[i] ^= 1
		if found, err := n.search(haystack(t, 4096, 100, other)); err != nil || found != 0 {
			t.Errorf("byte %d altered: found %d, %v, want 0", i, found, err)
		}
	}
}

func TestSearchCountsAPieceOnce(t *testing.T) {
	written := random(10*pieceStep, 2)
	n := newNeedles()
	n.add(written)
	if n.count != 10 {
		t.Fatalf("%d pieces, want 10", n.count)
	}
	dir := haystack(t, 64<<10, 999, append(bytes.Clone(written), written...))
	if found, err := n.search(dir); err != nil || found != 10 {
		t.Errorf("found %d, %v, want 10", found, err)
	}
}

func TestZerosAreNoPiece(t *testing.T) {
	n := newNeedles()
	n.add(make([]byte, 4096))
	if n.count != 0 {
		t.Errorf("%d pieces of zeros", n.count)
	}
}
