package wal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/crypto"
	"oubliette/internal/fault"
	"oubliette/internal/latchfs/failfs"
	"oubliette/internal/meta"
)

// notebook is a ledger in memory.
type notebook struct {
	groups [][]byte
	fail   error
	before func() // called before a group is taken
}

func (n *notebook) take(group []byte) error {
	if n.before != nil {
		n.before()
	}
	n.groups = append(n.groups, bytes.Clone(group))
	return n.fail
}

func (w *world) logWith(at Position, n *notebook) *Log {
	return New(Config{
		DB: w.db, Index: w.index, Epoch: w.epoch, MapKey: w.mapKey,
		Publish: func(Position, int, []*Entry) {}, Ledger: n.take,
	}, at)
}

func upsert(s *crypto.Signer, payload string) *Entry {
	return &Entry{Kind: KindUpsert, Signer: s, Payload: []byte(payload)}
}

func (w *world) mapKeyOf(epoch uint64) (crypto.Secret, bool) { return w.mapKey, epoch == w.epoch }

// kinds makes the forger's records of these kinds.
func kinds(of ...Kind) func(*header, []Record) {
	return func(_ *header, rs []Record) {
		for i, k := range of {
			rs[i].Kind = k
		}
	}
}

// mixed is a group of four records of three writers, of which the second and the
// last delete, in both forms.
func (f *forger) mixed() (whole, short []byte, at Position) {
	h := header{
		Index: f.index, Session: f.session.id, Epoch: f.epoch, Group: f.at.Group + 1, FirstSeq: f.at.Seq + 1,
		Count: 4, Previous: f.at.Head, LastDelete: f.at.LastDelete,
	}
	records := []Record{
		{KindUpsert, f.alice.User(), h.FirstSeq, []byte("places")},
		{KindTombstone, f.bob.User(), h.FirstSeq + 1, []byte("tokens")},
		{KindUpsert, f.root.User(), h.FirstSeq + 2, nil},
		{KindExpiry, f.alice.User(), h.FirstSeq + 3, []byte("more tokens")},
	}
	var enc encoder
	value, sum := enc.group(f.session, &h, records, []*crypto.Signer{f.alice, f.bob, f.root})
	return bytes.Clone(value), bytes.Clone(enc.stubbed(records)), h.behind(sum, true)
}

func TestStubbedGroupHoldsItsDeletesAndNothingOfTheRest(t *testing.T) {
	w := newWorld(t, vfs.NewMem())
	f := w.forger()
	f.group(nil, by{w.root, "one"})
	whole, short, at := f.mixed()
	g, err := DecodeStubbed(short)
	if err != nil {
		t.Fatal(err)
	}
	full, err := decodeGroup(whole, inLog)
	if err != nil || g.Position() != at || full.position() != at || at.LastDelete != (Mark{2, at.Head}) {
		t.Errorf("positions %+v and %+v, want %+v; %v", g.Position(), full.position(), at, err)
	}
	if g.Index() != w.index || g.Epoch() != w.epoch || g.FirstSeq() != 2 || g.Previous() != f.at.Head || g.LastDelete() != f.at.LastDelete {
		t.Errorf("header reads as %+v", g.g.header)
	}
	if err := g.Verify(w.writer); err != nil {
		t.Error(err)
	}
	records, err := g.Open(w.mapKeyOf)
	if err != nil || len(records) != 2 {
		t.Fatalf("%d records, %v", len(records), err)
	}
	for i, want := range []struct {
		Kind
		seq  uint64
		user crypto.UserID
		text string
	}{{KindTombstone, 3, w.bob.User(), "tokens"}, {KindExpiry, 5, w.alice.User(), "more tokens"}} {
		r := records[i]
		if r.Kind != want.Kind || r.Seq != want.seq || r.User != want.user || string(r.Payload) != want.text || r.Group != 2 || r.Session != f.session.id {
			t.Errorf("record %d: %+v", i, r)
		}
	}
	if upserted := full.records[0].Payload; bytes.Contains(short, upserted[:16]) {
		t.Error("the sealed upsert stands in the ledger's form")
	}
	if _, err := g.Open(func(uint64) (crypto.Secret, bool) { return crypto.Secret{}, false }); err == nil {
		t.Error("opened without a key")
	}
	if _, err := g.Open(func(uint64) (crypto.Secret, bool) { return crypto.NewSecret(), true }); !errors.Is(err, fault.ErrDamaged) {
		t.Errorf("opened with another key: %v", err)
	}
	nobody := func(crypto.UserID, uint64) (crypto.VerifyKey, bool) { return crypto.VerifyKey{}, false }
	if err := g.Verify(nobody); !errors.Is(err, errUnsigned) {
		t.Errorf("verified with nobody listed: %v", err)
	}
}

// TestEveryByteOfAStubbedGroupCounts: whatever byte is changed, it does not
// decode, or has another hash, or a signature that does not fit.
func TestEveryByteOfAStubbedGroupCounts(t *testing.T) {
	w := newWorld(t, vfs.NewMem())
	f := w.forger()
	f.group(nil, by{w.root, "one"})
	_, short, at := f.mixed()
	for i := range short {
		for _, bit := range []byte{1, 2, 3, 0x80} {
			b := bytes.Clone(short)
			b[i] ^= bit
			g, err := DecodeStubbed(b)
			if err == nil && g.Position() == at && g.Verify(w.writer) == nil {
				t.Errorf("byte %d: taken for the group that it was", i)
			}
			if err == nil && g.Verify(w.writer) == nil {
				t.Errorf("byte %d: taken for another group", i)
			}
		}
	}
	for n := range short {
		if _, err := DecodeStubbed(short[:n]); err == nil {
			t.Errorf("%d of %d bytes are taken", n, len(short))
		}
	}
	if _, err := DecodeStubbed(append(bytes.Clone(short), 0)); err == nil {
		t.Error("a byte too many is taken")
	}
}

// TestNoDeleteCanBePassedOffAsAStub: one who knows no key replaces a tombstone by
// a stub with its very hash, called an upsert.
func TestNoDeleteCanBePassedOffAsAStub(t *testing.T) {
	w := newWorld(t, vfs.NewMem())
	f := w.forger()
	_, short, at := f.mixed()
	g, err := DecodeStubbed(short)
	if err != nil {
		t.Fatal(err)
	}
	sealed := g.g.records[1].Payload
	start := bytes.Index(short, sealed) - 4 - recordHeader
	sum := crypto.Sum(sealed)
	forged := bytes.Join([][]byte{{byte(KindUpsert)}, short[start+1 : start+recordHeader], sum[:], short[start+recordHeader+4+len(sealed):]}, nil)
	forged = append(bytes.Clone(short[:start]), forged...)
	hidden, err := DecodeStubbed(forged)
	if err != nil {
		t.Fatalf("the forgery does not even decode, and shows nothing: %v", err)
	}
	if hidden.Position().Head == at.Head || hidden.Verify(w.writer) == nil {
		t.Error("a delete was hidden behind a stub")
	}
}

func TestGroupWithoutADeleteHasNoLedgerForm(t *testing.T) {
	w := newWorld(t, vfs.NewMem())
	n := new(notebook)
	l := w.logWith(Position{}, n)
	w.append(l, upsert(w.root, "one"))
	if len(n.groups) != 0 {
		t.Fatalf("a group that deletes nothing went to the ledger")
	}
	f := w.forger()
	for name, spoil := range map[string]func(*header, []Record){"a delete": nil, "an upsert": kinds(KindUpsert)} {
		h, records := f.header(), []Record{{Kind: KindTombstone, Seq: 1, Payload: []byte("one")}}
		if spoil != nil {
			spoil(nil, records)
		}
		var enc encoder
		enc.group(f.session, h, records, []*crypto.Signer{w.root})
		if _, err := DecodeStubbed(enc.stubbed(records)); (err == nil) != (spoil == nil) {
			t.Errorf("%s alone: %v", name, err)
		}
	}
}

// header is that of the forger's next group, of one record.
func (f *forger) header() *header {
	return &header{
		Index: f.index, Session: f.session.id, Epoch: f.epoch, Group: f.at.Group + 1, FirstSeq: f.at.Seq + 1,
		Count: 1, Previous: f.at.Head, LastDelete: f.at.LastDelete,
	}
}

func TestHeaderWithTwoHashesOfOneGroupIsRefused(t *testing.T) {
	w := newWorld(t, vfs.NewMem())
	f := w.honest()[5]
	b := f.group(func(h *header, _ []Record) { h.LastDelete.Hash[0]++ }, by{w.root, "eight"})
	if _, err := decodeGroup(b, inLog); err == nil {
		t.Error("taken")
	}
}

// Epochs count from 1, and 0 stands for none where they are held against each other.
func TestGroupOfEpochZeroIsRefused(t *testing.T) {
	w := newWorld(t, vfs.NewMem())
	f := w.honest()[5]
	b := f.group(func(h *header, _ []Record) { h.Epoch = 0 }, by{w.root, "eight"})
	if _, err := decodeGroup(b, inLog); err == nil || !strings.Contains(err.Error(), "epoch 0") {
		t.Errorf("in a log: %v", err)
	}
	_, short, _ := w.forger().mixed()
	clear(short[8+2+16+16:][:8])
	if _, err := DecodeStubbed(short); err == nil || !strings.Contains(err.Error(), "epoch 0") {
		t.Errorf("in a ledger: %v", err)
	}
}

// TestDeletesAreAChainOfTheirOwn appends deletes with upserts between them, in
// several sessions, and reads their chain off the ledger.
func TestDeletesAreAChainOfTheirOwn(t *testing.T) {
	w := newWorld(t, vfs.NewMem())
	n := new(notebook)
	var at Position
	var want []uint64
	rng := seeded(t)
	for range 5 {
		l := w.logWith(at, n)
		for range 8 {
			e := upsert(w.alice, "places")
			if rng.IntN(2) == 0 {
				e = entry(w.bob, "tokens")
			}
			w.append(l, e)
			at = e.At
			if e.Kind.deletes() {
				want = append(want, at.Group)
			}
			if tail, err := Tail(w.db, w.index, Position{}); err != nil || tail != at {
				t.Fatalf("the tail is %+v, want %+v; %v", tail, at, err)
			}
		}
	}
	if len(n.groups) != len(want) {
		t.Fatalf("%d groups in the ledger, %d deleted", len(n.groups), len(want))
	}
	var last Mark
	for i, b := range n.groups {
		g, err := DecodeStubbed(b)
		if err != nil {
			t.Fatal(err)
		}
		if g.LastDelete() != last || g.Position().Group != want[i] || g.Verify(w.writer) != nil {
			t.Errorf("group %d names %v before it, want group %d behind %v", g.Position().Group, g.LastDelete(), want[i], last)
		}
		last = g.Position().LastDelete
	}
	if at.LastDelete != last {
		t.Errorf("the log's last delete is %v, the ledger's %v", at.LastDelete, last)
	}
	end, _ := w.mustReplay()
	if end != at {
		t.Errorf("replay ends at %+v, want %+v", end, at)
	}
}

// TestReplayHoldsTheChainOfDeletes: signed well, and naming another group as the
// last that deletes.
func TestReplayHoldsTheChainOfDeletes(t *testing.T) {
	for name, spoil := range map[string]func(h *header, one, five Position){
		"none":                   func(h *header, _, _ Position) { h.LastDelete = Mark{} },
		"an earlier one":         func(h *header, one, _ Position) { h.LastDelete = Mark{1, one.Head} },
		"another hash":           func(h *header, _, five Position) { h.LastDelete.Hash[0] ^= 1 },
		"a group without a hash": func(h *header, _, _ Position) { h.LastDelete.Hash = crypto.Hash{} },
		"a hash without a group": func(h *header, _, _ Position) { h.LastDelete.Group = 0 },
		"itself":                 func(h *header, _, _ Position) { h.LastDelete.Group = 6 },
		"one to come":            func(h *header, _, _ Position) { h.LastDelete.Group = 7 },
	} {
		w := newWorld(t, vfs.NewMem())
		behind := w.honest()
		f := behind[5]
		w.put(6, f.group(func(h *header, _ []Record) { spoil(h, behind[1].at, behind[5].at) }, by{w.root, "eight"}))
		w.refused(name, "6")
	}
	w := newWorld(t, vfs.NewMem())
	f := w.honest()[5]
	w.put(6, f.group(kinds(KindUpsert), by{w.root, "places"}))
	w.put(7, f.group(kinds(KindExpiry), by{w.root, "tokens"}))
	if at, _ := w.mustReplay(); at != f.at || at.LastDelete.Group != 7 {
		t.Errorf("the honest log ends at %+v", at)
	}
}

func TestTailOfATruncatedLogIsItsStart(t *testing.T) {
	w := newWorld(t, vfs.NewMem())
	behind := w.honest()
	batch := w.db.NewBatch()
	Truncate(batch, w.index, 5)
	if err := w.db.Commit(batch); err != nil {
		t.Fatal(err)
	}
	if at, err := Tail(w.db, w.index, behind[5].at); err != nil || at != behind[5].at {
		t.Errorf("%+v, %v", at, err)
	}
	if at, err := Tail(w.db, crypto.NewIndexID(), Position{}); err != nil || at != (Position{}) {
		t.Errorf("of an index without a log: %+v, %v", at, err)
	}
	w.put(6, []byte("OUBLGRP\x00 and then nothing of the kind"))
	_, err := Tail(w.db, w.index, behind[5].at)
	wantCorrupt(t, "a last group that is none", err)
	w.put(6, behind[5].group(nil, by{w.root, "eight"}))
	w.put(7, w.group(6))
	_, err = Tail(w.db, w.index, behind[5].at)
	wantCorrupt(t, "a last group under another's number", err)
	if at, err := Tail(w.db, w.index, Position{Group: 7}); err != nil || at != (Position{Group: 7}) {
		t.Errorf("a start that is not below the last group: %+v, %v", at, err)
	}
}

// TestLedgerComesBeforeTheStore: when the ledger is asked, the database has
// nothing of the group; when the call returns, both have it.
func TestLedgerComesBeforeTheStore(t *testing.T) {
	for _, lazy := range []bool{false, true} {
		w := newWorld(t, vfs.NewMem())
		n := new(notebook)
		l := w.logWith(Position{}, n)
		l.cfg.NoSync = lazy
		for i := range 4 {
			n.before = func() {
				if _, ok, err := w.db.Get(meta.GroupKey(w.index, uint64(i)+1)); ok || err != nil {
					t.Errorf("group %d: in the store before the ledger has it (%v)", i+1, err)
				}
			}
			w.append(l, entry(w.root, fmt.Sprint(i)))
			if len(n.groups) != i+1 {
				t.Errorf("%d groups in the ledger behind call %d", len(n.groups), i+1)
			}
		}
	}
}

func TestFailedLedgerEndsTheLogBeforeTheStoreHasTheGroup(t *testing.T) {
	w := newWorld(t, vfs.NewMem())
	n := new(notebook)
	l := w.logWith(Position{}, n)
	w.append(l, entry(w.root, "first"))
	n.fail = errors.New("ledger full")
	within(t, "the call", func() {
		err := l.Append(context.Background(), entry(w.root, "second"))
		if !errors.Is(err, fault.ErrFailed) || !errors.Is(err, n.fail) {
			t.Errorf("%v, want ErrFailed with its cause", err)
		}
		n.fail = nil
		if err := l.Append(context.Background(), upsert(w.root, "later")); !errors.Is(err, fault.ErrFailed) {
			t.Errorf("a later call: %v", err)
		}
	})
	if at, records := w.mustReplay(); at.Group != 1 || len(records) != 1 {
		t.Errorf("the store ends at group %d", at.Group)
	}
	if len(n.groups) != 2 {
		t.Errorf("%d groups reached the ledger", len(n.groups))
	}
}

// TestStoreThatFailsBehindItsLedgerIsAtMostOneGroupBehind: and the log goes on
// from the ledger's group, with no number given out twice.
func TestStoreThatFailsBehindItsLedgerIsAtMostOneGroupBehind(t *testing.T) {
	inner := vfs.NewCrashableMem()
	armed := false
	w := newWorld(t, failfs.New(inner, func(_ int, op, _ string) failfs.Verdict {
		if armed && op == "sync" {
			return failfs.Refuse
		}
		return failfs.Pass
	}))
	n := new(notebook)
	l := w.logWith(Position{}, n)
	w.append(l, entry(w.root, "first"), upsert(w.root, "second"))
	armed = true
	if err := l.Append(context.Background(), entry(w.root, "third")); !errors.Is(err, fault.ErrFailed) {
		t.Fatalf("%v", err)
	}
	if len(n.groups) != 2 {
		t.Fatalf("%d groups in the ledger", len(n.groups))
	}
	w.db = open(t, inner.CrashClone(vfs.CrashCloneCfg{RNG: rand.New(rand.NewPCG(1, 2))}))
	at, _ := w.mustReplay()
	g, err := DecodeStubbed(n.groups[1])
	if err != nil {
		t.Fatal(err)
	}
	if at.Group != 2 || g.Previous() != at.Head || g.FirstSeq() != at.Seq+1 || g.LastDelete() != at.LastDelete {
		t.Fatalf("the ledger's group %+v does not go on from %+v", g.g.header, at)
	}
	l = w.logWith(g.Position(), n)
	e := entry(w.root, "fourth")
	w.append(l, e)
	if e.Seq != 4 || e.At.Group != 4 {
		t.Errorf("the next call has number %d in group %d", e.Seq, e.At.Group)
	}
	last, err := DecodeStubbed(n.groups[2])
	if err != nil || last.LastDelete() != g.Position().LastDelete || last.Previous() != g.Position().Head {
		t.Errorf("the chain does not go on: %v", err)
	}
	end, err := Replay(w.source(), g.Position(), func(Position, []Replayed) error { return nil })
	if err != nil || end != e.At {
		t.Errorf("replay behind the ledger's group: %+v, %v", end, err)
	}
}
