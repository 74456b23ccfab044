package crash

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"time"

	"oubliette/bench/store"
)

// version says which bytes an item has: with its id it is all that it takes to
// make the item again. The zero version is of no item.
type version struct {
	V       uint64
	Expires int64 // in milliseconds since 1970; 0: never
}

// gone: the item is not there at a moment for sure, in milliseconds since 1970.
func (v version) gone(at int64) bool { return v.V == 0 || v.Expires != 0 && v.Expires <= at }

// lives: it is there for sure.
func (v version) lives(at int64) bool { return v.V != 0 && (v.Expires == 0 || v.Expires > at) }

// Sizes of items: most fit on a page of any store, some do not.
const (
	itemDimension = 16
	itemContents  = 1500
	itemLarge     = 20_000
)

// makeItem makes the item of an id and a version.
func makeItem(id string, v version) store.Item {
	h := fnv.New64a()
	h.Write([]byte(id)) // never fails
	rnd := rand.New(rand.NewPCG(h.Sum64(), v.V))
	it := store.Item{ID: id}
	if rnd.IntN(8) > 0 {
		it.Vector = make([]float32, itemDimension)
		for i := range it.Vector {
			it.Vector[i] = math.Float32frombits(rnd.Uint32()) // any bits, NaNs too
		}
	}
	size := rnd.IntN(itemContents)
	if rnd.IntN(16) == 0 {
		size = rnd.IntN(itemLarge)
	}
	it.Contents = make([]byte, size)
	for i := range it.Contents {
		it.Contents[i] = byte(rnd.Uint32())
	}
	it.Metadata = fmt.Appendf(nil, `{"v":%d,"n":"%x"}`, v.V, make([]byte, rnd.IntN(40)))
	if v.Expires != 0 {
		it.ExpiresAt = time.UnixMilli(v.Expires)
	}
	return it
}

// versionOf reads which version an item says that it is.
func versionOf(it *store.Item) (v version) {
	var m struct{ V uint64 }
	if json.Unmarshal(it.Metadata, &m) == nil {
		v.V = m.V
	}
	if !it.ExpiresAt.IsZero() {
		v.Expires = it.ExpiresAt.UnixMilli()
	}
	return v
}

// canon is all of an item as one string: two items are equal, bit for bit, when
// their canons are. A field that is empty and one that is not there are one.
func canon(it *store.Item) string {
	b := appendField(nil, []byte(it.ID))
	vector := make([]byte, 0, 4*len(it.Vector))
	for _, x := range it.Vector {
		vector = binary.LittleEndian.AppendUint32(vector, math.Float32bits(x))
	}
	b = appendField(b, vector)
	b = appendField(b, it.Contents)
	b = appendField(b, it.Metadata)
	return string(binary.LittleEndian.AppendUint64(b, uint64(versionOf(it).Expires)))
}

func appendField(b, field []byte) []byte {
	return append(binary.LittleEndian.AppendUint32(b, uint32(len(field))), field...)
}
