package wal

import (
	"fmt"

	"oubliette/crypto"
)

// stubbed is the group that was encoded last, as a ledger keeps it: byte for
// byte as in the log, but each record that does not delete gives way to a stub,
// which is what the group's hash covers of a record. It is valid until the next
// group.
func (g *encoder) stubbed(records []Record) []byte {
	g.short = append(g.short[:0], g.buf.B[:headerSize]...)
	for i := range records {
		if records[i].Kind.deletes() {
			g.short = append(g.short, g.buf.B[g.ends[i]:g.ends[i+1]]...)
			continue
		}
		stub := g.hashed[headerSize+i*stubSize:]
		g.short = append(g.short, stub[:stubSize]...)
	}
	return append(g.short, g.buf.B[g.ends[len(records)]:]...)
}

// Stubbed is a group in the form in which a ledger keeps it: the records that
// delete, sealed, and of every other record its kind, writer, number and the
// hash of its sealed body. Hash and signatures are those of the group in the
// log.
type Stubbed struct {
	g    *sealedGroup
	size int
}

// DecodeStubbed reads a group as [Config.Ledger] was given it. It checks its
// shape and computes its hash; whether writers have signed it is for
// [Stubbed.Verify]. A group of which no record deletes is refused. The result
// holds on to b. It allocates about as much as b is long; an error says what is
// wrong and where, and wraps fault.ErrForeign, fault.ErrNewer or
// fault.ErrDamaged.
func DecodeStubbed(b []byte) (*Stubbed, error) {
	g, err := decodeGroup(b, inLedger)
	if err == nil && !g.deletes() {
		err = fmt.Errorf("group %d of index %s deletes nothing", g.Group, g.Index)
	}
	if err != nil {
		return nil, damaged(err)
	}
	return &Stubbed{g, len(b)}, nil
}

// Index is the index whose log the group belongs to.
func (s *Stubbed) Index() crypto.IndexID { return s.g.Index }

// Session is the run of the log that wrote the group.
func (s *Stubbed) Session() crypto.SessionID { return s.g.Session }

// Epoch is the epoch in which the group was written.
func (s *Stubbed) Epoch() uint64 { return s.g.Epoch }

// FirstSeq is the sequence number of the group's first record.
func (s *Stubbed) FirstSeq() uint64 { return s.g.FirstSeq }

// Previous is the hash of the group before this one in the log.
func (s *Stubbed) Previous() crypto.Hash { return s.g.Previous }

// LastDelete is the last group before this one that deletes.
func (s *Stubbed) LastDelete() Mark { return s.g.LastDelete }

// Position is the place in the log behind the group: with it a log goes on that
// has lost the group.
func (s *Stubbed) Position() Position { return s.g.position() }

// Verify checks that every writer of the group signed it and is one whom writer
// lists for the group's epoch.
func (s *Stubbed) Verify(writer func(user crypto.UserID, epoch uint64) (crypto.VerifyKey, bool)) error {
	return s.g.verify(writer)
}

// Open opens the records that delete, in their order; it leaves the others out.
// The caller has verified the group.
func (s *Stubbed) Open(mapKey func(epoch uint64) (crypto.Secret, bool)) ([]Replayed, error) {
	key, ok := mapKey(s.g.Epoch)
	if !ok {
		return nil, fmt.Errorf("%s: no map key of epoch %d", groupName(s.g.Index, s.g.Group), s.g.Epoch)
	}
	out, err := s.g.open(newSession(s.g.Session, s.g.Index, s.g.Epoch, key), Kind.deletes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", groupName(s.g.Index, s.g.Group), damaged(err))
	}
	out[0].Bytes = s.size
	return out, nil
}
