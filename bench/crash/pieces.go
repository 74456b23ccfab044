package crash

import (
	"encoding/binary"
	"math"

	"oubliette/bench/store"
)

const (
	pieceSize = 32  // bytes; so many random ones do not come twice by chance
	pieceStep = 256 // from the beginning of one to the next
	pieceMin  = 16  // a shorter run of bytes is left out
)

// appendPieces appends what is searched for of a run of bytes: a piece in each
// 256 bytes, and its end. What is the same byte all over proves nothing.
func appendPieces(out [][]byte, run []byte) [][]byte {
	if len(run) < pieceMin {
		return out
	}
	size := min(pieceSize, len(run))
	for at := 0; at+size < len(run); at += pieceStep {
		out = appendPiece(out, run[at:at+size])
	}
	return appendPiece(out, run[len(run)-size:])
}

func appendPiece(out [][]byte, p []byte) [][]byte {
	for _, b := range p {
		if b != p[0] {
			return append(out, p)
		}
	}
	return out
}

// plainPieces are those of an item as it is, for a store that cannot say what
// it makes of it.
func plainPieces(out [][]byte, it *store.Item) [][]byte {
	vector := make([]byte, 0, 4*len(it.Vector))
	for _, x := range it.Vector {
		vector = binary.LittleEndian.AppendUint32(vector, math.Float32bits(x))
	}
	return appendPieces(appendPieces(out, vector), it.Contents)
}
