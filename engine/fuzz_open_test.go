package engine_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/engine"
	"oubliette/internal/corpus"
)

// openScene is a closed store that keeps a ledger, and those of its files that are
// not the database's.
type openScene struct {
	fs    *vfs.MemFS
	files []string
}

const fuzzLedger = "/ledger"

func withLedger(fs vfs.FS) *engine.Options {
	o := fuzzOptions(fs)
	o.Ledger = engine.LedgerFile(fs, fuzzLedger)
	return o
}

func newOpenScene(t testing.TB) *openScene {
	ctx, fs := context.Background(), vfs.NewCrashableMem()
	db, err := engine.Open(storeDir, withLedger(fs))
	must(t, err)
	ix, err := db.CreateIndex(ctx, "a", fuzzKey(t), engine.IndexConfig{})
	must(t, err)
	must(t, ix.Upsert(ctx, append(slices.Clone(livingItems), erasedItem)))
	got(ix.Delete(ctx, []string{erasedItem.ID}))(t)
	got(ix.Purge(ctx))(t)
	must(t, db.Close())
	s := &openScene{fs: fs.CrashClone(vfs.CrashCloneCfg{}), files: []string{storeDir + "/FORMAT", storeDir + "/CLEAN", fuzzLedger}}
	for name := range readAll(t, s.fs) {
		if strings.HasSuffix(name, ".seg") {
			s.files = append(s.files, name)
		}
	}
	if len(s.files) != 4 {
		t.Fatalf("the store's files are %q", s.files)
	}
	return s
}

// spoiled is the scene with one file spoiled as a part of a backup is, or with one
// more, whose name is what stands before the first zero of b.
func (s *openScene) spoiled(t testing.TB, at uint32, how byte, b []byte) vfs.FS {
	fs := s.fs.CrashClone(vfs.CrashCloneCfg{})
	if how%spoilings == spoilAdd {
		name, rest, _ := bytes.Cut(b, []byte{0})
		if file := string(name); file != "" && !strings.Contains(file, "/") && !strings.Contains(file, "\\") {
			if _, err := fs.Stat(storeDir + "/" + file); err != nil {
				writeAll(t, fs, storeDir+"/"+file, rest)
			}
		}
		return fs
	}
	p := make(parts, len(s.files))
	i := int(at) % len(p)
	p[i].value = readOne(t, fs, s.files[i])
	if how%spoilings == spoilDrop {
		must(t, fs.Remove(s.files[i]))
		return fs
	}
	writeAll(t, fs, s.files[i], p.spoil(at, how, b)[i].value)
	return fs
}

func readOne(t testing.TB, fs vfs.FS, path string) []byte {
	t.Helper()
	f, err := fs.Open(path)
	must(t, err)
	b, err := io.ReadAll(f)
	must(t, errors.Join(err, f.Close()))
	return b
}

func writeAll(t testing.TB, fs vfs.FS, path string, b []byte) {
	t.Helper()
	f, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	must(t, err)
	_, err = f.Write(bytes.Clone(b))
	must(t, errors.Join(err, f.Close()))
}

// FuzzOpen opens a store of which somebody has changed one file that is not the
// database's: FORMAT, CLEAN, the ledger, a segment; or has put one there. It is
// refused with an error that says why, or shows what was put in.
func FuzzOpen(f *testing.F) {
	s := newOpenScene(f)
	f.Fuzz(func(t *testing.T, at uint32, how byte, b []byte) {
		_, _ = judged(t, withLedger(s.spoiled(t, at, how, b)))
	})
}

// TestSeedsOfOpen: valid is what shows every living item.
func TestSeedsOfOpen(t *testing.T) {
	s := newOpenScene(t)
	format, clean, kept, segment := uint32(0), uint32(1), uint32(2), uint32(3)
	xor, cut, drop, replace, add := byte(spoilXor), byte(spoilCut), byte(spoilDrop), byte(spoilReplace), byte(spoilAdd)
	deep := func(file uint32, n int) uint32 { return file + uint32(n*len(s.files)) }
	corpus.Hold(t, "FuzzOpen", []corpus.Seed{
		corpus.Valid("as-it-was", format, xor, []byte{}), corpus.Valid("no-clean", clean, drop, []byte{}), corpus.Valid("clean-cut", deep(clean, 20), cut, []byte{}),
		corpus.Valid("second-slot", deep(segment, 5000), xor, []byte{1}), corpus.Valid("other-file", format, add, []byte("notes\x00text")),
		corpus.Valid("ledger-as-it-was", kept, xor, []byte{}),
		corpus.Hostile("format-changed", deep(format, 10), xor, []byte{1}), corpus.Hostile("format-newer", deep(format, 8), xor, []byte{2}),
		corpus.Hostile("no-format", format, drop, []byte{}), corpus.Hostile("ledger-head", deep(kept, 9), xor, []byte{1}), corpus.Hostile("no-ledger", kept, drop, []byte{}),
		corpus.Hostile("ledger-cut", deep(kept, 40), cut, []byte{}), corpus.Hostile("ledger-other", kept, replace, []byte("text")),
		corpus.Hostile("ledger-changed", deep(kept, 60), xor, []byte{1}),
		corpus.Hostile("no-segment", segment, drop, []byte{}), corpus.Hostile("segment-cut", deep(segment, 8192), cut, []byte{}),
		corpus.Hostile("segment-row", deep(segment, 8200), xor, []byte{1}), corpus.Hostile("segment-header", segment, xor, []byte{1}),
	}, func(seed corpus.Seed) error {
		shown, err := judged(t, withLedger(s.spoiled(t, seed.Values[0].(uint32), seed.Values[1].(byte), seed.Bytes(2))))
		if err == nil && shown < len(livingItems) {
			err = errors.New("not all items are shown")
		}
		return err
	})
}
