package wal

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/crypto"
)

// What the last signature does not vouch for is signatures: whichever bit of an
// earlier group changes, it is refused, or a replay that is to verify the last
// signatures alone comes to what it came to before.
func TestTheLastSignatureVouchesForEveryByteBeforeIt(t *testing.T) {
	w := newWorld(t, vfs.NewMem())
	w.honest()
	want, records := w.mustReplay()
	value := w.group(2)
	signatures := 0
	for i := range value {
		forged := bytes.Clone(value)
		forged[i] ^= 1 << (i % 8)
		w.put(2, forged)
		at, have, err := w.replay()
		if err != nil {
			wantCorrupt(t, "flipped", err)
			continue
		}
		signatures++
		if i < len(value)-2*signatureSize || at != want || len(have) != len(records) {
			t.Errorf("byte %d of %d: taken, ends at %v with %d records", i, len(value), at, len(have))
		}
	}
	if signatures != 2*64 { // the names of the signers count
		t.Errorf("%d bytes of two signatures are taken in other forms", signatures)
	}
	w.put(2, value)
	w.mustReplay()
}

// Whoever has the map key and may not sign goes on from any place in the log with
// groups of his own, chained and sealed as they should be, up to the end: under his
// own signature, in somebody's name, or with the signatures that were there. The
// first of them is named.
func TestNobodyWhoCannotSignRewritesTheLog(t *testing.T) {
	for from := 1; from <= 5; from++ {
		for name, sign := range map[string]func(w *world) *crypto.Signer{
			"a stranger":        func(w *world) *crypto.Signer { return w.stranger },
			"in another's name": func(w *world) *crypto.Signer { return crypto.NewSigner(w.alice.User(), crypto.NewSecret()) },
		} {
			w := newWorld(t, vfs.NewMem())
			behind := w.honest()
			f := behind[from-1]
			for n := uint64(from); n <= 5; n++ {
				w.put(n, f.group(nil, by{sign(w), fmt.Sprint("mine ", n)}))
			}
			_, _, err := w.replay()
			wantCorrupt(t, name, err)
			wantNamed(t, fmt.Sprintf("%s from %d", name, from), err, from)
		}
		w := newWorld(t, vfs.NewMem())
		behind := w.honest()
		f := behind[from-1]
		for n := uint64(from); n <= 5; n++ {
			was := w.group(n)
			forged := f.group(nil, by{w.root, "mine"})
			if one := len(was) - signatureSize; was[one-4] == 1 { // of one writer
				copy(forged[len(forged)-signatureSize:], was[one:])
				copy(forged[headerSize+1:], was[one:one+16])
			}
			w.put(n, forged)
			f.at = reposition(t, forged)
		}
		_, _, err := w.replay()
		wantCorrupt(t, "the old signatures", err)
	}
}

// A writer's last group vouches for those before it, also under other names.
func TestForgedGroupsUnderAnHonestEndAreRefused(t *testing.T) {
	for n := uint64(1); n < 5; n++ {
		w := newWorld(t, vfs.NewMem())
		behind := w.honest()
		f := behind[n-1]
		w.put(n, f.group(nil, by{w.stranger, "mine"}))
		_, _, err := w.replay()
		wantCorrupt(t, "one group", err)
		wantNamed(t, "one group", err, int(n)+1) // which does not continue it
		w.put(5, behind[4].group(nil, by{w.alice, "seven"}))
		_, _, err = w.replay()
		wantCorrupt(t, "one group, and an end signed again", err)
	}
}

// A writer who is listed, and may write the files, puts a delete into the log in the
// name of somebody whose key it does not have, and a group of its own behind it.
func TestAWriterWritesInNoOtherName(t *testing.T) {
	nobody := crypto.UserID{0xEE}
	for name, id := range map[string]func(w *world) crypto.UserID{
		"another writer":        func(w *world) crypto.UserID { return w.alice.User() },
		"root":                  func(w *world) crypto.UserID { return w.root.User() },
		"who may not write":     func(w *world) crypto.UserID { return w.stranger.User() },
		"an id that nobody has": func(*world) crypto.UserID { return nobody },
	} {
		w := newWorld(t, vfs.NewMem())
		behind := w.honest()
		f := behind[5]
		w.put(6, f.group(nil, by{crypto.NewSigner(id(w), crypto.NewSecret()), "not mine"}))
		w.put(7, f.group(nil, by{w.bob, "mine"}))
		_, records, err := w.replay()
		wantCorrupt(t, name, err)
		if err == nil {
			t.Errorf("record %d is said to be of %s", records[7].Seq, records[7].User)
		}
	}
}

// A log that a reader, who has the map key, makes longer and longer is refused where it
// begins, without being read to its end.
func TestAnUnsignedLogIsNotReadToItsEnd(t *testing.T) {
	w := newWorld(t, vfs.NewMem())
	f := w.honest()[5]
	for n := uint64(6); n < 100; n++ {
		forged := f.group(nil, by{w.stranger, string(make([]byte, 1<<20))})
		w.put(n, forged)
		f.at = reposition(t, forged)
	}
	told := 0
	_, err := Replay(w.source(), Position{}, func(_ Position, records []Replayed) error {
		for i := range records {
			told += len(records[i].Payload)
		}
		return nil
	})
	wantCorrupt(t, "94 MiB", err)
	wantNamed(t, "94 MiB", err, 6)
	if told > maxUnverified {
		t.Errorf("%d bytes of it have been taken", told)
	}
}

func wantNamed(t *testing.T, what string, err error, group int) {
	t.Helper()
	if err == nil || !bytes.Contains([]byte(err.Error()), fmt.Appendf(nil, "group %d", group)) {
		t.Errorf("%s: %v does not name group %d", what, err, group)
	}
}

// reposition is the position behind a group as it stands.
func reposition(t *testing.T, value []byte) Position {
	t.Helper()
	g, err := decodeGroup(value, inLog)
	if err != nil {
		t.Fatal(err)
	}
	return g.position()
}
