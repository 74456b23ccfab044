package compaction

import (
	"bytes"
	"encoding/binary"
	"errors"
	"reflect"
	"testing"

	"oubliette/crypto"
	"oubliette/internal/fault"
	"oubliette/segment"
	"oubliette/wal"
)

// manifest is a small manifest with a sealed and an open segment.
func manifest() *Manifest {
	at := func(n uint64) wal.Position { return wal.Position{Group: n, Seq: 3 * n, Head: crypto.Hash{byte(n)}} }
	deleting := func(n, last uint64) wal.Position {
		p := at(n)
		p.LastDelete = wal.Mark{Group: last, Hash: crypto.Hash{byte(last)}}
		return p
	}
	return &Manifest{
		Index: index, Epoch: 3, Version: 12, Dimension: 128, Start: deleting(5, 3), Applied: deleting(9, 9),
		Sessions: []Session{{crypto.SessionID{1}, at(7)}, {crypto.SessionID{2}, at(9)}},
		Segments: []Segment{
			{
				ID: crypto.SegmentID{0xA}, Epoch: 2, DEK: crypto.Hash{1}, Sealed: true, Rows: 10, Entries: 9, DataEnd: 99999,
				Footer: segment.FooterRef{Off: 102400, Len: 352, Hash: crypto.Hash{2}}, Dead: crypto.Hash{3}, DeadEntries: 4, DeadBytes: 555,
			},
			{ID: crypto.SegmentID{0xB}, Epoch: 3, DEK: crypto.Hash{4}},
		},
	}
}

// clerk signs manifests; its list is who may.
func clerk() (*crypto.Signer, func(crypto.UserID, uint64) (crypto.VerifyKey, bool)) {
	s := crypto.NewSigner(crypto.UserID{7}, crypto.NewSecret())
	return s, func(u crypto.UserID, epoch uint64) (crypto.VerifyKey, bool) {
		return s.Public(), u == s.User() && epoch == 3
	}
}

func TestManifestReadsBack(t *testing.T) {
	signer, writer := clerk()
	for name, m := range map[string]*Manifest{
		"whole": manifest(),
		"empty": {Index: index, Epoch: 3, Sessions: []Session{}, Segments: []Segment{}},
	} {
		got, err := DecodeManifest(m.Sign(signer), index, writer)
		if err != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("%s: %+v, want %+v; %v", name, got, m, err)
		}
		if got.User != signer.User() {
			t.Errorf("%s: signed by %s", name, got.User)
		}
	}
}

func TestEveryByteOfAManifestCounts(t *testing.T) {
	signer, writer := clerk()
	whole := manifest().Sign(signer)
	for i := range whole {
		for _, bit := range []byte{1, 0x80} {
			b := bytes.Clone(whole)
			b[i] ^= bit
			want := fault.ErrDamaged
			if i < 8 {
				want = fault.ErrForeign
			} else if i < 10 && !(i == 8 && bit == 1) {
				want = fault.ErrNewer
			}
			m, err := DecodeManifest(b, index, writer)
			if m != nil || !errors.Is(err, want) || errorsNamed(err) != 1 {
				t.Errorf("byte %d: %v, want %v alone", i, err, want)
			}
		}
	}
	for n := range whole {
		if _, err := DecodeManifest(whole[:n], index, writer); err == nil {
			t.Errorf("%d of %d bytes are taken", n, len(whole))
		}
	}
	if _, err := DecodeManifest(append(bytes.Clone(whole), 0), index, writer); !errors.Is(err, fault.ErrDamaged) {
		t.Errorf("a byte too many: %v", err)
	}
}

func TestManifestOfNobodyIsRefused(t *testing.T) {
	signer, writer := clerk()
	whole := manifest().Sign(signer)
	stranger := crypto.NewSigner(crypto.UserID{8}, crypto.NewSecret())
	liar := crypto.NewSigner(signer.User(), crypto.NewSecret())
	later := manifest()
	later.Epoch = 4
	elsewhere := manifest()
	elsewhere.Index[0]++
	body := whole[:len(whole)-64]
	other := signer.Sign(crypto.DomainFooter, body)
	for name, b := range map[string][]byte{
		"a stranger's":              manifest().Sign(stranger),
		"one in another's name":     manifest().Sign(liar),
		"of an epoch not listed":    later.Sign(signer),
		"another index's":           elsewhere.Sign(signer),
		"signed for another domain": append(bytes.Clone(body), other[:]...),
	} {
		if _, err := DecodeManifest(b, index, writer); !errors.Is(err, fault.ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := DecodeManifest(whole, crypto.IndexID{}, writer); !errors.Is(err, fault.ErrDamaged) {
		t.Errorf("asked for another index: %v", err)
	}
}

// TestManifestsOutOfBoundsAreRefused: they are signed well, by a writer whose
// program is at fault.
func TestManifestsOutOfBoundsAreRefused(t *testing.T) {
	signer, writer := clerk()
	for name, spoil := range map[string]func(*Manifest){
		"more dead than entries":         func(m *Manifest) { m.Segments[0].DeadEntries = 10 },
		"more entries than rows":         func(m *Manifest) { m.Segments[0].Rows = 8 },
		"a delete behind its position":   func(m *Manifest) { m.Start.LastDelete.Group = 6 },
		"a delete of another hash":       func(m *Manifest) { m.Applied.LastDelete.Hash[0]++ },
		"a delete without a hash":        func(m *Manifest) { m.Start.LastDelete.Hash = crypto.Hash{} },
		"no delete, and the hash of one": func(m *Manifest) { m.Start.LastDelete.Group = 0 },
		"too many sessions":              func(m *Manifest) { m.Sessions = make([]Session, MaxSessions+1) },
	} {
		m := manifest()
		spoil(m)
		if _, err := DecodeManifest(m.Sign(signer), index, writer); !errors.Is(err, fault.ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	m := manifest()
	m.Sessions = make([]Session, MaxSessions)
	if _, err := DecodeManifest(m.Sign(signer), index, writer); err != nil {
		t.Errorf("as many sessions as allowed: %v", err)
	}
}

// TestCountsAreHeldAgainstTheBytes puts a count of 2^32-1 where counts stand.
func TestCountsAreHeldAgainstTheBytes(t *testing.T) {
	signer, writer := clerk()
	whole := manifest().Sign(signer)
	sessions := 8 + 2 + 16 + 8 + 8 + 4 + 2*88 + 8
	segments := sessions + 4 + 2*64
	for _, at := range []int{sessions, segments} {
		if binary.LittleEndian.Uint32(whole[at:]) != 2 {
			t.Fatalf("no count at %d", at)
		}
		b := bytes.Clone(whole)
		binary.LittleEndian.PutUint32(b[at:], 1<<32-1)
		allocated := testing.AllocsPerRun(1, func() {
			if _, err := DecodeManifest(b, index, writer); !errors.Is(err, fault.ErrDamaged) {
				t.Errorf("count at %d: %v", at, err)
			}
		})
		if allocated > 50 {
			t.Errorf("count at %d: %v allocations", at, allocated)
		}
	}
}

func TestCloneSharesNothingThatChanges(t *testing.T) {
	m, want := manifest(), manifest()
	c := m.Clone()
	if !reflect.DeepEqual(m, c) {
		t.Fatalf("%+v is no clone of %+v", c, m)
	}
	c.Version, c.Applied.Group = 99, 99
	c.Segment(crypto.SegmentID{0xA}).DeadEntries = 9
	c.Cover(crypto.SessionID{2}, wal.Position{Group: 50, LastDelete: wal.Mark{Group: 50}})
	c.Cover(crypto.SessionID{3}, wal.Position{Group: 51})
	c.Segments = append(c.Segments, Segment{ID: crypto.SegmentID{0xC}})
	c.Drop(map[crypto.SegmentID]bool{{0xA}: true})
	if last := c.Sessions[1].Last; last != (wal.Position{Group: 50}) {
		t.Errorf("session 2 is covered up to %+v", last)
	}
	signer, _ := clerk()
	c.Sign(signer)
	if !reflect.DeepEqual(m, want) {
		t.Errorf("an edit of the clone changed the original: %+v", m)
	}
	if len(c.Segments) != 2 || c.Segment(crypto.SegmentID{0xA}) != nil || c.Segment(crypto.SegmentID{0xC}) == nil {
		t.Errorf("the clone is %+v", c.Segments)
	}
}

func TestCoverRemembersTheNewestSessions(t *testing.T) {
	m := new(Manifest)
	id := func(n int) (s crypto.SessionID) {
		binary.LittleEndian.PutUint32(s[:], uint32(n))
		return s
	}
	for n := range MaxSessions + 10 {
		m.Cover(id(n), wal.Position{Group: uint64(n)})
		m.Cover(id(n), wal.Position{Group: uint64(n) + 1})
	}
	if len(m.Sessions) != MaxSessions {
		t.Fatalf("%d sessions", len(m.Sessions))
	}
	for i, s := range m.Sessions {
		if s.ID != id(i+10) || s.Last.Group != uint64(i+11) {
			t.Fatalf("session %d is %+v", i, s)
		}
	}
}
