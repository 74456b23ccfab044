package segment

import (
	"bytes"

	"oubliette/crypto"
	"oubliette/internal/fault"
)

// Sealed answers the sealed bytes of a row's fields as they stand in the file
// now, nil for an absent one. They are copies. It needs no key: the bytes are
// held against the pointer's commitments, so what it answers is what was
// written, and a row that has been overwritten is an error, not zeros.
func (f *File) Sealed(p Pointer) (sealed [NumFields][]byte, err error) {
	if err := p.check(); err != nil {
		return sealed, fault.Corrupt(f.path, int64(min(p.Offset, maxFileSize)), "%w: %w", err, fault.ErrDamaged)
	}
	s := scratches.Get().(*scratch)
	defer s.free()
	raw, err := f.readFields(&p, WantAll, s)
	if err != nil {
		return sealed, err
	}
	for k := range Field(NumFields) {
		if raw[k] == nil {
			continue
		}
		if crypto.Commit(raw[k]) != p.Commit[k] {
			return [NumFields][]byte{}, fault.Corrupt(f.path, int64(p.fieldOffset(k)), "row %d: bytes of the %v do not fit the commitment: %w", p.Row, k, fault.ErrDamaged)
		}
		sealed[k] = bytes.Clone(raw[k])
	}
	return sealed, nil
}
