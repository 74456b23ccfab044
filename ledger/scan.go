package ledger

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"oubliette/internal/fault"
)

// scanner reads the frames of a ledger's file from the head on.
type scanner struct {
	file io.ReaderAt
	size int64 // of the file
	off  int64 // of the next frame
	in   *bufio.Reader
}

func newScanner(file io.ReaderAt, size int64) *scanner {
	const buffer = 64 << 10
	rest := io.NewSectionReader(file, headerSize, size-headerSize)
	return &scanner{file: file, size: size, off: headerSize, in: bufio.NewReaderSize(rest, buffer)}
}

// errNoFrame: what stands there is no whole frame.
var errNoFrame = errors.New("no whole frame")

// next reads a frame, which the caller may keep. It allocates no more than there
// is left of the file, and no more than MaxEntry.
func (s *scanner) next() (entry []byte, at int64, err error) {
	at = s.off
	var head [frameHead]byte
	if s.size-at < frameHead {
		return nil, at, errNoFrame
	}
	if _, err := io.ReadFull(s.in, head[:]); err != nil {
		return nil, at, err
	}
	n := int64(binary.LittleEndian.Uint32(head[:]))
	if n == 0 || n > MaxEntry || frameSize(int(n)) > s.size-at {
		return nil, at, errNoFrame
	}
	frame := make([]byte, frameSize(int(n)))
	copy(frame, head[:])
	if _, err := io.ReadFull(s.in, frame[frameHead:]); err != nil {
		return nil, at, err
	}
	if !fits(frame, int(n), at) {
		return nil, at, errNoFrame
	}
	s.off = at + int64(len(frame))
	return frame[frameHead : frameHead+n : frameHead+n], at, nil
}

// end reads to the end and answers where the last whole frame ends and where what
// stands behind it does: torn is larger than end where the last append was cut
// off by a crash. Damage before that is an Error.
func (s *scanner) end() (end, torn int64, err error) {
	for {
		_, at, err := s.next()
		if errors.Is(err, errNoFrame) {
			torn, err := s.tail(at)
			return at, torn, err
		}
		if err != nil {
			return at, at, err
		}
	}
}

// sector is what a disk writes whole or not at all.
const sector = 512

// tail looks at what stands from off on, where there is no whole frame. It
// answers off where nothing but zeros does, or where the remains of one append
// end that was cut off. Such an append was the last, and its sectors are written
// or are the zeros that were there; so there is a sector of zeros in it or the
// file ends inside of it, and no whole frame stands behind its head. Everything
// else is damage.
func (s *scanner) tail(off int64) (torn int64, err error) {
	end, err := s.lastByte(off)
	if err != nil || end == off {
		return off, err
	}
	damage := wrong(ErrAltered, "no whole frame: %w", fault.ErrDamaged)
	damage.Offset = off
	if end-off > frameSize(MaxEntry) {
		return off, damage
	}
	rest := make([]byte, min(s.size, off+frameSize(MaxEntry))-off)
	if _, err := s.file.ReadAt(rest, off); err != nil && !errors.Is(err, io.EOF) {
		return off, err
	}
	if !cutOff(rest, off) || holdsFrame(rest, off) {
		return off, damage
	}
	return end, nil
}

// lastByte is the end of what is not zeros, off where there is no such byte.
func (s *scanner) lastByte(off int64) (end int64, err error) {
	end = off
	buf := make([]byte, 64<<10)
	for at := off; at < s.size; {
		n, err := s.file.ReadAt(buf[:min(int64(len(buf)), s.size-at)], at)
		if err != nil && !errors.Is(err, io.EOF) || n == 0 {
			return off, fmt.Errorf("read at %d: %w", at, err)
		}
		for i := n - 1; i >= 0; i-- {
			if buf[i] != 0 {
				end = at + int64(i) + 1
				break
			}
		}
		at += int64(n)
	}
	return end, nil
}

// cutOff tells whether rest, to the end of the file, may be what is left of one
// append at off.
func cutOff(rest []byte, off int64) bool {
	first := rest[:min(int64(len(rest)), sector-off%sector)]
	if isZero(first) {
		return true
	}
	if len(rest) < frameHead {
		return true
	}
	n := binary.LittleEndian.Uint32(rest)
	if n == 0 || n > MaxEntry {
		return false
	}
	size := frameSize(int(n))
	if size > int64(len(rest)) {
		return true
	}
	if !isZero(rest[size:]) {
		return false
	}
	for at := int64(len(first)); at < size; at += sector {
		if isZero(rest[at:min(at+sector, size)]) {
			return true
		}
	}
	return false
}

// holdsFrame tells whether a whole frame stands in rest, behind its beginning. It
// looks at no more than a bounded number of bytes: a file in which there is more
// to look at was not left by a crash.
func holdsFrame(rest []byte, off int64) bool {
	budget := int64(4 * MaxEntry)
	for i := frameAlign; i+frameHead+entryHead <= len(rest); i += frameAlign {
		n := int64(binary.LittleEndian.Uint32(rest[i:]))
		k := kind(rest[i+frameHead])
		if n < entryHead || n > MaxEntry || k < kindBegin || k > kindGone || frameSize(int(n)) > int64(len(rest)-i) {
			continue
		}
		if budget -= n; budget < 0 {
			return true
		}
		if fits(rest[i:int64(i)+frameSize(int(n))], int(n), off+int64(i)) {
			return true
		}
	}
	return false
}
