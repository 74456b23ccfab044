package wal

import (
	"crypto/cipher"
	"encoding/binary"

	"oubliette/crypto"
)

const labelSession = "oubliette/log-session/v1"
const labelRecord = "oubliette/log-record/v1"

// session seals and opens the records of one run. It is used by one goroutine at
// a time: by who leads, or by who replays.
type session struct {
	id    crypto.SessionID
	index crypto.IndexID
	epoch uint64
	aead  cipher.AEAD

	// Kept, because what a cipher.AEAD is given moves to the heap.
	nonce [crypto.NonceSize]byte
	bound []byte
}

func newSession(id crypto.SessionID, index crypto.IndexID, epoch uint64, mapKey crypto.Secret) *session {
	key := crypto.Derive(mapKey, id[:], labelSession, index[:], binary.LittleEndian.AppendUint64(nil, epoch))
	defer key.Wipe()
	return &session{id: id, index: index, epoch: epoch, aead: crypto.NewAEAD(key)}
}

// aim sets nonce and bound for one record: what its seal is bound to.
func (s *session) aim(group uint64, r *Record) {
	s.nonce = crypto.CounterNonce(r.Seq)
	b := append(s.bound[:0], labelRecord...)
	b = append(b, s.index[:]...)
	b = append(b, s.id[:]...)
	b = binary.LittleEndian.AppendUint64(b, s.epoch)
	b = binary.LittleEndian.AppendUint64(b, group)
	b = binary.LittleEndian.AppendUint64(b, r.Seq)
	b = append(b, byte(r.Kind))
	s.bound = append(b, r.User[:]...)
}

// seal appends the sealed payload to dst. The nonce is the sequence number: the
// session's key is derived from a random id that this run alone drew, a session
// hands out each number once, and a log that failed seals nothing more, so no
// number is used twice under the key.
func (s *session) seal(dst []byte, group uint64, r *Record) []byte {
	s.aim(group, r)
	return s.aead.Seal(dst, s.nonce[:], r.Payload, s.bound)
}

func (s *session) open(group uint64, r *Record, sealed []byte) ([]byte, error) {
	s.aim(group, r)
	return s.aead.Open(nil, s.nonce[:], sealed, s.bound)
}
