package ledger

import (
	"testing"

	"oubliette/crypto"
	"oubliette/internal/golden"
	"oubliette/wal"
)

const page = "ledger.md"

// fixed is the page's example: an index, and a place in its log.
func fixed() (index crypto.IndexID, at wal.Position) {
	count(index[:], 0x10)
	at = wal.Position{Group: 7, Seq: 43, LastDelete: wal.Mark{Group: 5}}
	count(at.Head[:], 0x60)
	count(at.LastDelete.Hash[:], 0x50)
	return index, at
}

// fixedStore is the store of the page's example.
func fixedStore() (id [16]byte) {
	count(id[:], 0x70)
	return id
}

func TestGoldenHead(t *testing.T) {
	golden.Check(t, page, "head", encodeHeader(fixedStore()), []golden.Field{
		{Name: "magic", Size: 8}, {Name: "version", Size: 2}, {Name: "zeros", Size: 6}, {Name: "store id", Size: 16},
		{Name: "SHA-256 of all before, first 8 bytes", Size: 8},
	})
}

func TestGoldenFrame(t *testing.T) {
	index, _ := fixed()
	id := fixedStore()
	entry := GoneEntry(id, index, 3, crypto.NewSigner(crypto.UserID{}, seed(t, 1)))
	golden.Check(t, page, "frame at offset 40", appendFrame(nil, entry, 40), []golden.Field{
		{Name: "length of the entry", Size: 4}, {Name: "CRC-32C of offset, length and entry", Size: 4},
		{Name: "entry: kind (4 gone)", Size: 1}, {Name: "entry: version", Size: 1}, {Name: "entry: index id", Size: 16},
		{Name: "entry: epoch", Size: 8}, {Name: "entry: root's signature", Size: 64}, {Name: "zeros", Size: 6},
	})
}

func TestGoldenEntries(t *testing.T) {
	index, at := fixed()
	b := Begin{Index: index, Name: "letters", At: at}
	golden.Check(t, page, "begin", b.Entry(), []golden.Field{
		{Name: "kind (1 begin)", Size: 1}, {Name: "version", Size: 1}, {Name: "index id", Size: 16},
		{Name: "length of the name", Size: 4}, {Name: "name", Size: 7},
		{Name: "group", Size: 8}, {Name: "sequence number", Size: 8}, {Name: "head", Size: 32},
		{Name: "last group that deletes", Size: 8}, {Name: "hash of that group", Size: 32},
	})
	w := newWorld(t, new(list))
	golden.Check(t, page, "epoch", EpochEntry(w.raw[0]), []golden.Field{
		{Name: "kind (3 epoch)", Size: 1}, {Name: "version", Size: 1}, {Name: "epoch record", Size: len(w.raw[0])},
	})
	golden.Check(t, page, "group", GroupEntry([]byte("a group")), []golden.Field{
		{Name: "kind (2 group)", Size: 1}, {Name: "version", Size: 1}, {Name: "group (here a text of 7 bytes)", Size: 7},
	})
}
