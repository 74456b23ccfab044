package wal

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"slices"

	"oubliette/crypto"
	"oubliette/internal/codec"
	"oubliette/internal/fault"
)

// Kind tells the records apart.
type Kind uint8

// The kinds of records.
const (
	KindUpsert    Kind = 1
	KindTombstone Kind = 2
	KindExpiry    Kind = 3
)

// deletes tells whether records of the kind delete something: these have to be
// applied, and nobody may lose them.
func (k Kind) deletes() bool { return k == KindTombstone || k == KindExpiry }

// Record is one call's entry in the log.
type Record struct {
	Kind    Kind
	User    crypto.UserID // who wrote it; the group carries this principal's signature
	Seq     uint64
	Payload []byte // in the clear; sealed in the group
}

// MaxGroup bounds a group's records, sealed, in bytes; so the largest single
// record.
const MaxGroup = 24 << 20

// MaxPayload is the largest payload of one record.
const MaxPayload = MaxGroup - recordOverhead

const (
	groupMagic     = "OUBLGRP\x00"
	groupVersion   = 1
	recordHeader   = 1 + 16 + 8
	recordOverhead = recordHeader + 4 + crypto.Overhead
	stubSize       = recordHeader + 32
	signatureSize  = 16 + 64
	maxRecords     = 1 << 16
)

// header is the part of a group that stands in the clear and is hashed first.
type header struct {
	Index    crypto.IndexID
	Session  crypto.SessionID
	Epoch    uint64
	Group    uint64
	FirstSeq uint64
	Count    uint32
	Previous crypto.Hash
	// LastDelete is the last group before this one that has a record that
	// deletes: the chain that a ledger holds.
	LastDelete Mark
}

const headerSize = 8 + 2 + 16 + 16 + 8 + 8 + 8 + 4 + 32 + 8 + 32

// lastSeq is the sequence number of the group's last record.
func (h *header) lastSeq() uint64 { return h.FirstSeq + uint64(h.Count) - 1 }

// behind is the position behind the group, whose hash is sum.
func (h *header) behind(sum crypto.Hash, deletes bool) Position {
	at := Position{Group: h.Group, Seq: h.lastSeq(), Head: sum, LastDelete: h.LastDelete}
	if deletes {
		at.LastDelete = Mark{Group: h.Group, Hash: sum}
	}
	return at
}

func (h *header) append(e *codec.Encoder) {
	e.Raw([]byte(groupMagic))
	e.U16(groupVersion)
	e.Raw(h.Index[:])
	e.Raw(h.Session[:])
	e.U64(h.Epoch)
	e.U64(h.Group)
	e.U64(h.FirstSeq)
	e.U32(h.Count)
	e.Raw(h.Previous[:])
	e.U64(h.LastDelete.Group)
	e.Raw(h.LastDelete.Hash[:])
}

func decodeHeader(d *codec.Decoder) (h header, err error) {
	magic := d.Raw(len(groupMagic))
	if d.Err() == nil && !bytes.Equal(magic, []byte(groupMagic)) {
		return h, fault.ErrForeign
	}
	switch v := d.U16(); {
	case d.Err() != nil:
	case v > groupVersion:
		return h, fmt.Errorf("log group version %d, this build reads up to %d: %w", v, groupVersion, fault.ErrNewer)
	case v < groupVersion:
		d.Fail("log group version %d never was", v)
	}
	d.Copy(h.Index[:])
	d.Copy(h.Session[:])
	h.Epoch = d.U64()
	h.Group = d.U64()
	h.FirstSeq = d.U64()
	h.Count = d.U32()
	d.Copy(h.Previous[:])
	h.LastDelete.Group = d.U64()
	d.Copy(h.LastDelete.Hash[:])
	if d.Err() == nil {
		h.check(d)
	}
	return h, d.Err()
}

// check holds the figures of a header against each other: a group is of an epoch,
// has records, and both chains lead to groups before it.
func (h *header) check(d *codec.Decoder) {
	last := &h.LastDelete
	switch {
	case h.Epoch == 0:
		d.Fail("group of epoch 0, they count from 1")
	case h.Count == 0 || h.Count > maxRecords || h.FirstSeq == 0 || h.FirstSeq > math.MaxUint64-maxRecords:
		d.Fail("group of %d records from sequence number %d", h.Count, h.FirstSeq)
	case last.Group >= h.Group || (last.Group == 0) != (last.Hash == crypto.Hash{}):
		d.Fail("group %d names group %d, hash %s, as the last before it that deletes", h.Group, last.Group, last.Hash)
	case last.Group != 0 && last.Group == h.Group-1 && last.Hash != h.Previous:
		d.Fail("group %d names two hashes of the group before it", h.Group)
	}
}

// keptBuffer is how large a group may be whose buffer is kept for the next.
const keptBuffer = 1 << 20

// encoder builds groups; its buffers are kept from group to group.
type encoder struct {
	buf    codec.Encoder
	hashed []byte // header and stubs of all records
	ends   []int  // where in buf the header and each record end
	short  []byte // the group as a ledger keeps it
}

// group encodes and signs; signers are in the order of their first records. The
// result is valid until the next call.
func (g *encoder) group(s *session, h *header, records []Record, signers []*crypto.Signer) ([]byte, crypto.Hash) {
	g.reset(records, len(signers))
	h.append(&g.buf)
	g.hashed = append(g.hashed, g.buf.B...)
	g.ends = append(g.ends, len(g.buf.B))
	for i := range records {
		g.record(s, h.Group, &records[i])
	}
	sum := crypto.Hash(sha256.Sum256(g.hashed))
	statement := statement(h, sum)
	g.buf.U32(uint32(len(signers)))
	for _, signer := range signers {
		user := signer.User()
		sig := signer.Sign(crypto.DomainGroup, append(statement, user[:]...))
		g.buf.Raw(user[:])
		g.buf.Raw(sig[:])
	}
	return g.buf.B, sum
}

// reset empties the buffers and makes room at once: a group that grows its
// buffer piece by piece is copied several times.
func (g *encoder) reset(records []Record, signers int) {
	size := headerSize + 4 + signers*signatureSize
	for i := range records {
		size += recordOverhead + len(records[i].Payload)
	}
	g.buf.B = slices.Grow(g.buf.B[:0], size)
	g.hashed = slices.Grow(g.hashed[:0], headerSize+stubSize*len(records))
	g.ends = g.ends[:0]
}

// release lets go of large buffers.
func (g *encoder) release() {
	if cap(g.buf.B) > keptBuffer {
		g.buf.B = nil
	}
	if cap(g.short) > keptBuffer {
		g.short = nil
	}
}

func (g *encoder) record(s *session, group uint64, r *Record) {
	start := len(g.buf.B)
	g.buf.U8(uint8(r.Kind))
	g.buf.Raw(r.User[:])
	g.buf.U64(r.Seq)
	g.hashed = append(g.hashed, g.buf.B[start:]...)
	g.buf.U32(uint32(len(r.Payload) + crypto.Overhead))
	sealed := len(g.buf.B)
	g.buf.B = s.seal(g.buf.B, group, r)
	sum := sha256.Sum256(g.buf.B[sealed:])
	g.hashed = append(g.hashed, sum[:]...)
	g.ends = append(g.ends, len(g.buf.B))
}

// statement is what a principal signs of a group, less its own id: where it
// stands, what precedes it, and its hash, which covers the header, with both
// chains, and every record with the name of its writer. A signature vouches for the records that bear the
// signer's id.
func statement(h *header, sum crypto.Hash) []byte {
	e := codec.Encoder{B: make([]byte, 0, 16+8+16+8+8+8+32+32+16)}
	e.Raw(h.Index[:])
	e.U64(h.Epoch)
	e.Raw(h.Session[:])
	e.U64(h.Group)
	e.U64(h.FirstSeq)
	e.U64(h.lastSeq())
	e.Raw(h.Previous[:])
	e.Raw(sum[:])
	return e.B
}

// sealedGroup is a group as decoded, before any key has touched it.
type sealedGroup struct {
	header
	records    []Record // Payload is the sealed body, or the hash of it where a stub stands
	sum        crypto.Hash
	signatures []signature // one a writer, in the order of their first records
}

// deletes tells whether a record of the group deletes something.
func (g *sealedGroup) deletes() bool { return anyDeletes(g.records) }

func anyDeletes(records []Record) bool {
	return slices.ContainsFunc(records, func(r Record) bool { return r.Kind.deletes() })
}

// position is the place in the log behind the group.
func (g *sealedGroup) position() Position { return g.behind(g.sum, g.deletes()) }

type signature struct {
	user crypto.UserID
	sig  crypto.Signature
}

// form is how a group's records stand.
type form bool

const (
	inLog    form = false // all of them sealed
	inLedger form = true  // stubs for those that do not delete
)

// decodeGroup reads a group; it checks its shape, not its signatures. A group
// has one encoding in either form: what decodes encodes to the same bytes.
func decodeGroup(b []byte, f form) (*sealedGroup, error) {
	d := codec.NewDecoder(b)
	h, err := decodeHeader(d)
	if err != nil {
		return nil, err
	}
	g := &sealedGroup{header: h}
	if uint64(h.Count)*recordOverhead > uint64(d.Remaining()) { // a stub is larger
		return nil, fmt.Errorf("group of %d records in %d bytes", h.Count, len(b))
	}
	hashed := append(make([]byte, 0, headerSize+stubSize*int(h.Count)), b[:headerSize]...)
	g.records = make([]Record, h.Count)
	for i := range g.records {
		start := d.Offset()
		r := &g.records[i]
		sum := decodeRecord(d, r, h.FirstSeq+uint64(i), f)
		if d.Err() != nil {
			return nil, d.Err()
		}
		hashed = append(append(hashed, b[start:start+recordHeader]...), sum[:]...)
	}
	g.sum = sha256.Sum256(hashed)
	g.decodeSignatures(d)
	return g, d.Done()
}

// decodeRecord reads a record or its stub and answers the hash of the sealed
// body.
func decodeRecord(d *codec.Decoder, r *Record, want uint64, f form) (sum crypto.Hash) {
	r.Kind = Kind(d.U8())
	d.Copy(r.User[:])
	r.Seq = d.U64()
	if f == inLedger && !r.Kind.deletes() {
		r.Payload = d.Raw(len(sum))
		copy(sum[:], r.Payload)
	} else {
		r.Payload = d.Blob(MaxGroup)
		if d.Err() == nil && len(r.Payload) < crypto.Overhead {
			d.Fail("record %d of %d bytes", r.Seq, len(r.Payload))
		}
		sum = sha256.Sum256(r.Payload)
	}
	if d.Err() == nil && r.Seq != want {
		d.Fail("record numbered %d where %d belongs", r.Seq, want)
	}
	return sum
}

// decodeSignatures reads one signature a writer and nothing else: the hash of a
// group does not cover its signatures, so what more there might be is anybody's.
func (g *sealedGroup) decodeSignatures(d *codec.Decoder) {
	writers := g.writers()
	n := d.Count(signatureSize)
	if d.Err() == nil && n != len(writers) {
		d.Fail("%d signatures of %d writers", n, len(writers))
	}
	if d.Err() != nil {
		return
	}
	g.signatures = make([]signature, n)
	for i := range g.signatures {
		s := &g.signatures[i]
		d.Copy(s.user[:])
		d.Copy(s.sig[:])
		if s.user != writers[i] {
			d.Fail("signature of user %s where that of user %s belongs", s.user, writers[i])
		}
	}
}

// writers are those who have a record in the group, in the order of their first.
func (g *sealedGroup) writers() []crypto.UserID {
	var out []crypto.UserID
	seen := make(map[crypto.UserID]bool, 1)
	for i := range g.records {
		if u := g.records[i].User; !seen[u] {
			seen[u] = true
			out = append(out, u)
		}
	}
	return out
}

var errUnsigned = errors.New("a record's writer did not sign, or may not write in this epoch")

// verify checks that every writer of the group signed it and is one whom the
// epoch lists.
func (g *sealedGroup) verify(writer func(crypto.UserID, uint64) (crypto.VerifyKey, bool)) error {
	for i := range g.signatures {
		if err := g.verifyOf(g.signatures[i].user, writer); err != nil {
			return err
		}
	}
	return nil
}

// verifyOf checks that of one of them.
func (g *sealedGroup) verifyOf(user crypto.UserID, writer func(crypto.UserID, uint64) (crypto.VerifyKey, bool)) error {
	i := slices.IndexFunc(g.signatures, func(s signature) bool { return s.user == user })
	key, ok := writer(user, g.Epoch)
	if i < 0 || !ok || !key.Verify(crypto.DomainGroup, append(statement(&g.header, g.sum), user[:]...), g.signatures[i].sig) {
		return fmt.Errorf("user %s: %w", user, errUnsigned)
	}
	return nil
}
