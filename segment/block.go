package segment

import (
	"bytes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"

	"oubliette/crypto"
	"oubliette/internal/codec"
)

const (
	// blockEntries is how many entries an index block holds; the last block may
	// hold fewer.
	blockEntries = 64
	entrySize    = 16 + 8 + 8 + 4 + 8 + NumFields*4 + NumFields*16
	blockSize    = blockEntries*entrySize + crypto.Overhead

	indexLabel = "oubliette/segment/index/v1"
)

// A sealed part of the index is of one kind and has one number. Entry blocks
// count from 0; no segment has 2^62 of them.
const (
	kindEntries = 1
	kindFilter  = 2
	kindTop     = 3

	numberFilter = 1 << 62
	numberTop    = 1<<62 + 1
)

// indexKey is the key of one sealed index. The salt is drawn for each writing,
// so an index that is written again after a crash has another key.
func indexKey(mapKey crypto.Secret, salt [32]byte, id Identity) cipher.AEAD {
	epoch := binary.LittleEndian.AppendUint64(nil, id.Epoch)
	key := crypto.Derive(mapKey, salt[:], indexLabel, id.Index[:], id.Segment[:], epoch)
	defer key.Wipe()
	return crypto.NewAEAD(key)
}

// aimIndex sets nonce and associated data to one part of the index. The nonce
// is the part's number: one writing has one key and seals each number once.
func (s *sealer) aimIndex(seg crypto.SegmentID, number uint64, kind uint8) {
	s.nonce = crypto.CounterNonce(number)
	s.ad = append(s.ad[:0], indexLabel...)
	s.ad = append(s.ad, seg[:]...)
	s.ad = binary.LittleEndian.AppendUint64(s.ad, number)
	s.ad = append(s.ad, kind)
}

func (s *sealer) sealIndex(a cipher.AEAD, dst []byte, seg crypto.SegmentID, number uint64, kind uint8, plain []byte) []byte {
	s.aimIndex(seg, number, kind)
	return a.Seal(dst, s.nonce[:], plain, s.ad)
}

// openIndex opens in place.
func (s *sealer) openIndex(a cipher.AEAD, seg crypto.SegmentID, number uint64, kind uint8, sealed []byte) ([]byte, error) {
	s.aimIndex(seg, number, kind)
	return a.Open(sealed[:0], s.nonce[:], sealed, s.ad)
}

// appendEntry lays an entry out: token 16, sequence u64, expiry u64, row u32,
// offset u64, length u32 of each field, commitment 16 of each field.
func appendEntry(e *codec.Encoder, x *Entry) {
	e.Raw(x.Token[:])
	e.U64(x.Seq)
	e.U64(x.Expires)
	e.U32(x.Row)
	e.U64(x.Offset)
	for _, n := range x.Len {
		e.U32(n)
	}
	for f := range x.Commit {
		e.Raw(x.Commit[f][:])
	}
}

func decodeEntry(d *codec.Decoder, x *Entry) {
	d.Copy(x.Token[:])
	x.Seq = d.U64()
	x.Expires = d.U64()
	x.Row = d.U32()
	x.Offset = d.U64()
	for f := range x.Len {
		x.Len[f] = d.U32()
	}
	for f := range x.Commit {
		d.Copy(x.Commit[f][:])
	}
}

// bounds is what every entry of an index has to keep to.
type bounds struct {
	rows    uint32
	dataEnd uint64
}

// check refuses an entry that points outside of its segment's rows.
func (b bounds) check(x *Entry) error {
	if err := x.Pointer.check(); err != nil {
		return err
	}
	if x.Row >= b.rows {
		return fmt.Errorf("row %d of a segment of %d rows", x.Row, b.rows)
	}
	if x.Extent().End() > b.dataEnd {
		return fmt.Errorf("row %d ends at %d, the rows end at %d", x.Row, x.Extent().End(), b.dataEnd)
	}
	for f := range x.Len {
		if x.Len[f] == 0 && x.Commit[f] != (crypto.Commitment{}) {
			return fmt.Errorf("row %d commits to an absent %v", x.Row, Field(f))
		}
	}
	return nil
}

var errBlockLength = errors.New("index block is no whole number of entries")

// decodeBlock reads the opened block into dst, whose capacity it reuses, and
// checks every entry and their order.
func decodeBlock(plain []byte, b bounds, dst []Entry) ([]Entry, error) {
	if len(plain) == 0 || len(plain)%entrySize != 0 || len(plain) > blockEntries*entrySize {
		return nil, errBlockLength
	}
	n := len(plain) / entrySize
	if cap(dst) < n {
		dst = make([]Entry, n)
	}
	dst = dst[:n]
	d := codec.NewDecoder(plain)
	for i := range dst {
		decodeEntry(d, &dst[i])
		if err := b.check(&dst[i]); err != nil {
			return nil, err
		}
		if i > 0 && compareEntries(&dst[i-1], &dst[i]) >= 0 {
			return nil, fmt.Errorf("entry %d of a block is out of order", i)
		}
	}
	return dst, d.Done()
}

// compareEntries orders by token, then sequence number.
func compareEntries(a, b *Entry) int {
	if c := compareTokens(a.Token, b.Token); c != 0 {
		return c
	}
	switch {
	case a.Seq < b.Seq:
		return -1
	case a.Seq > b.Seq:
		return 1
	}
	return 0
}

func compareTokens(a, b crypto.Token) int { return bytes.Compare(a[:], b[:]) }

// earliest is the earliest expiry among entries; 0: none of them expires.
func earliest(entries []Entry) (at uint64) {
	for i := range entries {
		if x := entries[i].Expires; x != 0 && (at == 0 || x < at) {
			at = x
		}
	}
	return at
}

// fence is what the top block says of one entry block.
type fence struct {
	first   crypto.Token
	expires uint64 // the earliest expiry in the block; 0: none
}

const fenceSize = 16 + 8

// encodeTop lays the fences out: first token 16 and earliest expiry u64 of every
// block.
func encodeTop(fences []fence) []byte {
	e := codec.Encoder{B: make([]byte, 0, fenceSize*len(fences)+crypto.Overhead)}
	for i := range fences {
		e.Raw(fences[i].first[:])
		e.U64(fences[i].expires)
	}
	return e.B
}

// decodeTop answers the first tokens, and the earliest expiries: nil when nothing
// in the segment expires.
func decodeTop(plain []byte, blocks int) (top []crypto.Token, expires []uint64, err error) {
	if len(plain) != fenceSize*blocks {
		return nil, nil, fmt.Errorf("fence of %d bytes for %d blocks", len(plain), blocks)
	}
	top, expires = make([]crypto.Token, blocks), make([]uint64, blocks)
	d := codec.NewDecoder(plain)
	some := false
	for i := range top {
		d.Copy(top[i][:])
		expires[i] = d.U64()
		some = some || expires[i] != 0
		if i > 0 && compareTokens(top[i-1], top[i]) > 0 {
			return nil, nil, fmt.Errorf("block %d of the fence is out of order", i)
		}
	}
	if !some {
		expires = nil
	}
	return top, expires, d.Done()
}
