package items

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"oubliette/bench/store"
	"oubliette/engine"
)

// FVecs reads vectors in the fvecs format of the TEXMEX collections: each is its
// dimension as a little-endian int32, then as many little-endian float32. All have
// one dimension. An item has a vector's number as its id, and neither contents nor
// metadata: the file has none. It answers the first max.
func FVecs(path string, max int) ([]store.Item, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := &fvecs{in: bufio.NewReaderSize(f, 1<<20)}
	var out []store.Item
	for {
		v, err := r.next(len(out) < max)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%s, vector %d at byte %d: %w", path, r.number, r.at, err)
		}
		if v != nil {
			out = append(out, store.Item{ID: fmt.Sprintf("vector-%09d", r.number-1), Vector: v})
		}
	}
	if r.number == 0 {
		return nil, fmt.Errorf("%s: no vector in it", path)
	}
	return out, nil
}

// fvecs is a file on its way.
type fvecs struct {
	in        *bufio.Reader
	dimension int // of all vectors; 0: none has come yet
	number    int // vectors read, from 1 on
	at        int64
}

// next answers the next vector, or nil where it is only looked at, and io.EOF behind
// the last.
func (r *fvecs) next(keep bool) ([]float32, error) {
	var head [4]byte
	if _, err := io.ReadFull(r.in, head[:]); err != nil {
		if !errors.Is(err, io.EOF) {
			r.begin()
			err = cutShort(err)
		}
		return nil, err
	}
	r.begin()
	n := binary.LittleEndian.Uint32(head[:])
	if n == 0 || n > engine.MaxDimension {
		return nil, fmt.Errorf("it says %d dimensions, allowed are 1 to %d", n, engine.MaxDimension)
	}
	if r.number > 1 && int(n) != r.dimension {
		return nil, fmt.Errorf("it has %d dimensions, those before have %d", n, r.dimension)
	}
	r.dimension = int(n)
	if !keep {
		_, err := r.in.Discard(4 * r.dimension)
		return nil, cutShort(err)
	}
	b := make([]byte, 4*r.dimension)
	if _, err := io.ReadFull(r.in, b); err != nil {
		return nil, cutShort(err)
	}
	v := make([]float32, r.dimension)
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return v, nil
}

// begin notes where the vector begins that is read now.
func (r *fvecs) begin() {
	if r.number > 0 {
		r.at += 4 + 4*int64(r.dimension)
	}
	r.number++
}

// cutShort says what the end of a file inside a vector is.
func cutShort(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the file ends inside of it")
	}
	return err
}
