package segment

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"oubliette/crypto"
)

// Row is one item, compressed and framed, ready to be sealed. It owns its
// bytes. The zero value is no row.
type Row struct {
	buf  []byte            // the frames, one behind the other
	size [NumFields]uint32 // of each frame; 0: absent
}

// SealedSize is how many bytes the row takes on disk.
func (r Row) SealedSize() int {
	n := len(r.buf)
	for _, s := range r.size {
		if s != 0 {
			n += crypto.Overhead
		}
	}
	return n
}

// headOverhead: id length u16 and presence of metadata u8.
const headOverhead = 3

// maxScratch is how large a buffer may be that goes back to a pool.
const maxScratch = 4 << 20

// scratch is what Prepare and the readers work in between two allocations that
// the caller keeps.
type scratch struct{ raw, out []byte }

var scratches = sync.Pool{New: func() any { return new(scratch) }}

func (s *scratch) free() {
	if cap(s.raw) <= maxScratch && cap(s.out) <= maxScratch {
		scratches.Put(s)
	}
}

// Prepare compresses and frames an item's fields. Nil is an absent field; empty
// but not nil is a present, empty one. A vector is kept bit for bit, NaN
// payloads included. What exceeds the limits of this package is refused.
func Prepare(id string, vector []float32, contents, metadata []byte) (Row, error) {
	if err := checkItem(id, vector, contents, metadata); err != nil {
		return Row{}, err
	}
	s := scratches.Get().(*scratch)
	defer s.free()
	var r Row
	s.out = s.out[:0]
	if vector != nil {
		s.raw = appendVector(s.raw[:0], vector)
		r.add(s, Vector, s.raw)
	}
	if contents != nil {
		r.add(s, Contents, contents)
	}
	s.raw = appendHead(s.raw[:0], id, metadata)
	r.add(s, Head, s.raw)
	r.buf = bytes.Clone(s.out)
	return r, nil
}

func (r *Row) add(s *scratch, f Field, raw []byte) {
	start := len(s.out)
	s.out = appendFrame(s.out, raw, f)
	r.size[f] = uint32(len(s.out) - start)
}

func checkItem(id string, vector []float32, contents, metadata []byte) error {
	switch {
	case id == "":
		return errors.New("empty id")
	case len(id) > MaxID:
		return fmt.Errorf("id of %d bytes, at most %d allowed", len(id), MaxID)
	case len(vector) > MaxDimension:
		return fmt.Errorf("vector of %d dimensions, at most %d allowed", len(vector), MaxDimension)
	case len(contents) > MaxContents:
		return fmt.Errorf("contents of %d bytes, at most %d allowed", len(contents), MaxContents)
	case len(metadata) > MaxMetadata:
		return fmt.Errorf("metadata of %d bytes, at most %d allowed", len(metadata), MaxMetadata)
	}
	return nil
}

func appendVector(dst []byte, v []float32) []byte {
	n := len(dst)
	dst = slices.Grow(dst, 4*len(v))[:n+4*len(v)]
	for i, x := range v {
		binary.LittleEndian.PutUint32(dst[n+4*i:], math.Float32bits(x))
	}
	return dst
}

func parseVector(b []byte) ([]float32, error) {
	if len(b)%4 != 0 {
		return nil, fmt.Errorf("vector of %d bytes is no whole number of float32", len(b))
	}
	v := make([]float32, len(b)/4)
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return v, nil
}

func appendHead(dst []byte, id string, metadata []byte) []byte {
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(id)))
	dst = append(dst, id...)
	if metadata == nil {
		return append(dst, 0)
	}
	return append(append(dst, 1), metadata...)
}

// parseHead takes a head apart; both parts alias it. Metadata is nil when it is
// absent.
func parseHead(b []byte) (id, metadata []byte, err error) {
	if len(b) < headOverhead {
		return nil, nil, fmt.Errorf("head of %d bytes, at least %d needed", len(b), headOverhead)
	}
	n := int(binary.LittleEndian.Uint16(b))
	if n == 0 || n > MaxID || n > len(b)-headOverhead {
		return nil, nil, fmt.Errorf("id of %d bytes in a head of %d", n, len(b))
	}
	id, present, rest := b[2:2+n], b[2+n], b[headOverhead+n:]
	switch {
	case present == 0 && len(rest) == 0:
		return id, nil, nil
	case present == 1 && len(rest) <= MaxMetadata:
		return id, rest, nil
	}
	return nil, nil, fmt.Errorf("metadata of %d bytes with presence %d", len(rest), present)
}
