package ledger

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"

	"oubliette/crypto"
	"oubliette/internal/codec"
	"oubliette/internal/fault"
)

const (
	fileMagic   = "OUBLLED\x00"
	fileVersion = 1
	checksum    = 8
	headerSize  = 8 + 2 + 6 + 16 + checksum

	frameHead  = 4 + 4
	frameAlign = 8
)

// encodeHeader is the head of a ledger's file.
func encodeHeader(store [16]byte) []byte {
	var e codec.Encoder
	e.Raw([]byte(fileMagic))
	e.U16(fileVersion)
	e.Raw(make([]byte, 6))
	e.Raw(store[:])
	sum := crypto.Sum(e.B)
	e.Raw(sum[:checksum])
	return e.B
}

// decodeHeader answers whose ledger it is. A newer version is told before the
// checksum is looked at.
func decodeHeader(b []byte) (store [16]byte, err *Error) {
	d := codec.NewDecoder(b)
	if magic := d.Raw(len(fileMagic)); !bytes.Equal(magic, []byte(fileMagic)) {
		return store, wrong(ErrNotOurs, "no ledger: %w", fault.ErrForeign)
	}
	v := d.U16()
	d.Raw(6)
	d.Copy(store[:])
	d.Raw(checksum)
	switch {
	case v > fileVersion:
		return store, wrong(fault.ErrNewer, "ledger version %d, this build reads up to %d", v, fileVersion)
	case d.Done() != nil || !bytes.Equal(b, encodeHeader(store)):
		return store, wrong(ErrAltered, "head: %w", fault.ErrDamaged)
	}
	return store, nil
}

// frameSize is how many bytes an entry of n bytes takes. Frames are aligned, so
// that the head of one lies in one sector.
func frameSize(n int) int64 {
	return int64(frameHead+n+frameAlign-1) &^ (frameAlign - 1)
}

// appendFrame is the frame of an entry that is to stand at offset.
func appendFrame(dst, entry []byte, offset int64) []byte {
	e := codec.Encoder{B: dst}
	e.U32(uint32(len(entry)))
	e.U32(frameSum(entry, offset))
	e.Raw(entry)
	e.Raw(make([]byte, frameSize(len(entry))-frameHead-int64(len(entry))))
	return e.B
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// frameSum is CRC-32C over offset, length and entry. With the offset in it a
// frame counts where it was written and nowhere else: not inside of another
// entry, and not as what is left of an append that was cut off.
func frameSum(entry []byte, offset int64) uint32 {
	var head [12]byte
	binary.LittleEndian.PutUint64(head[:], uint64(offset))
	binary.LittleEndian.PutUint32(head[8:], uint32(len(entry)))
	return crc32.Update(crc32.Checksum(head[:], castagnoli), castagnoli, entry)
}

// fits tells whether padding is zeros and the checksum that of the entry.
func fits(frame []byte, n int, offset int64) bool {
	entry, padding := frame[frameHead:frameHead+n], frame[frameHead+n:]
	return isZero(padding) && binary.LittleEndian.Uint32(frame[4:]) == frameSum(entry, offset)
}

func isZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
