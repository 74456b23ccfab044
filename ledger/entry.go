package ledger

import (
	"fmt"

	"oubliette/crypto"
	"oubliette/internal/codec"
	"oubliette/internal/fault"
	"oubliette/wal"
)

// MaxEntry is the size in bytes of the largest entry. The largest group has 24
// MiB of records and less than 6 MiB of heads, stubs and signatures; the largest
// epoch record (10,000 users, 100,000 segments) has less than 19 MiB.
const MaxEntry = 64 << 20

// kind tells entries apart.
type kind uint8

const (
	kindBegin kind = 1
	kindGroup kind = 2
	kindEpoch kind = 3
	kindGone  kind = 4

	entryVersion = 1
	entryHead    = 2
)

// encoderFor begins an entry whose body has size bytes.
func encoderFor(k kind, size int) *codec.Encoder {
	e := &codec.Encoder{B: make([]byte, 0, entryHead+size)}
	e.U8(uint8(k))
	e.U8(entryVersion)
	return e
}

// Begin says from where on a ledger knows an index.
type Begin struct {
	Index crypto.IndexID
	Name  string       // at most crypto.MaxName bytes
	At    wal.Position // zeros for an index that is made under the ledger
}

// Entry encodes it.
func (b *Begin) Entry() []byte {
	e := encoderFor(kindBegin, 16+4+len(b.Name)+wal.PositionSize)
	e.Raw(b.Index[:])
	e.Blob([]byte(b.Name))
	b.At.Append(e)
	return e.B
}

// GroupEntry is the entry of a group as wal.Config.Ledger is given it.
func GroupEntry(group []byte) []byte {
	e := encoderFor(kindGroup, len(group))
	e.Raw(group)
	return e.B
}

// EpochEntry is the entry of an epoch record as it is stored.
func EpochEntry(record []byte) []byte {
	e := encoderFor(kindEpoch, len(record))
	e.Raw(record)
	return e.B
}

// GoneEntry is root's signed word that it deletes the index from the store of that
// id, in the epoch that is the newest.
func GoneEntry(store [16]byte, index crypto.IndexID, epoch uint64, root *crypto.Signer) []byte {
	g := gone{index: index, epoch: epoch}
	g.signature = root.Sign(crypto.DomainGone, g.statement(store))
	e := encoderFor(kindGone, 16+8+len(g.signature))
	e.Raw(g.index[:])
	e.U64(g.epoch)
	e.Raw(g.signature[:])
	return e.B
}

type gone struct {
	index     crypto.IndexID
	epoch     uint64
	signature crypto.Signature
}

// statement is what root signs: store, index and epoch. The id of an index does not
// do by itself: a store and what was restored from its backup have the same indexes
// under the same keys, and what is deleted in one stays in the other. The store's id
// stands in the head of the ledger, not in the entry.
func (g *gone) statement(store [16]byte) []byte {
	var e codec.Encoder
	e.Raw(store[:])
	e.Raw(g.index[:])
	e.U64(g.epoch)
	return e.B
}

// epoch is an epoch record and the hash of its bytes.
type epoch struct {
	record *crypto.EpochRecord
	sum    crypto.Hash
}

// decodeEntry reads an entry: a *Begin, *wal.Stubbed, *epoch or *gone. It checks
// shapes, and of an epoch record its own signature. The result holds on to b.
func decodeEntry(b []byte) (any, error) {
	d := codec.NewDecoder(b)
	k := kind(d.U8())
	if v := d.U8(); d.Err() == nil && v > entryVersion {
		return nil, fmt.Errorf("entry version %d, this build reads up to %d: %w", v, entryVersion, fault.ErrNewer)
	} else if v < entryVersion {
		d.Fail("entry version %d never was", v)
	}
	if d.Err() != nil {
		return nil, d.Err()
	}
	body := b[entryHead:]
	switch k {
	case kindBegin:
		return decodeBegin(d)
	case kindGroup:
		return wal.DecodeStubbed(body)
	case kindEpoch:
		record, err := crypto.DecodeEpochRecord(body)
		if err != nil {
			return nil, err
		}
		return &epoch{record, crypto.Sum(body)}, nil
	case kindGone:
		return decodeGone(d)
	}
	return nil, fmt.Errorf("entry of unknown kind %d", k)
}

func decodeBegin(d *codec.Decoder) (*Begin, error) {
	b := new(Begin)
	d.Copy(b.Index[:])
	b.Name = string(d.Blob(crypto.MaxName))
	b.At = wal.DecodePosition(d)
	return b, d.Done()
}

func decodeGone(d *codec.Decoder) (*gone, error) {
	g := new(gone)
	d.Copy(g.index[:])
	g.epoch = d.U64()
	d.Copy(g.signature[:])
	if d.Err() == nil && g.epoch == 0 {
		d.Fail("gone in epoch 0, they count from 1")
	}
	return g, d.Done()
}
