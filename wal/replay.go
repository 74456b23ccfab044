package wal

import (
	"errors"
	"fmt"

	"oubliette/crypto"
	"oubliette/internal/fault"
	"oubliette/internal/meta"
)

// Source is a log as it stands in the database.
type Source struct {
	DB    *meta.DB
	Index crypto.IndexID
	// MapKey answers the map key of an epoch. It is asked before any signature has
	// been verified, so by whatever stands in a group.
	MapKey func(epoch uint64) (crypto.Secret, bool)
	// Writer answers the key of a principal that may write in an epoch.
	Writer func(user crypto.UserID, epoch uint64) (crypto.VerifyKey, bool)
	// Every has all signatures of every group verified, not of each principal the last.
	Every bool
}

// Replayed is a record as it comes out of the log.
type Replayed struct {
	Record
	Group uint64
	Bytes int // of the whole group, with its first record; 0 with the others

	Session crypto.SessionID // the run of the log that wrote it
}

// Replay reads every group behind from, in order: numbers, chain and seals are
// checked before fn sees a record, signatures before Replay answers nil. What fn has
// been told counts for nothing until then. It answers the position of the last group.
// Whatever does not fit is a CorruptionError with the key of the group.
//
// Of each principal one signature is verified, that of the last group which names it,
// unless [Source.Every] says otherwise; and likewise after every 64 MiB, so that a log
// which nobody has signed is not read to its end. It vouches for all that comes before:
// what is signed holds the hash of the group before, and who goes on with a log has
// replayed it. So a log of a million calls costs a verification a writer and not a million.
// Nobody who can't sign puts a group into it, takes one out or changes one, and nobody
// puts another's name there: the last group with a name is its owner's, who would not
// have gone on with a log in which the last one before was not. (Unless who may write
// signs a manifest that begins behind a group that it forged in another's name, waits
// until the other has gone on, and puts an earlier manifest back.) What may have
// changed unseen are the bytes of earlier signatures. [Source.Every] tells of both.
func Replay(src Source, from Position, fn func(Position, []Replayed) error) (Position, error) {
	at := from
	last := make(map[crypto.UserID]*sealedGroup)
	sessions := make(map[crypto.SessionID]*session)
	unverified := 0
	vouch := func() error {
		for user, g := range last {
			if err := g.verifyOf(user, src.Writer); err != nil {
				return src.unsigned(from, g.Group, err)
			}
		}
		clear(last)
		unverified = 0
		return nil
	}
	err := src.scan(from, func(key, value []byte) error {
		g, err := src.next(at, key, value)
		if err == nil && src.Every {
			err = g.verify(src.Writer)
		}
		var records []Replayed
		if err == nil {
			records, err = src.open(sessions, g, len(value))
		}
		if err != nil {
			return src.corrupt(at.Group+1, err)
		}
		at = g.position()
		if unverified += len(value); !src.Every {
			for i := range g.signatures {
				last[g.signatures[i].user] = g
			}
			g.records = nil // they stand in the database's memory
		}
		if unverified > maxUnverified {
			if err := vouch(); err != nil {
				return err
			}
		}
		return fn(at, records)
	})
	if err == nil {
		err = vouch()
	}
	return at, err
}

// maxUnverified is how many bytes of groups are taken before signatures are looked at.
const maxUnverified = 64 << 20

// scan reads the groups behind from.
func (src *Source) scan(from Position, fn func(key, value []byte) error) error {
	return src.DB.Scan(meta.GroupKey(src.Index, from.Group+1), meta.PrefixEnd(meta.GroupPrefix(src.Index)), fn)
}

func (src *Source) corrupt(group uint64, err error) error {
	return &fault.CorruptionError{Path: groupName(src.Index, group), Err: damaged(err)}
}

// unsigned names the first group whose signatures do not fit, when one that vouches for
// others does not: it may be that something before it was forged, and all that follows.
func (src *Source) unsigned(from Position, last uint64, err error) error {
	at := from
	first := src.scan(from, func(key, value []byte) error {
		g, err := src.next(at, key, value)
		if err == nil {
			err = g.verify(src.Writer)
		}
		if err != nil {
			return src.corrupt(at.Group+1, err)
		}
		at = g.position()
		return nil
	})
	if first != nil {
		return first
	}
	return src.corrupt(last, err)
}

// damaged marks an error as damage, unless it says that the bytes are foreign or
// of a newer version.
func damaged(err error) error {
	if errors.Is(err, fault.ErrForeign) || errors.Is(err, fault.ErrNewer) {
		return err
	}
	return fmt.Errorf("%w: %w", fault.ErrDamaged, err)
}

// groupName is how errors name a group.
func groupName(index crypto.IndexID, group uint64) string {
	return fmt.Sprintf("log of index %s, group %d", index, group)
}

// next decodes a group and checks that it is the next one behind at.
func (src *Source) next(at Position, key, value []byte) (*sealedGroup, error) {
	g, err := decodeGroup(value, inLog)
	if err != nil {
		return nil, err
	}
	_, number, ok := meta.ParseGroupKey(key)
	switch {
	case !ok || g.Index != src.Index || g.Group != number:
		err = fmt.Errorf("says that it is group %d of index %s", g.Group, g.Index)
	case g.Group != at.Group+1:
		err = fmt.Errorf("group %d follows group %d", g.Group, at.Group)
	case g.Previous != at.Head || g.FirstSeq != at.Seq+1:
		err = errors.New("does not continue the chain")
	case g.LastDelete != at.LastDelete:
		err = fmt.Errorf("names group %d as the last that deletes, it is group %d", g.LastDelete.Group, at.LastDelete.Group)
	}
	return g, err
}

// open opens the seals of a group.
func (src *Source) open(sessions map[crypto.SessionID]*session, g *sealedGroup, size int) ([]Replayed, error) {
	s, ok := sessions[g.Session]
	if !ok {
		mapKey, known := src.MapKey(g.Epoch)
		if !known {
			return nil, fmt.Errorf("no map key of epoch %d", g.Epoch)
		}
		s = newSession(g.Session, g.Index, g.Epoch, mapKey)
		sessions[g.Session] = s
	}
	if s.epoch != g.Epoch {
		return nil, fmt.Errorf("session of epoch %d goes on in epoch %d", s.epoch, g.Epoch)
	}
	out, err := g.open(s, func(Kind) bool { return true })
	if err != nil {
		return nil, err
	}
	out[0].Bytes = size
	return out, nil
}

// open opens the seals of the records of the kinds that are wanted.
func (g *sealedGroup) open(s *session, wanted func(Kind) bool) ([]Replayed, error) {
	out := make([]Replayed, 0, len(g.records))
	for _, r := range g.records {
		if !wanted(r.Kind) {
			continue
		}
		payload, err := s.open(g.Group, &r, r.Payload)
		if err != nil {
			return nil, fmt.Errorf("record %d: %w", r.Seq, err)
		}
		r.Payload = payload
		out = append(out, Replayed{Record: r, Group: g.Group, Session: g.Session})
	}
	return out, nil
}

// HoldsTombstones tells, without a key, whether a group behind the given number
// has a record in it that deletes. It believes what stands in the clear: whoever loads the
// index checks it.
func HoldsTombstones(db *meta.DB, index crypto.IndexID, behind uint64) (bool, error) {
	found := errors.New("found")
	lower, upper := meta.GroupKey(index, behind+1), meta.PrefixEnd(meta.GroupPrefix(index))
	err := db.Scan(lower, upper, func(_, value []byte) error {
		g, err := decodeGroup(value, inLog)
		if err != nil {
			return err
		}
		if g.deletes() {
			return found
		}
		return nil
	})
	if errors.Is(err, found) {
		return true, nil
	}
	return false, err
}

// Identify answers the hash of a group as stored and the first and last of its
// sequence numbers. It looks at no signature.
func Identify(value []byte) (head crypto.Hash, first, last uint64, err error) {
	g, err := decodeGroup(value, inLog)
	if err != nil {
		return head, 0, 0, err
	}
	return g.sum, g.FirstSeq, g.lastSeq(), nil
}

// Truncate adds to a batch the removal of every group up to and with last.
func Truncate(b *meta.Batch, index crypto.IndexID, last uint64) {
	b.DeleteRange(meta.GroupPrefix(index), meta.GroupKey(index, last+1))
}
