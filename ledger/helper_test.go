package ledger

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/crypto"
	"oubliette/internal/codec"
	"oubliette/internal/meta"
	"oubliette/wal"
)

var store = [16]byte{0x57, 1, 2, 3}

// list is a ledger in memory.
type list [][]byte

func (l *list) Append(entry []byte) error { *l = append(*l, bytes.Clone(entry)); return nil }

func (l *list) Entries() iter.Seq2[Stored, error] {
	entries := *l
	return func(yield func(Stored, error) bool) {
		for i, e := range entries {
			if !yield(Stored{e, int64(1000 + i)}, nil) {
				return
			}
		}
	}
}

// world is one index with a log, all keys at hand, and a ledger.
type world struct {
	t       testing.TB
	db      *meta.DB
	ledger  Ledger
	index   crypto.IndexID
	root    *crypto.Signer
	alice   *crypto.Signer
	records []*crypto.EpochRecord
	raw     [][]byte
	mapKeys map[uint64]crypto.Secret
	at      wal.Position
	log     *wal.Log
}

func seed(t testing.TB, first byte) crypto.Secret {
	t.Helper()
	s, err := crypto.SecretFromBytes(count(make([]byte, 32), first))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// count fills b with first, first+1, ...
func count(b []byte, first byte) []byte {
	for i := range b {
		b[i] = first + byte(i)
	}
	return b
}

// newWorld begins an index under the ledger.
func newWorld(t testing.TB, l Ledger) *world {
	t.Helper()
	w := bare(t, l)
	w.append((&Begin{Index: w.index, Name: "letters"}).Entry())
	w.epoch(w.root)
	return w
}

// bare is a world with nothing in its ledger.
func bare(t testing.TB, l Ledger) *world {
	t.Helper()
	db, err := meta.Open(vfs.NewMem(), "pebble", meta.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	w := &world{
		t: t, db: db, ledger: l, mapKeys: make(map[uint64]crypto.Secret),
		root: crypto.NewSigner(crypto.UserID{}, seed(t, 1)), alice: crypto.NewSigner(crypto.UserID{0xA1}, seed(t, 50)),
	}
	count(w.index[:], 0x10)
	return w
}

func (w *world) append(entry []byte) {
	w.t.Helper()
	if err := w.ledger.Append(entry); err != nil {
		w.t.Fatal(err)
	}
}

// record makes the next epoch record, of this root, behind what there is.
func (w *world) record(root *crypto.Signer) (*crypto.EpochRecord, []byte) {
	w.t.Helper()
	kem := bytes.Repeat([]byte{7}, crypto.ReaderPublicSize)
	r := &crypto.EpochRecord{
		Index: w.index, Epoch: uint64(len(w.records) + 1), Name: "letters", Reader: kem, Root: root.Public(),
		Pin: crypto.EpochPin{Group: w.at.Group, Seq: w.at.Seq, Head: w.at.Head},
		Users: []crypto.EpochUser{
			{Perm: crypto.PermRead | crypto.PermWrite, Sign: root.Public(), KEM: kem, Read: crypto.Hash{1}},
			{User: w.alice.User(), Perm: crypto.PermWrite, Sign: w.alice.Public(), KEM: kem, Write: crypto.Hash{2}},
		},
	}
	var predecessor *crypto.Signer
	if r.Epoch > 1 {
		r.Previous = crypto.Sum(w.raw[r.Epoch-2])
		r.MapLink = make([]byte, crypto.KeySize+crypto.Overhead)
		if root != w.root {
			predecessor = w.root
		}
	}
	raw, err := r.Sign(root, predecessor)
	must(w.t, err)
	return r, raw
}

// epoch begins the next epoch.
func (w *world) epoch(root *crypto.Signer) {
	w.t.Helper()
	r, raw := w.record(root)
	w.root = root
	w.records, w.raw = append(w.records, r), append(w.raw, raw)
	w.mapKeys[r.Epoch] = crypto.NewSecret()
	w.append(EpochEntry(raw))
	w.session()
}

// session begins a run of the log behind at.
func (w *world) session() {
	r := w.records[len(w.records)-1]
	w.log = wal.New(wal.Config{
		DB: w.db, Index: w.index, Epoch: r.Epoch, MapKey: w.mapKeys[r.Epoch],
		Ledger:  func(g []byte) error { return w.ledger.Append(GroupEntry(g)) },
		Publish: func(at wal.Position, _ int, _ []*wal.Entry) { w.at = at },
	}, w.at)
}

func (w *world) do(k wal.Kind, s *crypto.Signer, payload string) {
	w.t.Helper()
	if err := w.log.Append(context.Background(), &wal.Entry{Kind: k, Signer: s, Payload: []byte(payload)}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) delete(payload string) { w.t.Helper(); w.do(wal.KindTombstone, w.alice, payload) }
func (w *world) upsert(payload string) { w.t.Helper(); w.do(wal.KindUpsert, w.root, payload) }

// state is what the store has now.
func (w *world) state() State {
	n := len(w.records) - 1
	return State{At: w.at, Record: w.records[n], Sum: crypto.Sum(w.raw[n])}
}

// knows answers Options.Store of a store with one state.
func (w *world) knows(s State) func(crypto.IndexID) (State, bool) {
	return func(id crypto.IndexID) (State, bool) { return s, id == w.index }
}

// compare reads the ledger in both depths, which must answer alike, and compares.
func (w *world) compare(l Ledger, s State) (*Comparison, error) {
	w.t.Helper()
	quick, err := w.compareIn(l, s, false)
	full, ferr := w.compareIn(l, s, true)
	if err == nil && (ferr != nil || len(full.Missing) != len(quick.Missing) || full.Same() != quick.Same()) {
		w.t.Errorf("quick: %+v; full: %+v, %v", quick, full, ferr)
	}
	return quick, err
}

func (w *world) compareIn(l Ledger, s State, full bool) (*Comparison, error) {
	h, err := Read(l.Entries(), Options{ID: store, Store: w.knows(s), Full: full})
	if err != nil {
		return nil, err
	}
	return h.Compare(w.index)
}

// groups are the numbers of groups.
func groups(of []*wal.Stubbed) (out []uint64) {
	for _, g := range of {
		out = append(out, g.Position().Group)
	}
	return out
}

// kinds are all errors that one may be asked for.
var kinds = []error{ErrNotOurs, ErrCut, ErrAltered, ErrFork}

// wantKind wants an error of this kind and of no other.
func wantKind(t testing.TB, what string, err, kind error) {
	t.Helper()
	for _, k := range kinds {
		if errors.Is(err, k) != (k == kind) {
			t.Errorf("%s: %v, want %v alone", what, err, kind)
			return
		}
	}
	if kind != nil && !errors.As(err, new(*Error)) {
		t.Errorf("%s: %v is no *Error", what, err)
	}
}

func seeded(t testing.TB) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d (rand.NewPCG(seed, 0))", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

func readBytes(t testing.TB, fs vfs.FS, path string) []byte {
	t.Helper()
	f, err := fs.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, info.Size())
	if _, err := f.ReadAt(b, 0); err != nil && info.Size() > 0 {
		t.Fatal(err)
	}
	return b
}

func writeBytes(t testing.TB, fs vfs.FS, path string, b []byte) {
	t.Helper()
	f, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(bytes.Clone(b)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		t.Fatal(err)
	}
}

// all reads every entry.
func all(l Ledger) (out [][]byte, err error) {
	for s, err := range l.Entries() {
		if err != nil {
			return out, err
		}
		out = append(out, s.Entry)
	}
	return out, nil
}

func encoded(f func(*codec.Encoder)) []byte {
	var e codec.Encoder
	f(&e)
	return e.B
}
