package ledger

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/crypto"
	"oubliette/internal/fault"
	"oubliette/internal/latchfs/failfs"
	"oubliette/wal"
)

const path = "elsewhere/deletes.ledger"

func openFile(t testing.TB, fs vfs.FS) *File {
	t.Helper()
	if err := fs.MkdirAll("elsewhere", 0o700); err != nil {
		t.Fatal(err)
	}
	f, err := OpenFile(fs, path, store)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// made are entries that can be told apart, of many sizes.
func made(n int) (out [][]byte) {
	sizes := []int{2, 3, 8, 9, 300, 511, 512, 513, 1000, 5000, 9000}
	for i := range n {
		b := bytes.Repeat([]byte{byte(i + 1)}, sizes[i%len(sizes)])
		b[0], b[1] = byte(kindGroup), entryVersion
		out = append(out, b)
	}
	return out
}

func TestEntriesComeBackInTheirOrder(t *testing.T) {
	fs := vfs.NewCrashableMem()
	entries := made(40)
	f := openFile(t, fs)
	for i, e := range entries {
		if i%7 == 0 {
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			f = openFile(t, fs)
		}
		if err := f.Append(e); err != nil {
			t.Fatal(err)
		}
		if got, err := all(f); err != nil || !slices.EqualFunc(got, entries[:i+1], bytes.Equal) {
			t.Fatalf("behind entry %d: %d entries, %v", i, len(got), err)
		}
	}
	for range f.Entries() {
		break // who asked may stop
	}
	if f.Store() != store {
		t.Errorf("it is of store %x", f.Store())
	}
	f = openFile2(t, fs)
	if got, err := all(f); err != nil || len(got) != len(entries) {
		t.Errorf("read beside a writer: %d entries, %v", len(got), err)
	}
}

// openFile2 opens for reading.
func openFile2(t testing.TB, fs vfs.FS) *File {
	t.Helper()
	f, err := ReadFile(fs, path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func TestOneWriterAtATime(t *testing.T) {
	fs := vfs.NewMem()
	f := openFile(t, fs)
	if _, err := OpenFile(fs, path, store); !errors.Is(err, ErrLocked) {
		t.Errorf("%v, want ErrLocked", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Errorf("closed again: %v", err)
	}
	if err := f.Append(made(1)[0]); !errors.Is(err, os.ErrClosed) {
		t.Errorf("append to a closed one: %v", err)
	}
	if _, err := all(f); !errors.Is(err, os.ErrClosed) {
		t.Errorf("entries of a closed one: %v", err)
	}
	openFile(t, fs)
}

// TestOneWriterAtATimeOnTheDisk goes by another name of the same file, too.
func TestOneWriterAtATimeOnTheDisk(t *testing.T) {
	dir := t.TempDir()
	real := filepath.Join(dir, "ledger")
	f, err := OpenFile(vfs.Default, real, store)
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(real, link); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{real, link, dir + "/./ledger"} {
		if _, err := OpenFile(vfs.Default, name, store); !errors.Is(err, ErrLocked) {
			t.Errorf("%s: %v, want ErrLocked", name, err)
		}
	}
	for _, e := range made(20) {
		if err := f.Append(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	f, err = OpenFile(vfs.Default, link, store)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := all(f); err != nil || len(got) != 20 {
		t.Errorf("%d entries, %v", len(got), err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenFile(vfs.Default, filepath.Join(dir, "not", "there"), store); !errors.Is(err, os.ErrNotExist) || errors.Is(err, ErrLocked) {
		t.Errorf("in no folder: %v", err)
	}
}

func TestWhatIsNoLedgerOfThisStoreIsRefused(t *testing.T) {
	head := encodeHeader(store)
	newer := bytes.Clone(head)
	newer[8] = 2
	never := bytes.Clone(head)
	never[8] = 0
	for name, c := range map[string]struct {
		bytes []byte
		want  []error
	}{
		"empty":            {nil, []error{ErrNotOurs, fault.ErrForeign}},
		"another file":     {[]byte("#!/bin/sh\n"), []error{ErrNotOurs, fault.ErrForeign}},
		"another store's":  {encodeHeader([16]byte{1}), []error{ErrNotOurs}},
		"newer":            {newer, []error{fault.ErrNewer}},
		"of no version":    {never, []error{ErrAltered, fault.ErrDamaged}},
		"a head cut short": {head[:headerSize-1], []error{ErrAltered, fault.ErrDamaged}},
	} {
		fs := vfs.NewMem()
		if err := fs.MkdirAll("elsewhere", 0o700); err != nil {
			t.Fatal(err)
		}
		writeBytes(t, fs, path, c.bytes)
		_, err := OpenFile(fs, path, store)
		for _, e := range []error{ErrNotOurs, ErrAltered, ErrCut, ErrFork, fault.ErrForeign, fault.ErrNewer, fault.ErrDamaged} {
			if errors.Is(err, e) != slices.Contains(c.want, e) {
				t.Errorf("%s: %v, want %v", name, err, c.want)
			}
		}
		if !bytes.Equal(readBytes(t, fs, path), c.bytes) {
			t.Errorf("%s: was written to", name)
		}
		if _, err := OpenFile(fs, path, store); errors.Is(err, ErrLocked) {
			t.Errorf("%s: the lock is kept", name)
		}
	}
	if _, err := ReadFile(vfs.NewMem(), path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("read where there is none: %v", err)
	}
}

func TestLedgerOpenForReadingChangesNothing(t *testing.T) {
	fs := vfs.NewMem()
	f := openFile(t, fs)
	for _, e := range made(5) {
		if err := f.Append(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	torn := readBytes(t, fs, path)
	torn = torn[:len(torn)-100]
	writeBytes(t, fs, path, torn)
	strict := failfs.New(fs, func(_ int, op, _ string) failfs.Verdict {
		if op != "stat" && op != "close" {
			t.Errorf("%s while reading", op)
		}
		return failfs.Pass
	})
	r := openFile2(t, strict)
	if got, err := all(r); err != nil || len(got) != 4 {
		t.Errorf("%d entries of a ledger with a torn end, %v", len(got), err)
	}
	if err := r.Append(made(1)[0]); err == nil {
		t.Error("appended to a ledger that is open for reading")
	}
	if !bytes.Equal(readBytes(t, fs, path), torn) {
		t.Error("it was written to")
	}
}

func TestEntriesOutOfBoundsAreNotAppended(t *testing.T) {
	f := openFile(t, vfs.NewMem())
	for _, n := range []int{0, 1, MaxEntry + 1} {
		if err := f.Append(make([]byte, n)); err == nil {
			t.Errorf("%d bytes are taken", n)
		}
	}
	large := make([]byte, MaxEntry)
	large[0], large[1], large[MaxEntry-1] = byte(kindGroup), entryVersion, 1
	if err := f.Append(large); err != nil {
		t.Fatal(err)
	}
	if got, err := all(f); err != nil || len(got) != 1 || !bytes.Equal(got[0], large) {
		t.Errorf("%d entries, %v", len(got), err)
	}
}

// TestLargestRecordsAreEntries holds MaxEntry against what a group and an epoch
// record may come to.
func TestLargestRecordsAreEntries(t *testing.T) {
	group := wal.MaxGroup + 142 + 4 + 1<<16*(80+57)
	record := 8 + 2 + 16 + 8 + 4 + crypto.MaxName + 4 + 32 + crypto.ReaderPublicSize + 32 + 4 + 48 + 8 + 8 + 64 +
		4 + crypto.MaxSegments*48 + 4 + crypto.MaxUsers*(16+1+32+crypto.ReaderPublicSize+64) + 128
	if group+entryHead > MaxEntry || record+entryHead > MaxEntry {
		t.Errorf("%d bytes of a group, %d of an epoch record", group, record)
	}
}

// TestALoneDeleteCostsAtMost400BytesAnd24AnID measures the file.
func TestALoneDeleteCostsAtMost400BytesAnd24AnID(t *testing.T) {
	fs := vfs.NewMem()
	f := openFile(t, fs)
	w := newWorld(t, f)
	before := len(readBytes(t, fs, path))
	for _, ids := range []int{1, 2, 10, 1000, 100_000} {
		// A tombstone record: docs/format/tombstone.md.
		w.delete(string(make([]byte, 6+16*ids)))
		after := len(readBytes(t, fs, path))
		cost := after - before
		before = after
		if cost > 24*ids+400 {
			t.Errorf("%d ids: %d bytes", ids, cost)
		}
		t.Logf("%d ids: %d bytes, %d beside 16 an id", ids, cost, cost-16*ids)
	}
}

func TestConcurrentAppendsAreAllThere(t *testing.T) {
	fs := vfs.NewCrashableMem()
	must(t, fs.MkdirAll("elsewhere", 0o700))
	syncDir(t, fs, ".")
	f := openFile(t, fs)
	var wg sync.WaitGroup
	for c := range 8 {
		wg.Go(func() {
			for k := range 50 {
				if err := f.Append([]byte{byte(kindGroup), entryVersion, byte(c), byte(k)}); err != nil {
					t.Error(err)
				}
				if _, err := all(f); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	f2 := openFile2(t, fs.CrashClone(vfs.CrashCloneCfg{}))
	got, err := all(f2)
	if err != nil || len(got) != 400 {
		t.Fatalf("%d entries, %v", len(got), err)
	}
	next := make(map[byte]byte)
	for _, e := range got {
		if e[3] != next[e[2]] {
			t.Fatalf("caller %d: %d where %d belongs", e[2], e[3], next[e[2]])
		}
		next[e[2]]++
	}
}

// toldFile is told in a file: entries of a small ledger and the state of the store.
func toldFile(t testing.TB) (w *world, state State, raw []byte) {
	t.Helper()
	fs := vfs.NewMem()
	w, l, _ := told(t)
	f := openFile(t, fs)
	for _, e := range *l {
		if err := f.Append(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return w, w.state(), readBytes(t, fs, path)
}

// judge opens a file of these bytes for reading and compares the store with it.
func judge(t testing.TB, w *world, state State, raw []byte) (*Comparison, error) {
	t.Helper()
	fs := vfs.NewMem()
	if err := fs.MkdirAll("elsewhere", 0o700); err != nil {
		t.Fatal(err)
	}
	writeBytes(t, fs, path, raw)
	f, err := ReadFile(fs, path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return w.compareIn(f, state, false)
}

// places are the offsets of a small ledger: each of them, but of an epoch record,
// which its own tests change byte by byte, the head and every 19th.
func places(raw []byte) (at []int) {
	for i := range headerSize {
		at = append(at, i)
	}
	for start := headerSize; start < len(raw); {
		n := int(frameSize(int(binary.LittleEndian.Uint32(raw[start:]))))
		for i := range n {
			if raw[start+frameHead] != byte(kindEpoch) || i < 50 || i%19 == 0 {
				at = append(at, start+i)
			}
		}
		start += n
	}
	return at
}

// TestEveryByteOfALedgerCounts flips a bit in every byte of a small ledger. What is
// answered is one of the errors; nowhere is it that all is well.
func TestEveryByteOfALedgerCounts(t *testing.T) {
	w, state, raw := toldFile(t)
	if c, err := judge(t, w, state, raw); err != nil || !c.Same() {
		t.Fatalf("%+v, %v", c, err)
	}
	for _, i := range places(raw) {
		for _, bit := range []byte{1, 0x80} {
			b := bytes.Clone(raw)
			b[i] ^= bit
			c, err := judge(t, w, state, b)
			if err == nil {
				t.Fatalf("byte %d of %d: %+v", i, len(raw), c)
			}
			if !errors.Is(err, ErrNotOurs) && !errors.Is(err, ErrAltered) && !errors.Is(err, ErrCut) && !errors.Is(err, fault.ErrNewer) {
				t.Errorf("byte %d: %v", i, err)
			}
		}
	}
}

// TestLedgerCutAnywhereIsCut ends a small ledger at every length: the rest is
// taken for an append that was cut off, and the store has more than is left.
func TestLedgerCutAnywhereIsCut(t *testing.T) {
	w, state, raw := toldFile(t)
	for _, n := range places(raw) {
		_, err := judge(t, w, state, raw[:n])
		switch {
		case n < len(fileMagic):
			wantKind(t, fmt.Sprint(n), err, ErrNotOurs)
		case n < headerSize:
			wantKind(t, fmt.Sprint(n), err, ErrAltered)
		default:
			wantKind(t, fmt.Sprint(n), err, ErrCut)
		}
	}
}

// TestBytesBehindTheEndAreDamage: zeros are not, nor is anything that one append
// may leave.
func TestBytesBehindTheEndAreDamage(t *testing.T) {
	w, state, raw := toldFile(t)
	for name, c := range map[string]struct {
		more []byte
		kind error
	}{
		"zeros":                            {make([]byte, 10_000), nil},
		"the head of a frame, and no more": {appendFrame(nil, made(11)[10], int64(len(raw)))[:700], nil},
		"a frame of another place":         {appendFrame(nil, made(1)[0], 8), ErrAltered},
		"a whole frame behind zeros":       {append(make([]byte, 4096), appendFrame(nil, made(1)[0], int64(len(raw))+4096)...), ErrAltered},
		"text":                             {bytes.Repeat([]byte("text"), 300), ErrAltered},
		"a length above the limit":         {[]byte{0xFF, 0xFF, 0xFF, 0xFF, 1, 2, 3, 4, 5, 6, 7, 8}, ErrAltered},
		"more than one append can leave":   {append(make([]byte, frameSize(MaxEntry)+8), 1), ErrAltered},
	} {
		_, err := judge(t, w, state, append(bytes.Clone(raw), c.more...))
		wantKind(t, name, err, c.kind)
		if c.kind == nil && err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestDamageIsNotTakenForATornEnd zeroes sectors and breaks lengths in the middle:
// what was acknowledged behind is not thrown away.
func TestDamageIsNotTakenForATornEnd(t *testing.T) {
	fs := vfs.NewMem()
	f := openFile(t, fs)
	entries := made(22)
	for _, e := range entries {
		if err := f.Append(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	raw := readBytes(t, fs, path)
	last := int64(len(raw)) - frameSize(len(entries[21]))
	check := func(what string, b []byte) {
		t.Helper()
		fs := vfs.NewMem()
		if err := fs.MkdirAll("elsewhere", 0o700); err != nil {
			t.Fatal(err)
		}
		writeBytes(t, fs, path, b)
		if _, err := OpenFile(fs, path, store); err == nil {
			t.Errorf("%s: taken", what)
		} else {
			wantKind(t, what, err, ErrAltered)
		}
		if !bytes.Equal(readBytes(t, fs, path), b) {
			t.Errorf("%s: was written to", what)
		}
	}
	for at := int64(0); at < last-sector; at += sector {
		for _, n := range []int64{sector, 4096} {
			b := bytes.Clone(raw)
			lo := max(at, headerSize)
			clear(b[lo:min(lo+n, last)])
			check(fmt.Sprintf("%d zeros at %d", n, at), b)
		}
	}
	for _, at := range []int64{last + 4, last + frameHead, last + 700, int64(len(raw)) - 9} {
		b := bytes.Clone(raw)
		b[at] ^= 4
		check(fmt.Sprintf("byte %d of the last frame", at-last), b)
	}
	behind := append(bytes.Clone(raw), 0, 0, 9, 9)
	clear(behind[last+2000 : last+3500]) // as after a cut off append, behind which nothing may stand
	check("more behind the last frame", behind)
	for at := int64(headerSize); at < last; {
		n := int64(raw[at]) | int64(raw[at+1])<<8
		for _, flip := range []byte{1, 2} { // the length leads beyond the end
			b := bytes.Clone(raw)
			b[at+2] ^= flip
			check(fmt.Sprintf("length at %d", at), b)
		}
		at += frameSize(int(n))
	}
}

// TestAcknowledgedEntriesSurviveEveryCrash fails each mutation in turn, in each
// way, lets the disk keep nothing, a part or all of what was not synced, and
// opens again: what was acknowledged is there, what is there was asked for, and
// the ledger goes on.
func TestAcknowledgedEntriesSurviveEveryCrash(t *testing.T) {
	rng := seeded(t)
	entries := made(12)
	for _, verdict := range []failfs.Verdict{failfs.Refuse, failfs.Late, failfs.Short} {
		for k := 0; ; k++ {
			inner := vfs.NewCrashableMem()
			must(t, inner.MkdirAll("elsewhere", 0o700))
			syncDir(t, inner, ".")
			fired := false
			fs := failfs.New(inner, func(n int, _, _ string) failfs.Verdict {
				if n == k {
					fired = true
					return verdict
				}
				return failfs.Pass
			})
			acked := 0
			f, err := OpenFile(fs, path, store)
			if err == nil {
				acked = appendAll(t, f, entries)
				_ = f.Close() // may be what fails
			}
			if !fired {
				break
			}
			for _, percent := range []int{0, 50, 100} {
				clone := inner.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rng})
				survived(t, fmt.Sprintf("verdict %d at mutation %d, %d%% kept", verdict, k, percent), clone, entries, acked)
			}
		}
	}
}

// appendAll appends until one fails, behind which none may be taken.
func appendAll(t *testing.T, f *File, entries [][]byte) (acked int) {
	t.Helper()
	for _, e := range entries {
		if err := f.Append(e); err != nil {
			if err := f.Append(e); err == nil {
				t.Error("an append behind a failed one was taken")
			}
			return acked
		}
		acked++
	}
	return acked
}

// survived opens a ledger after a crash.
func survived(t *testing.T, what string, fs *vfs.MemFS, entries [][]byte, acked int) {
	t.Helper()
	r, err := ReadFile(fs, path)
	before := -1
	if err == nil {
		got, err := all(r)
		if err != nil {
			t.Errorf("%s: read: %v", what, err)
		}
		before = len(got)
		_ = r.Close()
	} else if acked > 0 || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s: read: %v", what, err)
	}
	f, err := OpenFile(fs, path, store)
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	got, err := all(f)
	if err != nil || len(got) < acked || len(got) > acked+1 || !slices.EqualFunc(got, entries[:len(got)], bytes.Equal) {
		t.Errorf("%s: %d entries, %d acknowledged; %v", what, len(got), acked, err)
	}
	if before >= 0 && before != len(got) {
		t.Errorf("%s: %d entries to a reader, %d to a writer", what, before, len(got))
	}
	more := []byte{byte(kindGroup), entryVersion, 'm', 'o', 'r', 'e'}
	if err := errors.Join(f.Append(more), f.Close()); err != nil {
		t.Errorf("%s: %v", what, err)
	}
	f, err = OpenFile(fs, path, store)
	if err != nil {
		t.Errorf("%s: again: %v", what, err)
		return
	}
	if again, err := all(f); err != nil || len(again) != len(got)+1 || !bytes.Equal(again[len(got)], more) {
		t.Errorf("%s: goes on with %d entries behind %d; %v", what, len(again), len(got), err)
	}
	_ = f.Close()
}

// TestTornAppendsAreCutOff leaves of the last append each choice of its sectors, of
// 512 and of 4,096 bytes, in a file that ends there or has grown, and then a crash
// in each step of the cutting off.
func TestTornAppendsAreCutOff(t *testing.T) {
	for _, ahead := range []int{1, 9} { // where the append begins in its sector
		entries := made(ahead + 2)
		last := entries[len(entries)-1]
		fs := vfs.NewMem()
		f := openFile(t, fs)
		acked := appendAll(t, f, entries[:ahead+1])
		start := len(readBytes(t, fs, path))
		appendAll(t, f, [][]byte{last})
		_ = f.Close()
		raw := readBytes(t, fs, path)
		for _, block := range []int{512, 4096} {
			for _, b := range tornBlocks(raw, start, block) {
				tornOnce(t, entries, acked, b, len(raw))
			}
		}
		for n := start; n < len(raw); n += 97 {
			tornOnce(t, entries, acked, raw[:n], len(raw))
		}
	}
}

// tornBlocks are raw with each choice of the blocks behind start left zero: all
// choices of up to 8 blocks, else those with one block missing or one there.
func tornBlocks(raw []byte, start, block int) (out [][]byte) {
	var blocks [][2]int
	for at := start; at < len(raw); at = (at/block + 1) * block {
		blocks = append(blocks, [2]int{at, min((at/block+1)*block, len(raw))})
	}
	choose := func(written func(i int) bool) {
		b := append(bytes.Clone(raw[:start]), make([]byte, len(raw)-start)...)
		for i, x := range blocks {
			if written(i) {
				copy(b[x[0]:x[1]], raw[x[0]:x[1]])
			}
		}
		out = append(out, b)
	}
	if len(blocks) <= 8 {
		for mask := range 1 << len(blocks) {
			choose(func(i int) bool { return mask>>i&1 == 1 })
		}
		return out
	}
	for k := range blocks {
		choose(func(i int) bool { return i == k })
		choose(func(i int) bool { return i != k })
		choose(func(i int) bool { return i < k })
	}
	return out
}

// tornOnce opens a ledger with these bytes, crashing in each mutation of the
// opening before.
func tornOnce(t *testing.T, entries [][]byte, acked int, raw []byte, whole int) {
	t.Helper()
	for k := 0; ; k++ {
		inner := vfs.NewCrashableMem()
		must(t, inner.MkdirAll("elsewhere", 0o700))
		writeBytes(t, inner, path, raw)
		syncDir(t, inner, ".")
		syncDir(t, inner, "elsewhere")
		fired := false
		f, err := OpenFile(failfs.New(inner, func(n int, _, _ string) failfs.Verdict {
			if n == k {
				fired = true
				return failfs.Short
			}
			return failfs.Pass
		}), path, store)
		if err == nil {
			_ = f.Close()
		}
		rng := rand.New(rand.NewPCG(uint64(k), uint64(len(raw))))
		for _, percent := range []int{0, 50, 100} {
			clone := inner.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rng})
			survived(t, fmt.Sprintf("%d of %d bytes, crash %d, %d%% kept", len(raw), whole, k, percent), clone, entries, acked)
		}
		if !fired || t.Failed() {
			return
		}
	}
}

// TestWhatWasCutOffIsGoneBeforeAnythingIsAppended: were the zeros not synced, a
// crash in the next append could leave a part of both.
func TestWhatWasCutOffIsGoneBeforeAnythingIsAppended(t *testing.T) {
	fs := vfs.NewMem()
	f := openFile(t, fs)
	appendAll(t, f, made(11))
	must(t, f.Close())
	raw := readBytes(t, fs, path)
	writeBytes(t, fs, path, raw[:len(raw)-3000])
	var ops []string
	f, err := OpenFile(failfs.New(fs, func(_ int, op, at string) failfs.Verdict {
		if at == path {
			ops = append(ops, op)
		}
		return failfs.Pass
	}), path, store)
	must(t, err)
	must(t, f.Close())
	if want := []string{"open", "stat", "write", "sync", "close"}; !slices.Equal(ops, want) {
		t.Errorf("%v, want %v", ops, want)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func syncDir(t testing.TB, fs vfs.FS, dir string) {
	t.Helper()
	d, err := fs.OpenDir(dir)
	must(t, err)
	must(t, errors.Join(d.Sync(), d.Close()))
}

// TestDeletesReachTheLedgerBeforeTheStoreWhateverFails: a log over a ledger whose
// disk fails at every mutation. Whatever the call was answered, the store has no
// delete that the ledger lacks.
func TestDeletesReachTheLedgerBeforeTheStoreWhateverFails(t *testing.T) {
	for k := 0; ; k++ {
		inner := vfs.NewCrashableMem()
		must(t, inner.MkdirAll("elsewhere", 0o700))
		syncDir(t, inner, ".")
		fired, armed := false, -1
		fs := failfs.New(inner, func(n int, _, _ string) failfs.Verdict {
			if armed >= 0 && n == armed+k {
				fired = true
				return failfs.Short
			}
			return failfs.Pass
		})
		f, err := OpenFile(fs, path, store)
		must(t, err)
		w := newWorld(t, f)
		armed = fs.Count()
		failed := false
		for i := range 6 {
			err := w.log.Append(context.Background(), &wal.Entry{Kind: wal.KindTombstone, Signer: w.alice, Payload: []byte{byte(i)}})
			if failed && err == nil {
				t.Error("the log went on behind a failed ledger")
			}
			failed = failed || err != nil
			if err != nil && !errors.Is(err, fault.ErrFailed) {
				t.Errorf("%v, want ErrFailed", err)
			}
		}
		tail, err := wal.Tail(w.db, w.index, wal.Position{})
		must(t, err)
		_ = f.Close()
		state := w.state()
		state.At = tail
		for _, percent := range []int{0, 100} {
			r := openFile2(t, inner.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rand.New(rand.NewPCG(1, 1))}))
			if c, err := w.compare(r, state); err != nil || len(c.Missing) > 1 {
				t.Errorf("mutation %d: %+v, %v", k, c, err)
			}
		}
		if !fired {
			break
		}
	}
}

// TestWhatAKilledProcessLeftIsDurableOnceItIsRead: a ledger, and an entry, that a
// process has written and not synced when it was killed are acted on by the next one
// that opens it. A loss of power behind that must not take them away.
func TestWhatAKilledProcessLeftIsDurableOnceItIsRead(t *testing.T) {
	fs := vfs.NewCrashableMem()
	f := openFile(t, fs)
	appendAll(t, f, made(7))
	whole := readBytes(t, fs, path)
	must(t, f.Close())
	killed := vfs.NewCrashableMem() // as the page cache has it, nothing of it on the disk
	must(t, killed.MkdirAll(killed.PathDir(path), 0o755))
	syncDir(t, killed, "")
	d, err := killed.Create(path, vfs.WriteCategoryUnspecified)
	must(t, err)
	_, err = d.Write(slices.Clone(whole))
	must(t, err)
	must(t, d.Close())
	f, err = OpenFile(killed, path, store)
	must(t, err)
	must(t, f.Close())
	clone := killed.CrashClone(vfs.CrashCloneCfg{})
	if got := readBytes(t, clone, path); !bytes.Equal(got, whole) {
		t.Errorf("%d bytes are left of %d", len(got), len(whole))
	}
}
