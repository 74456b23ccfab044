package wal

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/crypto"
	"oubliette/internal/fault"
)

// refused replays, verifying every signature, and wants a CorruptionError that names
// the group.
func (w *world) refused(what string, group string) error {
	w.t.Helper()
	w.every = true
	defer func() { w.every = false }()
	_, _, err := w.replay()
	wantCorrupt(w.t, what, err)
	if err != nil && !strings.Contains(err.Error(), "group "+group) {
		w.t.Errorf("%s: %v does not name group %s", what, err, group)
	}
	return err
}

func TestHonestLogIsTaken(t *testing.T) {
	w := newWorld(t, vfs.NewMem())
	behind := w.honest()
	at, records := w.mustReplay()
	if at != behind[5].at || len(records) != 7 || records[2].User != w.bob.User() {
		t.Errorf("ends at %v with %d records", at, len(records))
	}
}

// TestEveryByteOfAGroupCounts flips the lowest and the highest bit of every
// byte, and cuts the group at every length.
func TestEveryByteOfAGroupCounts(t *testing.T) {
	w := newWorld(t, vfs.NewMem())
	w.honest()
	value := w.group(2)
	for i := range value {
		for _, bit := range []byte{1, 0x80} {
			forged := bytes.Clone(value)
			forged[i] ^= bit
			w.put(2, forged)
			err := w.refused("flipped", "2")
			want := fault.ErrDamaged
			if i < 8 {
				want = fault.ErrForeign
			} else if i < 10 && !(i == 8 && bit == 1) { // 1 flipped to 0: no version
				want = fault.ErrNewer
			}
			for _, e := range []error{fault.ErrForeign, fault.ErrNewer, fault.ErrDamaged} {
				if errors.Is(err, e) != (e == want) {
					t.Errorf("byte %d: %v, want %v alone", i, err, want)
				}
			}
		}
	}
	for n := range value {
		w.put(2, value[:n])
		w.refused("cut short", "2")
	}
	w.put(2, append(bytes.Clone(value), 0))
	w.refused("longer", "2")
	w.put(2, value)
	w.mustReplay()
}

func TestForgedOrMisplacedGroupsAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		group string
		do    func(w *world, behind []forger)
	}{
		"two groups swapped": {"2", func(w *world, _ []forger) {
			two, three := w.group(2), w.group(3)
			w.put(2, three)
			w.put(3, two)
		}},
		"a group dropped in the middle": {"3", func(w *world, _ []forger) { w.drop(3) }},
		"the first group dropped":       {"1", func(w *world, _ []forger) { w.drop(1) }},
		"a group twice":                 {"6", func(w *world, _ []forger) { w.put(6, w.group(5)) }},
		"the tail moved up": {"3", func(w *world, _ []forger) {
			w.put(3, w.group(4))
			w.put(4, w.group(5))
			w.drop(5)
		}},
		"another continuation in the middle": {"4", func(w *world, behind []forger) {
			w.put(3, behind[2].group(nil, by{w.bob, "not five"}))
		}},
		"of another index": {"1", func(w *world, _ []forger) {
			f := w.forger()
			f.session = newSession(crypto.NewSessionID(), crypto.NewIndexID(), w.epoch, w.mapKey)
			w.put(1, f.group(nil, by{w.root, "elsewhere"}))
		}},
		"of another index, relabelled": {"1", func(w *world, _ []forger) {
			f := w.forger()
			f.session = newSession(crypto.NewSessionID(), crypto.NewIndexID(), w.epoch, w.mapKey)
			b := f.group(nil, by{w.root, "elsewhere"})
			copy(b[10:26], w.index[:])
			w.put(1, b)
		}},
		"of another session": {"6", func(w *world, behind []forger) {
			b := behind[5].group(nil, by{w.root, "eight"})
			other := crypto.NewSessionID()
			copy(b[26:42], other[:])
			w.put(6, b)
		}},
		"of another session, signed again": {"6", func(w *world, behind []forger) {
			w.put(6, behind[5].group(func(h *header, _ []Record) { h.Session = crypto.NewSessionID() }, by{w.root, "eight"}))
		}},
		"of an epoch in which its writer may not write": {"6", func(w *world, behind []forger) {
			f := behind[5]
			f.session = newSession(crypto.NewSessionID(), w.index, w.epoch+1, w.mapKey)
			w.put(6, f.group(nil, by{w.root, "eight"}))
		}},
		"a gap in the sequence numbers": {"6", func(w *world, behind []forger) {
			w.put(6, behind[5].group(func(h *header, rs []Record) { h.FirstSeq++; rs[0].Seq++ }, by{w.root, "eight"}))
		}},
		"a gap in the group numbers": {"6", func(w *world, behind []forger) {
			w.put(7, behind[5].group(func(h *header, _ []Record) { h.Group++ }, by{w.root, "eight"}))
		}},
		"a sequence number again": {"6", func(w *world, behind []forger) {
			w.put(6, behind[5].group(func(h *header, rs []Record) { h.FirstSeq--; rs[0].Seq-- }, by{w.root, "eight"}))
		}},
		"another head before it": {"6", func(w *world, behind []forger) {
			w.put(6, behind[5].group(func(h *header, _ []Record) { h.Previous[0] ^= 1 }, by{w.root, "eight"}))
		}},
		"more records than counted": {"6", func(w *world, behind []forger) {
			w.put(6, behind[5].group(func(h *header, _ []Record) { h.Count = 1 }, by{w.root, "a"}, by{w.root, "b"}))
		}},
		"no record": {"6", func(w *world, behind []forger) {
			w.put(6, behind[5].group(nil))
		}},
		"numbers that overflow": {"6", func(w *world, behind []forger) {
			w.put(6, behind[5].group(func(h *header, rs []Record) { h.FirstSeq = ^uint64(0); rs[0].Seq = h.FirstSeq }, by{w.root, "a"}, by{w.root, "b"}))
		}},
		"signed by a stranger": {"6", func(w *world, behind []forger) {
			w.put(6, behind[5].group(nil, by{w.stranger, "eight"}))
		}},
		"signed by a stranger in another's name": {"6", func(w *world, behind []forger) {
			liar := crypto.NewSigner(w.alice.User(), crypto.NewSecret())
			w.put(6, behind[5].group(nil, by{liar, "eight"}))
		}},
		"a record passed off as another's, who did not sign": {"6", func(w *world, behind []forger) {
			w.put(6, behind[5].group(func(_ *header, rs []Record) { rs[1].User = w.alice.User() }, by{w.bob, "mine"}, by{w.bob, "not mine"}))
		}},
		"a record passed off as another's, signed in his name": {"6", func(w *world, behind []forger) {
			liar := crypto.NewSigner(w.alice.User(), crypto.NewSecret())
			w.put(6, behind[5].group(nil, by{w.bob, "mine"}, by{liar, "not mine"}))
		}},
		"records of one group handed from one signer to the other": {"2", func(w *world, _ []forger) {
			b := w.group(2)
			bob := w.bob.User()
			copy(b[headerSize+1:], bob[:])
			w.put(2, b)
		}},
		"a signature of another domain": {"6", func(w *world, behind []forger) {
			f := behind[5]
			b := f.group(nil, by{w.root, "eight"})
			w.resign(b, crypto.DomainManifest, w.root)
			w.put(6, b)
		}},
		"a signature of another group": {"4", func(w *world, _ []forger) {
			b, one := w.group(4), w.group(1)
			copy(b[len(b)-64:], one[len(one)-64:])
			w.put(4, b)
		}},
		"two signatures changed places": {"2", func(w *world, _ []forger) {
			b := w.group(2)
			tail := b[len(b)-2*signatureSize:]
			w.put(2, bytes.Join([][]byte{b[:len(b)-2*signatureSize], tail[signatureSize:], tail[:signatureSize]}, nil))
		}},
		"a signature too many": {"4", func(w *world, _ []forger) {
			w.put(4, addSignature(w.group(4), 1, w.alice))
		}},
		"a signature twice": {"4", func(w *world, _ []forger) {
			b := w.group(4)
			b = append(b, b[len(b)-signatureSize:]...)
			b[len(b)-2*signatureSize-4] = 2
			w.put(4, b)
		}},
		"a signature missing": {"2", func(w *world, _ []forger) {
			b := w.group(2)
			b = b[:len(b)-signatureSize]
			b[len(b)-signatureSize-4] = 1
			w.put(2, b)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, vfs.NewMem())
			c.do(w, w.honest())
			err := w.refused(name, c.group)
			if !errors.Is(err, fault.ErrDamaged) {
				t.Errorf("%v is not called damage", err)
			}
			t.Log(err)
		})
	}
}

// TestVersionThatNeverWasIsRefused by the version alone: a signature could be
// made over it.
func TestVersionThatNeverWasIsRefused(t *testing.T) {
	w := newWorld(t, vfs.NewMem())
	w.honest()
	b := w.group(1)
	b[8] = 0
	if g, err := decodeGroup(b, inLog); err == nil || errors.Is(err, fault.ErrNewer) {
		t.Errorf("%v, %v", g, err)
	}
}

// resign replaces the one signature of a group.
func (w *world) resign(b []byte, d crypto.Domain, s *crypto.Signer) {
	g, err := decodeGroup(b, inLog)
	if err != nil {
		w.t.Fatal(err)
	}
	user := s.User()
	sig := s.Sign(d, append(statement(&g.header, g.sum), user[:]...))
	copy(b[len(b)-len(sig):], sig[:])
}

// addSignature adds a good signature of somebody who has no record there.
func addSignature(b []byte, have byte, s *crypto.Signer) []byte {
	g, err := decodeGroup(b, inLog)
	if err != nil {
		panic(err)
	}
	user := s.User()
	sig := s.Sign(crypto.DomainGroup, append(statement(&g.header, g.sum), user[:]...))
	b[len(b)-int(have)*signatureSize-4] = have + 1
	return bytes.Join([][]byte{b, user[:], sig[:]}, nil)
}

// TestResignedInTheRightDomainIsTaken shows that resign does no more than it
// says: else the test of domains would show nothing.
func TestResignedInTheRightDomainIsTaken(t *testing.T) {
	w := newWorld(t, vfs.NewMem())
	w.honest()
	b := w.group(5)
	w.resign(b, crypto.DomainGroup, w.alice)
	w.put(5, b)
	w.mustReplay()
}

// TestSealIsBoundToItsPlace takes a sealed body from one record into another and
// signs: even a writer cannot pass an old record on as a new one.
func TestSealIsBoundToItsPlace(t *testing.T) {
	w := newWorld(t, vfs.NewMem())
	l := w.forger()
	r := Record{Kind: KindTombstone, User: w.bob.User(), Seq: 5, Payload: []byte("payload")}
	sealed := l.session.seal(nil, 2, &r)
	open := func(s *session, group uint64, change func(*Record)) error {
		c := r
		if change != nil {
			change(&c)
		}
		_, err := s.open(group, &c, sealed)
		return err
	}
	if err := open(l.session, 2, nil); err != nil {
		t.Fatal(err)
	}
	elsewhere := newSession(l.session.id, w.index, w.epoch, w.mapKey)
	elsewhere.index[0] ^= 1 // another index under the same key
	later := newSession(l.session.id, w.index, w.epoch, w.mapKey)
	later.epoch++
	renamed := newSession(l.session.id, w.index, w.epoch, w.mapKey)
	renamed.id[0] ^= 1
	for name, err := range map[string]error{
		"another group":           open(l.session, 3, nil),
		"another kind":            open(l.session, 2, func(r *Record) { r.Kind = KindUpsert }),
		"another user":            open(l.session, 2, func(r *Record) { r.User = w.alice.User() }),
		"another sequence number": open(l.session, 2, func(r *Record) { r.Seq++ }),
		"another index":           open(elsewhere, 2, nil),
		"another epoch":           open(later, 2, nil),
		"another session id":      open(renamed, 2, nil),
	} {
		if err == nil {
			t.Errorf("%s: opened", name)
		}
	}
}

func TestKeysOfOtherEpochsOpenNothing(t *testing.T) {
	w := newWorld(t, vfs.NewMem())
	w.honest()
	for name, mapKey := range map[string]func(uint64) (crypto.Secret, bool){
		"no map key":    func(uint64) (crypto.Secret, bool) { return crypto.Secret{}, false },
		"a wrong one":   func(uint64) (crypto.Secret, bool) { return crypto.NewSecret(), true },
		"the right one": nil,
	} {
		src := w.source()
		if mapKey != nil {
			src.MapKey = mapKey
		}
		_, err := Replay(src, Position{}, func(Position, []Replayed) error { return nil })
		if mapKey != nil {
			wantCorrupt(t, name, err)
		} else if err != nil {
			t.Error(err)
		}
	}
}

// TestSessionDoesNotGoOnInAnotherEpoch: both epochs have their keys, so it is
// the change within the session that is refused.
func TestSessionDoesNotGoOnInAnotherEpoch(t *testing.T) {
	w := newWorld(t, vfs.NewMem())
	behind := w.honest()
	f := behind[5]
	f.session = newSession(f.session.id, w.index, w.epoch+1, w.mapKey)
	w.put(6, f.group(nil, by{w.root, "eight"}))
	src := w.source()
	src.MapKey = func(uint64) (crypto.Secret, bool) { return w.mapKey, true }
	src.Writer = func(u crypto.UserID, _ uint64) (crypto.VerifyKey, bool) { return w.writer(u, w.epoch) }
	_, err := Replay(src, Position{}, func(Position, []Replayed) error { return nil })
	wantCorrupt(t, "a session in two epochs", err)

	f = behind[5]
	f.session = newSession(crypto.NewSessionID(), w.index, w.epoch+1, w.mapKey)
	w.put(6, f.group(nil, by{w.root, "eight"}))
	at, err := Replay(src, Position{}, func(Position, []Replayed) error { return nil })
	if err != nil || at != f.at {
		t.Errorf("a new session in the new epoch: %v at %v", err, at)
	}
}

// TestMissingTailShowsByTheHeadAlone states the limit: a prefix of a log is a
// log, and who remembers no head is told nothing.
func TestMissingTailShowsByTheHeadAlone(t *testing.T) {
	w := newWorld(t, vfs.NewMem())
	behind := w.honest()
	for n := uint64(5); n > 0; n-- {
		head := behind[5].at
		w.drop(n)
		at, _ := w.mustReplay()
		if at != behind[n-1].at {
			t.Errorf("without group %d: ends at %v, want %v", n, at, behind[n-1].at)
		}
		if at == head {
			t.Errorf("without group %d: the head is that of the whole log", n)
		}
	}
}
