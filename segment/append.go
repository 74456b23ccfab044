package segment

import (
	"fmt"
	"runtime"
	"sync"

	"oubliette/crypto"
)

const (
	// maxChunk is how much one physical write takes at most, unless a single
	// field is longer; minChunk is what a core is given at least.
	maxChunk = 4 << 20
	minChunk = 256 << 10
	// parallelSeal is from how many bytes on a call seals on all cores.
	parallelSeal = 1 << 20
)

// Append seals rows and writes them; their order is that of their row numbers.
// It is durable after [Writer.Sync].
//
// Row numbers and one contiguous space are reserved first, under a short lock.
// Sealing and writing happen outside of it, so that concurrent calls seal side
// by side and may reach the disk in any order. A crash, or an error, leaves any
// part of the space written: the caller, who has no pointer to it, counts the
// whole reservation as dead.
func (w *Writer) Append(rows []Row) ([]Pointer, error) {
	if len(rows) == 0 {
		return nil, w.Err()
	}
	var size uint64
	for i := range rows {
		if rows[i].size[Head] == 0 {
			return nil, fmt.Errorf("row %d of the call was not prepared", i)
		}
		size += uint64(rows[i].SealedSize())
	}
	first, off, err := w.reserve(len(rows), size)
	if err != nil {
		return nil, err
	}
	defer w.arrived(off)
	c := &cutter{rows: rows, ptrs: place(rows, first, off), off: off}
	w.sealAll(c, size)
	if err := w.Err(); err != nil {
		return nil, err
	}
	return c.ptrs, nil
}

// place lays the rows out side by side.
func place(rows []Row, first uint32, off uint64) []Pointer {
	ptrs := make([]Pointer, len(rows))
	for i := range rows {
		p := &ptrs[i]
		p.Row, p.Offset = first+uint32(i), off
		for f, n := range rows[i].size {
			if n != 0 {
				p.Len[f] = n + crypto.Overhead
			}
		}
		off += p.size()
	}
	return ptrs
}

// sealAll works the chunks off on one core, or on all for a big call.
func (w *Writer) sealAll(c *cutter, size uint64) {
	workers := 1
	if size >= parallelSeal {
		workers = runtime.GOMAXPROCS(0)
	}
	c.target = int(min(maxChunk, max(minChunk, size/uint64(workers))))
	var wg sync.WaitGroup
	for range workers - 1 {
		wg.Go(func() { w.sealChunks(c) })
	}
	w.sealChunks(c)
	wg.Wait()
}

// chunk is a run of fields that one write takes. Fields are counted through all
// rows of the call: field f of row i is number i*NumFields+f.
type chunk struct {
	lo, hi int
	off    uint64
	size   int
}

// cutter hands out the chunks of one call, in order.
type cutter struct {
	rows   []Row
	ptrs   []Pointer
	target int

	mu   sync.Mutex // guards next and off
	next int
	off  uint64
}

func (c *cutter) cut() (chunk, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ch := chunk{lo: c.next, off: c.off}
	for ; c.next < len(c.ptrs)*NumFields; c.next++ {
		n := int(c.ptrs[c.next/NumFields].Len[c.next%NumFields])
		if ch.size != 0 && ch.size+n > c.target {
			break
		}
		ch.size += n
	}
	ch.hi = c.next
	c.off += uint64(ch.size)
	return ch, ch.size != 0
}

var chunkBuffers = sync.Pool{New: func() any { return new([]byte) }}

func (w *Writer) sealChunks(c *cutter) {
	s := sealers.Get().(*sealer)
	defer sealers.Put(s)
	buf := chunkBuffers.Get().(*[]byte)
	for ch, ok := c.cut(); ok && w.Err() == nil; ch, ok = c.cut() {
		*buf = sized(*buf, ch.size)
		w.sealChunk(s, c, ch, (*buf)[:0])
		w.write(*buf, ch.off)
	}
	if cap(*buf) <= maxChunk {
		chunkBuffers.Put(buf)
	}
}

// sealChunk seals the chunk's fields into dst, which has room for them, and
// notes their commitments. Nobody else touches these fields' commitments.
func (w *Writer) sealChunk(s *sealer, c *cutter, ch chunk, dst []byte) {
	for k := ch.lo; k < ch.hi; k++ {
		i, f := k/NumFields, Field(k%NumFields)
		plain := c.rows[i].frame(f)
		if plain == nil {
			continue
		}
		start := len(dst)
		dst = s.seal(w.aead, dst, w.file.segment, c.ptrs[i].Row, f, plain)
		c.ptrs[i].Commit[f] = crypto.Commit(dst[start:])
	}
}

// frame is the plaintext of one field; nil when it is absent.
func (r *Row) frame(f Field) []byte {
	if r.size[f] == 0 {
		return nil
	}
	var start uint32
	for k := Vector; k < f; k++ {
		start += r.size[k]
	}
	return r.buf[start : start+r.size[f]]
}
