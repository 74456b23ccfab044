package segment

import (
	"crypto/cipher"
	"encoding/binary"
	"sync"

	"oubliette/crypto"
)

const rowLabel = "oubliette/segment/row/v1"

// sealer holds what one seal or open passes to the cipher, so that none of it
// is allocated anew for each row.
type sealer struct {
	nonce [crypto.NonceSize]byte
	ad    []byte
}

var sealers = sync.Pool{New: func() any { return &sealer{ad: make([]byte, 0, 64)} }}

// aim sets nonce and associated data to one field of one row.
//
// The nonce is the row number in bytes 0 to 3, the field in byte 4, zeros
// behind. It is unique under the DEK: the DEK is drawn by Create and used by
// that Writer alone, which reserves a row number once and never gives it back,
// not even when the append fails; and it seals a field of a row once.
func (s *sealer) aim(seg crypto.SegmentID, row uint32, f Field) {
	clear(s.nonce[:])
	binary.LittleEndian.PutUint32(s.nonce[:], row)
	s.nonce[4] = byte(f)
	s.ad = append(s.ad[:0], rowLabel...)
	s.ad = append(s.ad, seg[:]...)
	s.ad = binary.LittleEndian.AppendUint32(s.ad, row)
	s.ad = append(s.ad, byte(f))
}

// seal appends the sealed frame to dst.
func (s *sealer) seal(a cipher.AEAD, dst []byte, seg crypto.SegmentID, row uint32, f Field, plain []byte) []byte {
	s.aim(seg, row, f)
	return a.Seal(dst, s.nonce[:], plain, s.ad)
}

// open opens a sealed frame in its own place.
func (s *sealer) open(a cipher.AEAD, seg crypto.SegmentID, row uint32, f Field, sealed []byte) ([]byte, error) {
	s.aim(seg, row, f)
	return a.Open(sealed[:0], s.nonce[:], sealed, s.ad)
}
