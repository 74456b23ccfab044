package compaction

import (
	"bytes"
	"fmt"

	"oubliette/crypto"
	"oubliette/internal/codec"
	"oubliette/internal/fault"
	"oubliette/segment"
	"oubliette/wal"
)

// Segment is one live segment as the manifest lists it.
type Segment struct {
	ID     crypto.SegmentID
	Epoch  uint64      // of its footer, or of its header while it is open
	DEK    crypto.Hash // commitment to its data key
	Sealed bool        // has an index; an open segment's rows stand in the log

	// Of a sealed segment.
	Rows    uint32 // row numbers handed out
	Entries uint32 // rows in its index
	DataEnd uint64
	Footer  segment.FooterRef

	// Of its dead record; zero when nothing has died.
	Dead        crypto.Hash
	DeadEntries uint32 // index entries that are dead
	DeadBytes   uint64 // bytes of the row area that are dead
}

// Session is a run of the log that the manifest covers: its last group there.
// Its chain of deletes is left out, so LastDelete is zero: of 1,024 sessions
// nobody asks for it.
type Session struct {
	ID   crypto.SessionID
	Last wal.Position
}

// Manifest is a writer's signed statement of what an index consists of: its
// live segments, what of them is dead, and how far the log has been applied.
type Manifest struct {
	Index     crypto.IndexID
	Epoch     uint64
	Version   uint64 // grows by one with every manifest
	Dimension uint32 // of vectors; 0: none seen yet

	Start    wal.Position // groups up to here are gone from the log
	Applied  wal.Position // tombstones up to here stand in dead records
	Erased   uint64       // what they delete up to this sequence number is off the disk
	Sessions []Session    // the newest last, at most MaxSessions
	Segments []Segment

	User      crypto.UserID // who signed
	Signature crypto.Signature
}

const (
	manifestMagic   = "OUBLMAN\x00"
	manifestVersion = 1
	// MaxSessions is how many sessions a manifest remembers.
	MaxSessions = 1024
	placeSize   = 8 + 8 + 32
	segmentSize = 16 + 8 + 32 + 1 + 4 + 4 + 8 + 8 + 8 + 32 + 32 + 4 + 8
)

// Sign encodes the manifest under the signer's name.
func (m *Manifest) Sign(s *crypto.Signer) []byte {
	m.User = s.User()
	var e codec.Encoder
	m.append(&e)
	m.Signature = s.Sign(crypto.DomainManifest, e.B)
	e.Raw(m.Signature[:])
	return e.B
}

func (m *Manifest) append(e *codec.Encoder) {
	e.Raw([]byte(manifestMagic))
	e.U16(manifestVersion)
	e.Raw(m.Index[:])
	e.U64(m.Epoch)
	e.U64(m.Version)
	e.U32(m.Dimension)
	m.Start.Append(e)
	m.Applied.Append(e)
	e.U64(m.Erased)
	e.U32(uint32(len(m.Sessions)))
	for i := range m.Sessions {
		e.Raw(m.Sessions[i].ID[:])
		appendPlace(e, m.Sessions[i].Last)
	}
	e.U32(uint32(len(m.Segments)))
	for i := range m.Segments {
		m.Segments[i].append(e)
	}
	e.Raw(m.User[:])
}

// appendPlace is a position without its chain of deletes.
func appendPlace(e *codec.Encoder, p wal.Position) {
	e.U64(p.Group)
	e.U64(p.Seq)
	e.Raw(p.Head[:])
}

func (s *Segment) append(e *codec.Encoder) {
	e.Raw(s.ID[:])
	e.U64(s.Epoch)
	e.Raw(s.DEK[:])
	sealed := uint8(0)
	if s.Sealed {
		sealed = 1
	}
	e.U8(sealed)
	e.U32(s.Rows)
	e.U32(s.Entries)
	e.U64(s.DataEnd)
	e.U64(s.Footer.Off)
	e.U64(s.Footer.Len)
	e.Raw(s.Footer.Hash[:])
	e.Raw(s.Dead[:])
	e.U32(s.DeadEntries)
	e.U64(s.DeadBytes)
}

// DecodeManifest reads a manifest and checks that it is index's and signed by
// one whom writer lists for its epoch.
func DecodeManifest(b []byte, index crypto.IndexID, writer func(crypto.UserID, uint64) (crypto.VerifyKey, bool)) (*Manifest, error) {
	d := codec.NewDecoder(b)
	if !bytes.Equal(d.Raw(len(manifestMagic)), []byte(manifestMagic)) {
		return nil, fmt.Errorf("manifest: %w", fault.ErrForeign)
	}
	if err := checkVersion(d, "manifest", manifestVersion); err != nil {
		return nil, err
	}
	m := new(Manifest)
	m.decode(d)
	end := d.Offset()
	d.Copy(m.Signature[:])
	if err := d.Done(); err != nil {
		return nil, fmt.Errorf("manifest: %w: %w", fault.ErrDamaged, err)
	}
	key, ok := writer(m.User, m.Epoch)
	if m.Index != index || !ok || !key.Verify(crypto.DomainManifest, b[:end], m.Signature) {
		return nil, fmt.Errorf("manifest: not signed by a writer of this index: %w", fault.ErrDamaged)
	}
	return m, nil
}

// checkVersion reads a version: a newer one is told apart from one that never
// was, which is the decoder's error.
func checkVersion(d *codec.Decoder, what string, known uint16) error {
	switch v := d.U16(); {
	case d.Err() != nil:
	case v > known:
		return fmt.Errorf("%s version %d, this build reads up to %d: %w", what, v, known, fault.ErrNewer)
	case v < known:
		d.Fail("version %d never was", v)
	}
	return nil
}

func (m *Manifest) decode(d *codec.Decoder) {
	d.Copy(m.Index[:])
	m.Epoch = d.U64()
	m.Version = d.U64()
	m.Dimension = d.U32()
	m.Start = wal.DecodePosition(d)
	m.Applied = wal.DecodePosition(d)
	if m.Erased = d.U64(); d.Err() == nil && m.Erased > m.Applied.Seq {
		d.Fail("erased up to number %d, applied up to %d", m.Erased, m.Applied.Seq)
	}
	n := d.Count(16 + placeSize)
	if n > MaxSessions {
		d.Fail("%d sessions, at most %d allowed", n, MaxSessions)
		return
	}
	m.Sessions = make([]Session, n)
	for i := range m.Sessions {
		d.Copy(m.Sessions[i].ID[:])
		m.Sessions[i].Last = decodePlace(d)
	}
	m.Segments = make([]Segment, d.Count(segmentSize))
	for i := range m.Segments {
		m.Segments[i].decode(d)
	}
	d.Copy(m.User[:])
}

func decodePlace(d *codec.Decoder) (p wal.Position) {
	p.Group = d.U64()
	p.Seq = d.U64()
	d.Copy(p.Head[:])
	return p
}

func (s *Segment) decode(d *codec.Decoder) {
	d.Copy(s.ID[:])
	s.Epoch = d.U64()
	d.Copy(s.DEK[:])
	sealed := d.U8()
	s.Sealed = sealed == 1
	s.Rows = d.U32()
	s.Entries = d.U32()
	s.DataEnd = d.U64()
	s.Footer.Off = d.U64()
	s.Footer.Len = d.U64()
	d.Copy(s.Footer.Hash[:])
	d.Copy(s.Dead[:])
	s.DeadEntries = d.U32()
	s.DeadBytes = d.U64()
	if d.Err() == nil && (sealed > 1 || s.DeadEntries > s.Entries || s.Entries > s.Rows) {
		d.Fail("segment %s: sealed %d, %d dead of %d entries of %d rows", s.ID, sealed, s.DeadEntries, s.Entries, s.Rows)
	}
}

// Clone copies the manifest, so that an edit leaves the original as it is.
func (m *Manifest) Clone() *Manifest {
	c := *m
	c.Sessions = append([]Session(nil), m.Sessions...)
	c.Segments = append([]Segment(nil), m.Segments...)
	return &c
}

// Segment finds a segment's entry, for reading or editing; nil when there is
// none.
func (m *Manifest) Segment(id crypto.SegmentID) *Segment {
	for i := range m.Segments {
		if m.Segments[i].ID == id {
			return &m.Segments[i]
		}
	}
	return nil
}

// Drop removes segments' entries.
func (m *Manifest) Drop(ids map[crypto.SegmentID]bool) {
	keep := m.Segments[:0]
	for _, s := range m.Segments {
		if !ids[s.ID] {
			keep = append(keep, s)
		}
	}
	m.Segments = keep
}

// Cover notes that a session has been applied up to at. A session that the
// manifest covers further already stays as it is.
func (m *Manifest) Cover(session crypto.SessionID, at wal.Position) {
	at.LastDelete = wal.Mark{}
	for i := range m.Sessions {
		if s := &m.Sessions[i]; s.ID == session {
			if at.Group > s.Last.Group {
				s.Last = at
			}
			return
		}
	}
	m.Sessions = append(m.Sessions, Session{ID: session, Last: at})
	if len(m.Sessions) > MaxSessions {
		m.Sessions = m.Sessions[len(m.Sessions)-MaxSessions:]
	}
}
