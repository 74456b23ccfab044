package segment

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"oubliette/crypto"
	"oubliette/internal/codec"
	"oubliette/internal/fault"
)

const (
	footerMagic   = "OUBLFTR\x00"
	footerVersion = 1
	tailMagic     = "OUBLEND\x00"
	tailSize      = 4 + 4 + 8
)

// part is a stretch of the file and its SHA-256.
type part struct {
	Extent
	hash crypto.Hash
}

// footer is the clear, signed description of a closed segment.
type footer struct {
	id       Identity // its epoch is the map key's
	dek      crypto.Hash
	rows     uint32
	entries  uint32
	dataEnd  uint64
	salt     [32]byte
	perBlock uint16
	blocks   []crypto.Hash
	blockOff uint64
	filter   part
	top      part
	signer   crypto.UserID
}

// FooterRef is where a footer stands, and its SHA-256. It belongs into the
// signed record that makes the segment live.
type FooterRef struct {
	Off, Len uint64
	Hash     crypto.Hash
}

func (r FooterRef) extent() Extent { return Extent{r.Off, r.Len} }

// body is everything that the signature covers.
func (f *footer) body() []byte {
	e := codec.Encoder{B: make([]byte, 0, 512+32*len(f.blocks))}
	e.Raw([]byte(footerMagic))
	e.U16(footerVersion)
	e.Raw(f.id.Index[:])
	e.Raw(f.id.Segment[:])
	e.U64(f.id.Epoch)
	e.Raw(f.dek[:])
	e.U32(f.rows)
	e.U32(f.entries)
	e.U64(f.dataEnd)
	e.Raw(f.salt[:])
	e.U16(f.perBlock)
	e.U64(f.blockOff)
	e.U32(uint32(len(f.blocks)))
	for i := range f.blocks {
		e.Raw(f.blocks[i][:])
	}
	for _, p := range []part{f.filter, f.top} {
		e.U64(p.Off)
		e.U64(p.Len)
		e.Raw(p.hash[:])
	}
	e.Raw(f.signer[:])
	return e.B
}

// sign is the whole footer: body and signature.
func (f *footer) sign(signer *crypto.Signer) []byte {
	f.signer = signer.User()
	body := f.body()
	sig := signer.Sign(crypto.DomainFooter, body)
	return append(body, sig[:]...)
}

// decodeFooter reads a footer and checks that its parts lie behind one another
// and below end, where the footer itself begins. It answers the signature and
// how long the signed body is.
func decodeFooter(b []byte, end uint64) (f *footer, body []byte, sig crypto.Signature, err error) {
	d := codec.NewDecoder(b)
	if magic := d.Raw(8); string(magic) != footerMagic {
		return nil, nil, sig, fmt.Errorf("footer magic %q: %w", magic, fault.ErrForeign)
	}
	if v := d.U16(); v != footerVersion {
		return nil, nil, sig, versionError("footer", v, footerVersion)
	}
	f = new(footer)
	f.decodeFields(d)
	n := d.Offset()
	d.Copy(sig[:])
	if err := d.Done(); err != nil {
		return nil, nil, sig, fmt.Errorf("footer: %w: %w", err, fault.ErrDamaged)
	}
	if err := f.check(end); err != nil {
		return nil, nil, sig, fmt.Errorf("footer: %w: %w", err, fault.ErrDamaged)
	}
	return f, b[:n], sig, nil
}

func (f *footer) decodeFields(d *codec.Decoder) {
	d.Copy(f.id.Index[:])
	d.Copy(f.id.Segment[:])
	f.id.Epoch = d.U64()
	d.Copy(f.dek[:])
	f.rows = d.U32()
	f.entries = d.U32()
	f.dataEnd = d.U64()
	d.Copy(f.salt[:])
	f.perBlock = d.U16()
	f.blockOff = d.U64()
	f.blocks = make([]crypto.Hash, d.Count(len(crypto.Hash{})))
	for i := range f.blocks {
		d.Copy(f.blocks[i][:])
	}
	for _, p := range []*part{&f.filter, &f.top} {
		p.Off = d.U64()
		p.Len = d.U64()
		d.Copy(p.hash[:])
	}
	d.Copy(f.signer[:])
}

// check refuses figures that do not fit one another.
func (f *footer) check(end uint64) error {
	blocks := (uint64(f.entries) + blockEntries - 1) / blockEntries
	indexed := Extent{f.blockOff, f.blocksLen()}
	switch {
	case end > maxFileSize:
		return fmt.Errorf("footer at offset %d is behind every file's end", end)
	case f.perBlock != blockEntries:
		return fmt.Errorf("%d entries a block, known are %d", f.perBlock, blockEntries)
	case f.entries > f.rows:
		return fmt.Errorf("%d entries of %d rows", f.entries, f.rows)
	case uint64(len(f.blocks)) != blocks:
		return fmt.Errorf("%d block hashes for %d blocks", len(f.blocks), blocks)
	case f.dataEnd < DataStart || f.dataEnd > f.blockOff || f.dataEnd > maxDataEnd:
		return fmt.Errorf("rows end at %d, the index begins at %d", f.dataEnd, f.blockOff)
	case !indexed.within(Extent{0, end}):
		return fmt.Errorf("%d entry blocks at %d do not end before the footer at %d", blocks, f.blockOff, end)
	case f.filter.Off != indexed.End() || !f.filter.within(Extent{0, end}):
		return fmt.Errorf("filter of %d bytes at %d is out of place", f.filter.Len, f.filter.Off)
	case f.top.Off != f.filter.End() || !f.top.within(Extent{0, end}):
		return fmt.Errorf("fence of %d bytes at %d is out of place", f.top.Len, f.top.Off)
	}
	return nil
}

// blocksLen is the length of all entry blocks.
func (f *footer) blocksLen() uint64 {
	blocks := (uint64(f.entries) + blockEntries - 1) / blockEntries
	return uint64(f.entries)*entrySize + blocks*crypto.Overhead
}

// block is where an entry block stands.
func (f *footer) block(n int) Extent {
	count := min(blockEntries, int(f.entries)-n*blockEntries)
	return Extent{f.blockOff + uint64(n)*blockSize, uint64(count*entrySize + crypto.Overhead)}
}

// tail closes the file: footer length u32, CRC-32C of the footer u32, magic 8.
func tail(footer []byte) []byte {
	e := codec.Encoder{B: make([]byte, 0, tailSize)}
	e.U32(uint32(len(footer)))
	e.U32(crc32.Checksum(footer, castagnoli))
	e.Raw([]byte(tailMagic))
	return e.B
}

// decodeTail answers the footer's length and checksum.
func decodeTail(b []byte) (length, crc uint32, err error) {
	if len(b) != tailSize {
		return 0, 0, fmt.Errorf("tail of %d bytes: %w", len(b), fault.ErrDamaged)
	}
	if string(b[8:]) != tailMagic {
		return 0, 0, fmt.Errorf("tail magic %q: %w", b[8:], fault.ErrForeign)
	}
	return binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:]), nil
}

// FindFooter finds the footer by the file's tail, for tools that look at a
// file without the store's records. What it answers is checked against a
// checksum, not yet against a signature. A segment that was never closed has
// none.
func FindFooter(f *File) (FooterRef, error) {
	size, err := f.Size()
	if err != nil {
		return FooterRef{}, err
	}
	at := size - tailSize
	if at < DataStart {
		return FooterRef{}, fault.Corrupt(f.path, size, "file has no tail: %w", fault.ErrDamaged)
	}
	b := make([]byte, tailSize)
	if err := f.readAt(b, uint64(at)); err != nil {
		return FooterRef{}, err
	}
	n, crc, err := decodeTail(b)
	if err != nil {
		return FooterRef{}, fault.Corrupt(f.path, at, "%w", err)
	}
	if int64(n) > at-DataStart {
		return FooterRef{}, fault.Corrupt(f.path, at, "footer of %d bytes in a file of %d: %w", n, size, fault.ErrDamaged)
	}
	foot := make([]byte, n)
	off := uint64(at) - uint64(n)
	if err := f.readAt(foot, off); err != nil {
		return FooterRef{}, err
	}
	if got := crc32.Checksum(foot, castagnoli); got != crc {
		return FooterRef{}, fault.Corrupt(f.path, int64(off), "footer checksum %08x, written is %08x: %w", got, crc, fault.ErrDamaged)
	}
	return FooterRef{Off: off, Len: uint64(n), Hash: crypto.Sum(foot)}, nil
}
