package engine_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/engine"
	"oubliette/internal/archive"
	"oubliette/internal/corpus"
	"oubliette/ledger"
)

// Items of the stores that these targets begin with: what lives, what was deleted and
// erased, and what was deleted alone. The last may come back where somebody takes the
// delete out of the log: nothing but a ledger tells that. One is as large as it is, so
// that sealed bytes stand where zeros would, which take more in a seed.
var (
	livingItems = []engine.Item{sizedItem("lives", 1, 2400), {ID: "stays", Contents: []byte{}}}
	erasedItem  = engine.Item{ID: "erased"}
	hiddenItem  = engine.Item{ID: "hidden"}
)

// fuzzBackup is a backup of a store with these items in one segment: with an index,
// and then the log has a delete alone, or without one, and then it has all.
func fuzzBackup(t testing.TB, closed bool) []byte {
	t.Helper()
	ctx := context.Background()
	db, err := engine.Open(storeDir, fuzzOptions(vfs.NewMem()))
	must(t, err)
	ix, err := db.CreateIndex(ctx, "a", fuzzKey(t), engine.IndexConfig{})
	must(t, err)
	must(t, ix.Upsert(ctx, append(slices.Clone(livingItems), erasedItem, hiddenItem)))
	got(ix.Delete(ctx, []string{erasedItem.ID}))(t)
	got(ix.Purge(ctx))(t)
	if closed {
		must(t, ix.Roll(ctx))
		must(t, ix.SealNow(ctx))
	}
	got(ix.Delete(ctx, []string{hiddenItem.ID, "unknown"}))(t)
	var stream bytes.Buffer
	must(t, db.Backup(ctx, &stream))
	must(t, db.Close())
	return stream.Bytes()
}

func fuzzOptions(fs vfs.FS) *engine.Options {
	return &engine.Options{FS: fs, PurgeWithin: time.Hour, Now: func() time.Time { return time.UnixMilli(clockBegins) }}
}

// documented are the errors that a store answers whose files somebody has changed.
var documented = []error{
	engine.ErrCorrupt, engine.ErrWrongKey, engine.ErrIndexNotFound, engine.ErrLedgerRequired, engine.ErrRolledBack, io.ErrUnexpectedEOF, os.ErrNotExist,
	engine.ErrNewer, ledger.ErrNotOurs, ledger.ErrCut, ledger.ErrAltered, ledger.ErrFork,
}

// judged opens a store whose files somebody has changed. It is refused with an error
// that says why, or shows what was put in, bit for bit, and nothing else.
func judged(t testing.TB, opts *engine.Options) (shown int, err error) {
	t.Helper()
	ctx := context.Background()
	db, err := engine.Open(storeDir, opts)
	if err != nil {
		wantOneOf(t, err, documented...)
		return 0, err
	}
	defer func() {
		var pending *engine.PendingError
		if cerr := db.Close(); cerr != nil && !errors.As(cerr, &pending) {
			wantOneOf(t, cerr, documented...)
		}
	}()
	ix, err := db.LoadIndex(ctx, "a", engine.WithIndexKey(fuzzKey(t)))
	if err != nil {
		wantOneOf(t, err, documented...)
		return 0, err
	}
	may := append(slices.Clone(livingItems), hiddenItem)
	for it, err := range ix.Items(ctx, engine.AllFields) {
		if err != nil {
			wantOneOf(t, err, documented...)
			return shown, err
		}
		if shown++; !slices.ContainsFunc(may, func(m engine.Item) bool { return equal(m, it) }) {
			t.Fatalf("%.300v is shown, which nobody has put in or which was erased", it)
		}
	}
	report, err := ix.Check(ctx)
	if err != nil {
		wantOneOf(t, errors.Join(append(report.Problems, err)...), documented...)
	}
	return shown, err
}

// judgedRestored restores a stream and judges the store. After an error there is none.
func judgedRestored(t testing.TB, stream []byte) (shown int, err error) {
	t.Helper()
	fs := vfs.NewMem()
	if err := engine.RestoreWith(context.Background(), bytes.NewReader(stream), storeDir, fuzzOptions(fs)); err != nil {
		wantOneOf(t, err, documented...)
		if names, lerr := fs.List("/"); lerr != nil || len(names) > 0 {
			t.Fatalf("%v, and there is %q, %v", err, names, lerr)
		}
		return 0, err
	}
	return judged(t, fuzzOptions(fs))
}

// FuzzRestore restores any stream: an error and no store, or the store that the
// stream was made of.
func FuzzRestore(f *testing.F) {
	f.Fuzz(func(t *testing.T, stream []byte) { _, _ = judgedRestored(t, stream) })
}

// part is what a backup tells in one call.
type part struct {
	kind       byte // 0: bytes of a segment file, 1: a file, 2: a record
	segment    archive.Segment
	off        uint64
	key, value []byte
}

// parts is a backup taken apart, with which its checksums are made anew.
type parts []part

func (p *parts) Piece(s archive.Segment, off uint64, b []byte) error {
	*p = append(*p, part{0, s, off, nil, bytes.Clone(b)})
	return nil
}

func (p *parts) File(s archive.Segment, length uint64) error {
	*p = append(*p, part{1, s, length, nil, nil})
	return nil
}

func (p *parts) Record(key, value []byte) error {
	*p = append(*p, part{2, archive.Segment{}, 0, bytes.Clone(key), bytes.Clone(value)})
	return nil
}

// stream puts the parts together. What no writer writes is left out.
func (p parts) stream(t testing.TB) []byte {
	var out bytes.Buffer
	w := archive.NewWriter(&out)
	for _, x := range p {
		switch x.kind {
		case 0:
			_ = w.Piece(x.segment, x.off, x.value)
		case 1:
			_ = w.File(x.segment, x.off)
		case 2:
			_ = w.Record(x.key, x.value)
		}
	}
	must(t, w.Close())
	return out.Bytes()
}

// The ways in which a part is spoiled.
const (
	spoilReplace = iota // its bytes are others
	spoilXor            // some of its bytes are changed
	spoilCut
	spoilDrop
	spoilKey // it is under another key, or of another length or offset
	spoilAdd // there is one more: the length of its key, the key, the value
	spoilings
)

// spoil changes one part: at says which and, for xor and cut, how far into it.
func (p parts) spoil(at uint32, how byte, b []byte) parts {
	p = slices.Clone(p)
	i := int(at) % len(p)
	x := p[i]
	x.value = bytes.Clone(x.value)
	deep := int(at) / len(p) % (len(x.value) + 1)
	switch how % spoilings {
	case spoilReplace:
		x.value = b
	case spoilXor:
		for k := range min(len(b), len(x.value)-deep) {
			x.value[deep+k] ^= b[k]
		}
	case spoilCut:
		x.value = x.value[:deep]
	case spoilDrop:
		return slices.Delete(p, i, i+1)
	case spoilKey:
		if x.off ^= uint64(len(b)); len(b) > 0 {
			x.key = b
		}
	case spoilAdd:
		if len(b) == 0 {
			return p
		}
		n := int(b[0]) % len(b)
		return append(p, part{2, archive.Segment{}, 0, b[1 : 1+n], b[1+n:]})
	}
	p[i] = x
	return p
}

// takenApart are the two stores that are checked in.
func takenApart(t testing.TB) (out [2]parts) {
	for i, name := range []string{"valid-closed", "valid-open"} {
		must(t, archive.Read(bytes.NewReader(corpus.Read(t, "FuzzRestore", name).Bytes(0)), &out[i]))
	}
	return out
}

// FuzzRestoredRecords restores a backup of which somebody has changed one part, and
// set the checksums right: a record of the database, a piece of a segment file, a
// length. Everything is opened behind it, so that every decoder gets it in its place.
func FuzzRestoredRecords(f *testing.F) {
	stores := takenApart(f)
	f.Fuzz(func(t *testing.T, open bool, at uint32, how byte, b []byte) {
		_, _ = judgedRestored(t, spoiled(stores, open, at, how, b).stream(t))
	})
}

func spoiled(stores [2]parts, open bool, at uint32, how byte, b []byte) parts {
	if open {
		return stores[1].spoil(at, how, b)
	}
	return stores[0].spoil(at, how, b)
}

// TestSeedsOfRestore: valid is what shows every living item.
func TestSeedsOfRestore(t *testing.T) {
	whole := func(shown int, err error) error {
		if err == nil && shown < len(livingItems) {
			err = errors.New("not all items are shown")
		}
		return err
	}
	backup := fuzzBackup(t, false)
	changed := bytes.Clone(backup)
	changed[len(changed)/2] ^= 1
	corpus.Hold(t, "FuzzRestore", []corpus.Seed{
		corpus.Valid("closed", fuzzBackup(t, true)), corpus.Valid("open", backup), corpus.Hostile("empty", []byte{}),
		corpus.Hostile("cut", backup[:len(backup)-1]), corpus.Hostile("changed", changed), corpus.Hostile("head", backup[:14]),
		corpus.Hostile("no-parts", (parts{}).stream(t)),
	}, func(s corpus.Seed) error { return whole(judgedRestored(t, s.Bytes(0))) })
	stores := takenApart(t)
	corpus.Hold(t, "FuzzRestoredRecords", recordSeeds(stores[1]), func(s corpus.Seed) error {
		v := s.Values
		return whole(judgedRestored(t, spoiled(stores, v[0].(bool), v[1].(uint32), v[2].(byte), s.Bytes(3)).stream(t)))
	})
}

// recordSeeds spoil each record that the open store cannot do without.
func recordSeeds(p parts) []corpus.Seed {
	out := []corpus.Seed{
		corpus.Valid("as-it-was", false, uint32(0), byte(spoilXor), []byte{}), corpus.Valid("unknown-record", true, uint32(0), byte(spoilAdd), []byte("\x02zz-")),
		corpus.Hostile("ledger", false, uint32(0), byte(spoilAdd), append([]byte("\x01l"), make([]byte, 20)...)),
	}
	for i, x := range p {
		if x.kind != 2 || bytes.IndexByte([]byte("cegm"), x.key[0]) < 0 {
			continue
		}
		deep := uint32(i + len(p)*(len(x.value)/2))
		name := map[byte]string{'c': "catalogue", 'e': "epoch", 'g': "grant", 'm': "manifest"}[x.key[0]]
		out = append(out, corpus.Hostile(name+"-dropped", true, uint32(i), byte(spoilDrop), []byte{}), corpus.Hostile(name+"-empty", true, uint32(i), byte(spoilReplace), []byte{}),
			corpus.Hostile(name+"-changed", true, deep, byte(spoilXor), []byte{1}), corpus.Hostile(name+"-cut", true, deep, byte(spoilCut), []byte{}),
			corpus.Hostile(name+"-elsewhere", true, uint32(i), byte(spoilKey), append(bytes.Clone(x.key), 0)))
	}
	return out
}
