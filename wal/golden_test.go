package wal

import (
	"testing"

	"oubliette/crypto"
	"oubliette/internal/golden"
)

const page = "log.md"

// count fills b with first, first+1, ...
func count(b []byte, first byte) []byte {
	for i := range b {
		b[i] = first + byte(i)
	}
	return b
}

func fixedSecret(t testing.TB, first byte) crypto.Secret {
	t.Helper()
	s, err := crypto.SecretFromBytes(count(make([]byte, 32), first))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// fixedGroup is the page's example: a user's delete and root's upsert.
func fixedGroup(t *testing.T) (*session, *header, []Record, []*crypto.Signer) {
	h := &header{Epoch: 3, Group: 7, FirstSeq: 42, Count: 2}
	count(h.Index[:], 0x10)
	count(h.Session[:], 0x20)
	count(h.Previous[:], 0x30)
	h.LastDelete.Group = 5
	count(h.LastDelete.Hash[:], 0x50)
	var user crypto.UserID
	count(user[:], 0x60)
	records := []Record{
		{Kind: KindTombstone, User: user, Seq: 42, Payload: []byte("a tombstone record")},
		{Kind: KindUpsert, Seq: 43, Payload: []byte("a placement")},
	}
	signers := []*crypto.Signer{crypto.NewSigner(user, fixedSecret(t, 0x80)), crypto.NewSigner(crypto.UserID{}, fixedSecret(t, 0xA0))}
	return newSession(h.Session, h.Index, h.Epoch, fixedSecret(t, 0x40)), h, records, signers
}

func TestGoldenGroup(t *testing.T) {
	s, h, records, signers := fixedGroup(t)
	var enc encoder
	value, sum := enc.group(s, h, records, signers)
	golden.Check(t, page, "group", value, []golden.Field{
		{Name: "magic", Size: 8}, {Name: "version", Size: 2}, {Name: "index id", Size: 16}, {Name: "session id", Size: 16},
		{Name: "epoch", Size: 8}, {Name: "group", Size: 8}, {Name: "first sequence number", Size: 8}, {Name: "records", Size: 4},
		{Name: "hash of the group before", Size: 32}, {Name: "last group that deletes", Size: 8}, {Name: "hash of that group", Size: 32},
		{Name: "record 0: kind (1 upsert, 2 tombstone, 3 expiry)", Size: 1}, {Name: "record 0: user id", Size: 16}, {Name: "record 0: sequence number", Size: 8},
		{Name: "record 0: sealed length", Size: 4}, {Name: "record 0: ciphertext", Size: 18}, {Name: "record 0: tag", Size: 16},
		{Name: "record 1: kind", Size: 1}, {Name: "record 1: user id (root)", Size: 16}, {Name: "record 1: sequence number", Size: 8},
		{Name: "record 1: sealed length", Size: 4}, {Name: "record 1: ciphertext", Size: 11}, {Name: "record 1: tag", Size: 16},
		{Name: "signatures", Size: 4},
		{Name: "signature 0: user id", Size: 16}, {Name: "signature 0", Size: 64},
		{Name: "signature 1: user id", Size: 16}, {Name: "signature 1", Size: 64},
	})
	golden.Check(t, page, "the same group in a ledger", enc.stubbed(records), []golden.Field{
		{Name: "header, as in the log", Size: headerSize},
		{Name: "record 0: kind", Size: 1}, {Name: "record 0: user id", Size: 16}, {Name: "record 0: sequence number", Size: 8},
		{Name: "record 0: sealed length", Size: 4}, {Name: "record 0: ciphertext", Size: 18}, {Name: "record 0: tag", Size: 16},
		{Name: "record 1: kind", Size: 1}, {Name: "record 1: user id (root)", Size: 16}, {Name: "record 1: sequence number", Size: 8},
		{Name: "record 1: SHA-256 of ciphertext and tag", Size: 32},
		{Name: "signatures", Size: 4},
		{Name: "signature 0: user id", Size: 16}, {Name: "signature 0", Size: 64},
		{Name: "signature 1: user id", Size: 16}, {Name: "signature 1", Size: 64},
	})
	user := records[0].User
	golden.Check(t, page, "what the user signs of it", append(statement(h, sum), user[:]...), []golden.Field{
		{Name: "index id", Size: 16}, {Name: "epoch", Size: 8}, {Name: "session id", Size: 16}, {Name: "group", Size: 8},
		{Name: "first sequence number", Size: 8}, {Name: "last sequence number", Size: 8},
		{Name: "hash of the group before", Size: 32}, {Name: "hash of the group", Size: 32}, {Name: "user id of the signer", Size: 16},
	})
	g, err := decodeGroup(value, inLog)
	if err != nil || g.sum != sum {
		t.Fatal(err)
	}
	if got, err := s.open(7, &records[0], g.records[0].Payload); err != nil || string(got) != "a tombstone record" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestGoldenSealOfARecord(t *testing.T) {
	s, h, records, _ := fixedGroup(t)
	s.aim(h.Group, &records[0])
	golden.Check(t, page, "nonce of record 0", s.nonce[:], []golden.Field{{Name: "sequence number", Size: 8}, {Name: "zeros", Size: 4}})
	golden.Check(t, page, "associated data of record 0", s.bound, []golden.Field{
		{Name: "label", Size: len(labelRecord)}, {Name: "index id", Size: 16}, {Name: "session id", Size: 16}, {Name: "epoch", Size: 8},
		{Name: "group", Size: 8}, {Name: "sequence number", Size: 8}, {Name: "kind", Size: 1}, {Name: "user id", Size: 16},
	})
}
