package segment

import (
	"crypto/cipher"
	"crypto/rand"
	"fmt"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/crypto"
	"oubliette/internal/codec"
)

// IndexInput is what closes a segment. DEK is the commitment to its data key.
// DataEnd is the reserved end of the row area (for a file that a crash left
// open: its length). Entries are the rows that live, in the order of token and
// sequence number, no two of them alike.
type IndexInput struct {
	ID      Identity
	DEK     crypto.Hash
	Rows    uint32
	DataEnd uint64
	Entries []Entry
}

// WriteIndex appends the sealed index to a segment and answers where its
// footer stands. Nothing may be appended to the segment any more.
//
// The order, and what a crash leaves:
//
//  1. entry blocks, filter, top block, footer and tail are written from DataEnd
//     on, rounded up to whole disk blocks: a crash leaves any part of them;
//  2. the file is synced.
//
// The caller then makes the answer part of a signed, durable record. Until he
// has, nothing points at the index, and the next load writes it again in the
// same place, under a fresh salt and so under another key. Where that one is
// shorter, the stale bytes between it and the footer are overwritten with
// zeros: the file can't be cut through vfs.FS, so the footer moves to its end.
func WriteIndex(fs vfs.FS, path string, in IndexInput, mapKey crypto.Secret, signer *crypto.Signer) (FooterRef, error) {
	var salt [32]byte
	rand.Read(salt[:]) // never fails: crypto/rand ends the process instead
	ref, err := writeIndex(fs, path, in, mapKey, signer, salt)
	if err != nil {
		return FooterRef{}, fmt.Errorf("write index of segment %s: %w", path, err)
	}
	return ref, nil
}

func writeIndex(fs vfs.FS, path string, in IndexInput, mapKey crypto.Secret, signer *crypto.Signer, salt [32]byte) (FooterRef, error) {
	if err := in.check(); err != nil {
		return FooterRef{}, err
	}
	h, size, err := openOwn(fs, path, in.ID.Segment)
	if err != nil {
		return FooterRef{}, err
	}
	iw := newIndexWriter(h, in, indexKey(mapKey, salt, in.ID))
	iw.foot.salt = salt
	ref, err := iw.write(in.Entries, signer, size)
	if err == nil {
		err = h.Sync()
	}
	if cerr := h.Close(); err == nil && cerr != nil {
		err = cerr
	}
	return ref, err
}

// check refuses what a load would refuse.
func (in *IndexInput) check() error {
	switch {
	case in.DataEnd < DataStart || in.DataEnd > maxDataEnd:
		return fmt.Errorf("rows end at %d", in.DataEnd)
	case uint64(len(in.Entries)) > uint64(in.Rows):
		return fmt.Errorf("%d entries of %d rows", len(in.Entries), in.Rows)
	}
	b := bounds{in.Rows, in.DataEnd}
	for i := range in.Entries {
		if err := b.check(&in.Entries[i]); err != nil {
			return fmt.Errorf("entry %d: %w", i, err)
		}
		if i > 0 && compareEntries(&in.Entries[i-1], &in.Entries[i]) >= 0 {
			return fmt.Errorf("entry %d is out of order", i)
		}
	}
	return nil
}

// indexWriter seals and writes the parts of an index one behind the other.
type indexWriter struct {
	h    vfs.File
	aead cipher.AEAD
	seal sealer
	foot footer
	buf  []byte // not yet written
	off  uint64 // where buf begins
}

func newIndexWriter(h vfs.File, in IndexInput, a cipher.AEAD) *indexWriter {
	start := (in.DataEnd + indexAlign - 1) / indexAlign * indexAlign
	return &indexWriter{h: h, aead: a, off: start, foot: footer{
		id: in.ID, dek: in.DEK, rows: in.Rows, entries: uint32(len(in.Entries)),
		dataEnd: in.DataEnd, perBlock: blockEntries, blockOff: start,
	}}
}

func (w *indexWriter) write(entries []Entry, signer *crypto.Signer, size uint64) (FooterRef, error) {
	fences, err := w.blocks(entries)
	if err != nil {
		return FooterRef{}, err
	}
	fuse, err := buildFilter(distinctKeys(entries))
	if err != nil {
		return FooterRef{}, err
	}
	w.foot.filter = w.part(numberFilter, kindFilter, fuse.encode())
	w.foot.top = w.part(numberTop, kindTop, encodeTop(fences))
	foot := w.foot.sign(signer)
	if err := w.padTo(size, len(foot)+tailSize); err != nil {
		return FooterRef{}, err
	}
	ref := FooterRef{Off: w.pos(), Len: uint64(len(foot)), Hash: crypto.Sum(foot)}
	w.buf = append(w.buf, foot...)
	w.buf = append(w.buf, tail(foot)...)
	return ref, w.flush()
}

// blocks seals the entries and answers what the top block says of them.
func (w *indexWriter) blocks(entries []Entry) ([]fence, error) {
	var fences []fence
	plain := codec.Encoder{B: make([]byte, 0, blockSize)}
	for n := uint64(0); len(entries) > 0; n++ {
		count := min(blockEntries, len(entries))
		fences = append(fences, fence{entries[0].Token, earliest(entries[:count])})
		plain.B = plain.B[:0]
		for i := range entries[:count] {
			appendEntry(&plain, &entries[i])
		}
		p := w.part(n, kindEntries, plain.B)
		w.foot.blocks = append(w.foot.blocks, p.hash)
		entries = entries[count:]
		if len(w.buf) >= 1<<20 {
			if err := w.flush(); err != nil {
				return nil, err
			}
		}
	}
	return fences, nil
}

// part seals one part behind the last one.
func (w *indexWriter) part(number uint64, kind uint8, plain []byte) part {
	start, off := len(w.buf), w.pos()
	w.buf = w.seal.sealIndex(w.aead, w.buf, w.foot.id.Segment, number, kind, plain)
	sealed := w.buf[start:]
	return part{Extent{off, uint64(len(sealed))}, crypto.Sum(sealed)}
}

// padTo fills up with zeros so that n more bytes end at the end of a file of
// this size, when it is longer than what is written.
func (w *indexWriter) padTo(size uint64, n int) error {
	for size > w.pos()+uint64(n) {
		pad := min(size-w.pos()-uint64(n), 1<<20)
		w.buf = append(w.buf, make([]byte, pad)...)
		if err := w.flush(); err != nil {
			return err
		}
	}
	return nil
}

func (w *indexWriter) pos() uint64 { return w.off + uint64(len(w.buf)) }

func (w *indexWriter) flush() error {
	if err := writeFull(w.h, w.buf, w.off); err != nil {
		return fmt.Errorf("at offset %d: %w", w.off, err)
	}
	w.off += uint64(len(w.buf))
	w.buf = w.buf[:0]
	return nil
}

// distinctKeys are the filter's keys. Entries are sorted, so equal ones are
// neighbours.
func distinctKeys(entries []Entry) []uint64 {
	keys := make([]uint64, 0, len(entries))
	for i := range entries {
		k := filterKey(entries[i].Token)
		if len(keys) == 0 || keys[len(keys)-1] != k {
			keys = append(keys, k)
		}
	}
	return keys
}
