package peers

import (
	"encoding/binary"
	"errors"
	"math"
	"strings"

	"oubliette/bench/store"
)

// Item is what every store holds.
type Item = store.Item

// layout says how an item is laid out over keys.
type layout interface {
	// parts are an item's keys and values in the clear.
	parts(it *Item) []part
	// keys are the keys of an id, in the order of parts.
	keys(id string) [][]byte
	// of is the id that a key is one of, and its place among keys.
	of(key []byte) (id string, place int)
	// item puts an item together from its values, in the order of keys.
	item(values [][]byte) (Item, error)
}

type part struct{ key, value []byte }

var errLayout = errors.New("value ends inside a field")

// oneKey is one key an item: the value is id, vector, contents and metadata,
// each behind its length.
type oneKey struct{}

func (oneKey) keys(id string) [][]byte { return [][]byte{[]byte(id)} }

func (oneKey) of(key []byte) (string, int) { return string(key), 0 }

func (oneKey) parts(it *Item) []part {
	b := make([]byte, 0, 16+len(it.ID)+4*len(it.Vector)+len(it.Contents)+len(it.Metadata))
	b = appendBlob(b, it.ID)
	b = binary.LittleEndian.AppendUint32(b, uint32(4*len(it.Vector)))
	b = appendVector(b, it.Vector)
	b = appendBlob(b, it.Contents)
	b = appendBlob(b, it.Metadata)
	return []part{{[]byte(it.ID), b}}
}

func (oneKey) item(values [][]byte) (it Item, err error) {
	var f [4][]byte
	rest := values[0]
	for i := range f {
		if f[i], rest, err = blob(rest); err != nil {
			return Item{}, err
		}
	}
	return Item{ID: string(f[0]), Vector: vector(f[1]), Contents: f[2], Metadata: f[3]}, nil
}

// threeKeys is three keys an item: vector, contents, head (id and metadata).
type threeKeys struct{}

// threeTails are how the keys end, in order.
const threeTails = "vch"

func (threeKeys) keys(id string) [][]byte {
	return [][]byte{[]byte(id + "\x00v"), []byte(id + "\x00c"), []byte(id + "\x00h")}
}

func (threeKeys) of(key []byte) (string, int) {
	if len(key) < 2 {
		return string(key), -1
	}
	n := len(key) - 2
	return string(key[:n]), strings.IndexByte(threeTails, key[n+1])
}

func (l threeKeys) parts(it *Item) []part {
	k := l.keys(it.ID)
	head := make([]byte, 0, 8+len(it.ID)+len(it.Metadata))
	head = appendBlob(appendBlob(head, it.ID), it.Metadata)
	return []part{{k[0], appendVector(make([]byte, 0, 4*len(it.Vector)), it.Vector)}, {k[1], it.Contents}, {k[2], head}}
}

func (threeKeys) item(values [][]byte) (Item, error) {
	id, rest, err := blob(values[2])
	if err != nil {
		return Item{}, err
	}
	metadata, _, err := blob(rest)
	return Item{ID: string(id), Vector: vector(values[0]), Contents: values[1], Metadata: metadata}, err
}

func appendBlob[T ~string | ~[]byte](b []byte, x T) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(len(x)))
	return append(b, x...)
}

// blob answers the first field of b and what is behind it.
func blob(b []byte) (field, rest []byte, err error) {
	if len(b) < 4 {
		return nil, nil, errLayout
	}
	n := binary.LittleEndian.Uint32(b)
	if uint64(n) > uint64(len(b)-4) {
		return nil, nil, errLayout
	}
	return b[4 : 4+n], b[4+n:], nil
}

func appendVector(b []byte, v []float32) []byte {
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}

func vector(b []byte) []float32 {
	v := make([]float32, len(b)/4)
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return v
}
