package crypto

import (
	"bytes"
	"fmt"

	"oubliette/internal/codec"
	"oubliette/internal/fault"
)

const (
	epochMagic   = "OUBLEPO\x00"
	epochVersion = 1
	// maxEpochRecord bounds what a decoder looks at, in bytes. MaxUsers and
	// MaxSegments fit.
	maxEpochRecord = 64 << 20
)

func (r *EpochRecord) body() []byte {
	var e codec.Encoder
	e.Raw([]byte(epochMagic))
	e.U16(epochVersion)
	e.Raw(r.Index[:])
	e.U64(r.Epoch)
	e.Blob([]byte(r.Name))
	e.U32(r.Dimension)
	e.Raw(r.Root[:])
	e.Raw(r.Reader)
	e.Raw(r.Previous[:])
	e.Blob(r.MapLink)
	r.Pin.append(&e)
	e.U32(uint32(len(r.Users)))
	for i := range r.Users {
		r.Users[i].append(&e)
	}
	return e.B
}

func (p *EpochPin) append(e *codec.Encoder) {
	e.U64(p.Group)
	e.U64(p.Seq)
	e.Raw(p.Head[:])
	e.Raw(p.Manifest[:])
	e.U32(uint32(len(p.Segments)))
	for _, s := range p.Segments {
		e.Raw(s.ID[:])
		e.Raw(s.DEK[:])
	}
}

func (u *EpochUser) append(e *codec.Encoder) {
	e.Raw(u.User[:])
	e.U8(uint8(u.Perm))
	e.Raw(u.Sign[:])
	e.Raw(u.KEM)
	e.Raw(u.Read[:])
	e.Raw(u.Write[:])
	e.Raw(u.Listing[:])
}

// Encoded sizes, in bytes.
const (
	pinnedSegmentSize = 16 + 32
	epochUserSize     = 16 + 1 + 32 + ReaderPublicSize + 32 + 32 + 64
	mapLinkSize       = KeySize + Overhead
)

// DecodeEpochRecord reads a record, checks its own signature and what Check
// checks. That proves that it is whole; that it is *root's* is for the caller,
// who holds Root against the key that it derives or has pinned. It allocates
// about as many bytes as b has.
func DecodeEpochRecord(b []byte) (*EpochRecord, error) {
	if len(b) > maxEpochRecord {
		return nil, fmt.Errorf("epoch record of %d bytes, at most %d: %w", len(b), maxEpochRecord, fault.ErrDamaged)
	}
	d := codec.NewDecoder(b)
	if !bytes.Equal(d.Raw(len(epochMagic)), []byte(epochMagic)) {
		return nil, fmt.Errorf("epoch record: %w", fault.ErrForeign)
	}
	if v := d.U16(); v > epochVersion {
		return nil, fmt.Errorf("epoch record version %d, this build reads up to %d: %w", v, epochVersion, fault.ErrNewer)
	} else if v < epochVersion {
		d.Fail("version %d, never written", v)
	}
	r := new(EpochRecord)
	r.decode(d)
	if err := d.Done(); err != nil {
		return nil, fmt.Errorf("epoch record: %w: %w", fault.ErrDamaged, err)
	}
	if !r.Root.Verify(DomainEpoch, b[:len(b)-len(r.Signature)], r.Signature) {
		return nil, fmt.Errorf("epoch record: signature does not fit: %w", fault.ErrDamaged)
	}
	if err := r.Check(); err != nil {
		return nil, fmt.Errorf("epoch record: %w: %w", fault.ErrDamaged, err)
	}
	return r, nil
}

func (r *EpochRecord) decode(d *codec.Decoder) {
	d.Copy(r.Index[:])
	r.Epoch = d.U64()
	r.Name = string(d.Blob(MaxName))
	r.Dimension = d.U32()
	d.Copy(r.Root[:])
	r.Reader = bytes.Clone(d.Raw(ReaderPublicSize))
	d.Copy(r.Previous[:])
	r.MapLink = bytes.Clone(d.Blob(mapLinkSize))
	r.Pin.decode(d)
	r.Users = make([]EpochUser, d.Count(epochUserSize))
	for i := range r.Users {
		r.Users[i].decode(d)
	}
	d.Copy(r.Succession[:])
	d.Copy(r.Signature[:])
}

func (p *EpochPin) decode(d *codec.Decoder) {
	p.Group = d.U64()
	p.Seq = d.U64()
	d.Copy(p.Head[:])
	d.Copy(p.Manifest[:])
	p.Segments = make([]PinnedSegment, d.Count(pinnedSegmentSize))
	for i := range p.Segments {
		d.Copy(p.Segments[i].ID[:])
		d.Copy(p.Segments[i].DEK[:])
	}
}

func (u *EpochUser) decode(d *codec.Decoder) {
	d.Copy(u.User[:])
	u.Perm = Permission(d.U8())
	d.Copy(u.Sign[:])
	u.KEM = bytes.Clone(d.Raw(ReaderPublicSize))
	d.Copy(u.Read[:])
	d.Copy(u.Write[:])
	d.Copy(u.Listing[:])
}
