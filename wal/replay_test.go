package wal

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/crypto"
	"oubliette/internal/meta"
)

// TestAcknowledgedGroupsSurviveEveryCrash clones the disk while 8 goroutines
// append. What had been acknowledged before the clone is there, in order; what
// is there beyond had at least been asked for.
func TestAcknowledgedGroupsSurviveEveryCrash(t *testing.T) {
	rng := seeded(t)
	fs := vfs.NewCrashableMem()
	w := newWorld(t, fs)
	l := w.log(Position{}, nil)
	var mu sync.Mutex // guards acked
	acked := make(map[string]uint64)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for c := 0; ; c++ {
				select {
				case <-stop:
					return
				default:
				}
				e := entry(w.alice, fmt.Sprintf("%d/%d", g, c))
				w.append(l, e)
				mu.Lock()
				acked[string(e.Payload)] = e.Seq
				mu.Unlock()
			}
		})
	}
	type crash struct {
		fs   vfs.FS
		must map[string]uint64
	}
	var crashes []crash
	for i := range 12 {
		until(t, "progress", func() bool { mu.Lock(); defer mu.Unlock(); return len(acked) > i*25 })
		mu.Lock()
		must := make(map[string]uint64, len(acked))
		for k, v := range acked {
			must[k] = v
		}
		mu.Unlock()
		cfg := vfs.CrashCloneCfg{UnsyncedDataPercent: i % 3 * 50, RNG: rand.New(rand.NewPCG(rng.Uint64(), 1))}
		crashes = append(crashes, crash{fs.CrashClone(cfg), must})
	}
	close(stop)
	wg.Wait()
	told := w.seen()
	for i, c := range crashes {
		w.db = open(t, c.fs)
		at, records := w.mustReplay()
		got := payloads(records)
		for name, seq := range c.must {
			if got[name] != seq {
				t.Errorf("crash %d: %s was acknowledged as number %d, the log has %d", i, name, seq, got[name])
			}
		}
		for k, r := range records {
			if string(r.Payload) != told[k].value || r.Seq != told[k].seq {
				t.Fatalf("crash %d: record %d is %q numbered %d, published was %v", i, k, r.Payload, r.Seq, told[k])
			}
		}
		if at != told[len(records)-1].at && at.Seq == told[len(records)-1].seq {
			t.Errorf("crash %d: ends at %v, published was %v", i, at, told[len(records)-1].at)
		}
		if err := w.db.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestReplayBehindAPositionGivesTheRest(t *testing.T) {
	w := newWorld(t, vfs.NewMem())
	l := w.log(Position{}, nil)
	var ats []Position
	for i := range 10 {
		e := entry(w.root, fmt.Sprint(i))
		w.append(l, e)
		ats = append(ats, e.At)
	}
	for i, from := range ats {
		n := 0
		at, err := Replay(w.source(), from, func(at Position, records []Replayed) error {
			n++
			if at != ats[i+n] || len(records) != 1 || records[0].Group != at.Group || records[0].Bytes != len(w.group(at.Group)) {
				t.Errorf("from %d: group %+v of %+v", i, at, records)
			}
			return nil
		})
		if err != nil || n != 9-i || at != ats[9] {
			t.Errorf("from %d: %d groups up to %v, %v", i, n, at, err)
		}
	}
	mine := errors.New("mine")
	at, err := Replay(w.source(), Position{}, func(at Position, _ []Replayed) error {
		if at.Group == 4 {
			return mine
		}
		return nil
	})
	if err != mine || at != ats[3] {
		t.Errorf("the callback's error: %v at %v", err, at)
	}
}

func TestTruncatedLogGoesOnFromItsStart(t *testing.T) {
	w := newWorld(t, vfs.NewMem())
	l := w.log(Position{}, nil)
	var start, end Position
	for i := range 6 {
		e := entry(w.root, fmt.Sprint(i))
		w.append(l, e)
		if i == 3 {
			start = e.At
		}
		end = e.At
	}
	batch := w.db.NewBatch()
	Truncate(batch, w.index, start.Group)
	if err := w.db.Commit(batch); err != nil {
		t.Fatal(err)
	}
	at, err := Replay(w.source(), start, func(at Position, _ []Replayed) error { return nil })
	if err != nil || at != end {
		t.Errorf("from the start: %v, %v", at, err)
	}
	if _, _, err := w.replay(); err == nil {
		t.Error("a truncated log was replayed from its beginning")
	} else {
		wantCorrupt(t, "from the beginning", err)
	}
	if err := w.db.Scan(meta.GroupPrefix(w.index), meta.GroupKey(w.index, start.Group+1), func([]byte, []byte) error {
		return errors.New("still there")
	}); err != nil {
		t.Errorf("a group that was truncated is %v", err)
	}
}

// TestNoSessionRepeatsAKeyOrANonce: sessions over one log, ended by crashes that
// keep different parts of their last group, never use a number twice each, and
// never seal alike.
func TestNoSessionRepeatsAKeyOrANonce(t *testing.T) {
	fs := vfs.NewCrashableMem()
	w := newWorld(t, fs)
	type use struct {
		session crypto.SessionID
		seq     uint64
	}
	used := make(map[use]bool)
	sealed := make(map[string]bool)
	at := Position{}
	for run := range 6 {
		l := w.log(at, nil)
		for i := range 5 {
			e := entry(w.root, "the same every time")
			w.append(l, e)
			u := use{l.Session(), e.Seq}
			if used[u] {
				t.Errorf("run %d: session %s used number %d twice", run, u.session, u.seq)
			}
			used[u] = true
			g, err := decodeGroup(w.group(e.At.Group), inLog)
			if err != nil || g.Session != l.Session() || g.FirstSeq != e.Seq {
				t.Fatalf("group %d: %v", e.At.Group, err)
			}
			// Two runs may use one number, after a crash that lost it: so the
			// first bytes, which show the key stream, have to differ by the key.
			if body := string(g.records[0].Payload); sealed[body] {
				t.Errorf("run %d, call %d: sealed as once before", run, i)
			} else {
				sealed[body] = true
			}
		}
		// Each run but the first starts behind the same place: a crash lost the
		// groups of the run before.
		for n := at.Group + 1; n <= l.at.Group; n++ {
			w.drop(n)
		}
	}
	if len(used) != 30 || len(sealed) != 30 {
		t.Errorf("%d uses, %d seals of 30", len(used), len(sealed))
	}
}

func TestSessionsOfOneLogDiffer(t *testing.T) {
	w := newWorld(t, vfs.NewMem())
	a, b := w.log(Position{}, nil), w.log(Position{}, nil)
	if a.Session() == b.Session() {
		t.Fatal("two sessions of one id")
	}
	r := Record{Kind: KindUpsert, Seq: 7, Payload: make([]byte, 64)}
	if string(a.session.seal(nil, 1, &r)) == string(b.session.seal(nil, 1, &r)) {
		t.Error("two sessions seal alike: one key")
	}
	for name, other := range map[string]*session{
		"index":   newSession(a.session.id, crypto.NewIndexID(), w.epoch, w.mapKey),
		"epoch":   newSession(a.session.id, w.index, w.epoch+1, w.mapKey),
		"map key": newSession(a.session.id, w.index, w.epoch, crypto.NewSecret()),
	} {
		if string(a.session.seal(nil, 1, &r)[:64]) == string(other.seal(nil, 1, &r)[:64]) {
			t.Errorf("sessions that differ by %s share a key stream", name)
		}
	}
}

// TestLogShowsNothingOfItsPayloads: a payload's bytes stand nowhere in a group.
func TestLogShowsNothingOfItsPayloads(t *testing.T) {
	w := newWorld(t, vfs.NewMem())
	l := w.log(Position{}, nil)
	const secret = "a token that would give a deleted id away"
	w.append(l, entry(w.root, secret))
	if strings.Contains(string(w.group(1)), secret[:12]) {
		t.Error("the payload stands in the clear")
	}
}

func TestAppendOnAClosedDatabaseFails(t *testing.T) {
	w := newWorld(t, vfs.NewMem())
	l := w.log(Position{}, nil)
	w.append(l, entry(w.root, "first"))
	if err := w.db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.Append(context.Background(), entry(w.root, "late")); !errors.Is(err, meta.ErrClosed) {
		t.Errorf("%v, want ErrClosed", err)
	}
}
