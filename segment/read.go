package segment

import (
	"bytes"

	"oubliette/crypto"
	"oubliette/internal/fault"
)

// Content is an opened item. What was absent, or not wanted, is nil. It shares
// no memory with anything.
type Content struct {
	ID       string
	Vector   []float32
	Contents []byte
	Metadata []byte
	Expires  uint64 // as in the pointer that it was read by
}

// Read opens the wanted fields of a row and its id. It reads these fields'
// bytes only, holds them against the pointer's commitments, and opens them
// after that.
func (f *File) Read(p Pointer, want Fields) (Content, error) {
	s := scratches.Get().(*scratch)
	defer s.free()
	plain, err := f.openRow(&p, want, s)
	if err != nil {
		return Content{}, err
	}
	c := Content{Expires: p.Expires}
	for k := range Field(NumFields) {
		if plain[k] == nil {
			continue
		}
		if err := c.take(k, plain[k], want, s); err != nil {
			return Content{}, fault.Corrupt(f.path, int64(p.fieldOffset(k)), "row %d, %v: %w: %w", p.Row, k, err, fault.ErrDamaged)
		}
	}
	return c, nil
}

// ReadRow opens all fields of a row but leaves them compressed, to be sealed
// again by a rewrite.
func (f *File) ReadRow(p Pointer) (Row, error) {
	s := scratches.Get().(*scratch)
	defer s.free()
	plain, err := f.openRow(&p, WantAll, s)
	if err != nil {
		return Row{}, err
	}
	r := Row{buf: make([]byte, 0, p.size())}
	for k := range Field(NumFields) {
		if plain[k] == nil {
			continue
		}
		if _, err := parseFrame(k, plain[k]); err != nil {
			return Row{}, fault.Corrupt(f.path, int64(p.fieldOffset(k)), "row %d, %v: %w: %w", p.Row, k, err, fault.ErrDamaged)
		}
		r.size[k] = uint32(len(plain[k]))
		r.buf = append(r.buf, plain[k]...)
	}
	return r, nil
}

// openRow reads and opens the wanted fields into s.out; the frames alias it.
func (f *File) openRow(p *Pointer, want Fields, s *scratch) (plain [NumFields][]byte, err error) {
	key := f.key.Load()
	if key == nil {
		return plain, ErrLocked
	}
	if err := p.check(); err != nil {
		return plain, fault.Corrupt(f.path, int64(min(p.Offset, maxFileSize)), "%w: %w", err, fault.ErrDamaged)
	}
	sealed, err := f.readFields(p, want, s)
	if err != nil {
		return plain, err
	}
	sl := sealers.Get().(*sealer)
	defer sealers.Put(sl)
	for k := range Field(NumFields) {
		if sealed[k] == nil {
			continue
		}
		if crypto.Commit(sealed[k]) != p.Commit[k] {
			return plain, fault.Corrupt(f.path, int64(p.fieldOffset(k)), "row %d: bytes of the %v do not fit the commitment: %w", p.Row, k, fault.ErrDamaged)
		}
		if plain[k], err = sl.open(key.aead, f.segment, p.Row, k, sealed[k]); err != nil {
			return plain, fault.Corrupt(f.path, int64(p.fieldOffset(k)), "row %d: seal of the %v does not open: %w", p.Row, k, fault.ErrDamaged)
		}
	}
	return plain, nil
}

// readFields reads the sealed bytes of the wanted fields, neighbours in one
// read.
func (f *File) readFields(p *Pointer, want Fields, s *scratch) (sealed [NumFields][]byte, err error) {
	if err := f.inside(p.Extent()); err != nil {
		return sealed, err
	}
	var total int
	for k := range Field(NumFields) {
		if want.wants(k) {
			total += int(p.Len[k])
		}
	}
	s.out = sized(s.out, total)
	at, runStart, runOff := 0, 0, uint64(0)
	for k := range Field(NumFields) {
		n := int(p.Len[k])
		if n == 0 || !want.wants(k) {
			continue
		}
		if off := p.fieldOffset(k); off != runOff+uint64(at-runStart) {
			if err := f.readRun(s.out[runStart:at], runOff); err != nil {
				return sealed, err
			}
			runStart, runOff = at, off
		}
		sealed[k] = s.out[at : at+n : at+n]
		at += n
	}
	return sealed, f.readRun(s.out[runStart:at], runOff)
}

func (f *File) readRun(b []byte, off uint64) error {
	if len(b) == 0 {
		return nil
	}
	return f.readAt(b, off)
}

// take moves one opened frame into the content.
func (c *Content) take(k Field, plain []byte, want Fields, s *scratch) error {
	fr, err := parseFrame(k, plain)
	if err != nil {
		return err
	}
	if k == Contents {
		c.Contents, err = fr.expand(make([]byte, 0, fr.rawLen))
		return err
	}
	raw := fr.payload
	if fr.codec != codecRaw {
		if s.raw, err = fr.expand(s.raw[:0]); err != nil {
			s.raw = nil
			return err
		}
		raw = s.raw
	}
	if k == Vector {
		c.Vector, err = parseVector(raw)
		return err
	}
	return c.takeHead(raw, want)
}

func (c *Content) takeHead(raw []byte, want Fields) error {
	id, metadata, err := parseHead(raw)
	if err != nil {
		return err
	}
	c.ID = string(id)
	if metadata != nil && want&WantMetadata != 0 {
		c.Metadata = bytes.Clone(metadata)
	}
	return nil
}

// sized is b with length n, made anew when it is too small.
func sized(b []byte, n int) []byte {
	if cap(b) < n {
		return make([]byte, n)
	}
	return b[:n]
}
