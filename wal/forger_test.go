package wal

import "oubliette/crypto"

// forger makes groups as somebody could who holds the map key and some signing
// keys: honestly, or not.
type forger struct {
	*world
	session *session
	at      Position
}

func (w *world) forger() *forger {
	return &forger{world: w, session: newSession(crypto.NewSessionID(), w.index, w.epoch, w.mapKey)}
}

// by is a record of a user who signs.
type by struct {
	*crypto.Signer
	payload string
}

// group makes the group behind f.at and moves on. spoil, when not nil, changes
// what is about to be sealed and signed.
func (f *forger) group(spoil func(*header, []Record), records ...by) []byte {
	h := header{
		Index: f.session.index, Session: f.session.id, Epoch: f.session.epoch,
		Group: f.at.Group + 1, FirstSeq: f.at.Seq + 1, Count: uint32(len(records)), Previous: f.at.Head, LastDelete: f.at.LastDelete,
	}
	var rs []Record
	var signers []*crypto.Signer
	for i, r := range records {
		rs = append(rs, Record{Kind: KindTombstone, User: r.User(), Seq: h.FirstSeq + uint64(i), Payload: []byte(r.payload)})
		if !containsSigner(signers, r.User()) {
			signers = append(signers, r.Signer)
		}
	}
	if spoil != nil {
		spoil(&h, rs)
	}
	var enc encoder
	value, sum := enc.group(f.session, &h, rs, signers)
	f.at = h.behind(sum, anyDeletes(rs))
	f.at.Seq = h.FirstSeq + uint64(len(rs)) - 1 // spoil may have changed the count
	return value
}

func containsSigner(in []*crypto.Signer, u crypto.UserID) bool {
	for _, s := range in {
		if s.User() == u {
			return true
		}
	}
	return false
}

// honest writes five groups, the second with three records of two writers, and
// answers the forger behind each.
func (w *world) honest() []forger {
	f := w.forger()
	out := []forger{*f}
	for _, records := range [][]by{
		{{w.root, "one"}},
		{{w.alice, "two"}, {w.bob, "three"}, {w.alice, "four"}},
		{{w.bob, "five"}},
		{{w.root, "six"}},
		{{w.alice, "seven"}},
	} {
		value := f.group(nil, records...)
		w.put(f.at.Group, value)
		out = append(out, *f)
	}
	return out
}
