package meta

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/internal/fault"
)

// filesOf is every file of a database, by name.
func filesOf(t testing.TB, fs vfs.FS) map[string][]byte {
	t.Helper()
	names, err := fs.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string][]byte)
	for _, name := range names {
		f, err := fs.Open(fs.PathJoin(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if _, err := b.ReadFrom(f); err != nil {
			t.Fatal(err)
		}
		out[name] = b.Bytes()
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// holding is a file system with such a database.
func holding(t testing.TB, files map[string][]byte) vfs.FS {
	t.Helper()
	fs := vfs.NewMem()
	if err := fs.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, b := range files {
		f, err := fs.Create(fs.PathJoin(dir, name), "")
		if err == nil {
			_, err = f.Write(bytes.Clone(b))
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return fs
}

// with is files, one being another; nil: it is not there.
func with(files map[string][]byte, name string, b []byte) map[string][]byte {
	out := make(map[string][]byte)
	for n, old := range files {
		out[n] = old
	}
	if out[name] = b; b == nil {
		delete(out, name)
	}
	return out
}

// openAndRead opens a database for reading and for writing and reads all of it.
func openAndRead(t testing.TB, files map[string][]byte) (errs []error) {
	t.Helper()
	for _, o := range []Options{{ReadOnly: true}, {}} {
		db, err := Open(holding(t, files), dir, o)
		if err == nil {
			_, err = contents(db)
			mustClose(t, db)
		}
		errs = append(errs, err)
	}
	return errs
}

// wantCorrupt fails unless an error is a CorruptionError that names the place.
func wantCorrupt(t testing.TB, what string, errs []error, place string) {
	t.Helper()
	for _, err := range errs {
		if !errors.Is(err, fault.ErrCorrupt) || errors.Is(err, fault.ErrFailed) || !strings.Contains(err.Error(), place) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// A log file or a table of another database, or of another number, is told before
// anything is taken from it.
func TestFilesOfAnotherDatabaseAreForeign(t *testing.T) {
	mine, other := filesOf(t, filled(t)), filesOf(t, filled(t))
	tried := make(map[string]int)
	for name, b := range mine {
		part := name[strings.LastIndexByte(name, '.')+1:]
		if part != "log" && part != "sst" || bytes.Equal(b, other[name]) {
			continue
		}
		tried[part]++
		if other[name] != nil && isRead(t, mine, name) {
			wantCorrupt(t, "another database's "+name, openAndRead(t, with(mine, name, other[name])), name)
		}
		for second, c := range mine {
			if second > name && strings.HasSuffix(second, part) && isRead(t, mine, name) && isRead(t, mine, second) {
				wantCorrupt(t, name+" and "+second+" exchanged", openAndRead(t, with(with(mine, name, c), second, b)), name)
			}
		}
	}
	if tried["log"] == 0 || tried["sst"] == 0 {
		t.Errorf("tried %v", tried)
	}
}

// isRead tells whether the database reads a file.
func isRead(t testing.TB, files map[string][]byte, name string) bool {
	return openAndRead(t, with(files, name, []byte("not a file of a database, and long enough for a head")))[0] != nil
}

// A log that the database has not done with has to be there, also after a crash.
func TestAMissingLogIsTold(t *testing.T) {
	files := filesOf(t, filled(t))
	identity, err := decodeIdentity(identityFile, files[identityFile])
	if err != nil || len(identity.logs) == 0 {
		t.Fatalf("%+v, %v", identity, err)
	}
	cut := 0
	for _, l := range identity.logs {
		name := fmt.Sprintf("%06d.log", l)
		wantCorrupt(t, "without "+name, openAndRead(t, with(files, name, nil)), name)
		if !isRead(t, files, name) {
			continue // its table is durable, it was about to be removed
		}
		cut++
		for _, n := range []int{0, 1, headSize - 1} {
			wantCorrupt(t, fmt.Sprintf("%s cut at %d", name, n), openAndRead(t, with(files, name, files[name][:n])), name)
		}
	}
	if cut == 0 {
		t.Error("no log is read")
	}
}

// What was durable of the manifest counts to its last byte: an end that is gone is
// none that a crash has torn. What stands behind may be torn.
func TestAManifestIsHeldAgainstItsMark(t *testing.T) {
	fs := vfs.NewCrashableMem()
	db := mustOpen(t, fs, Options{tune: tuning{memTableSize: 32 << 10, l0Compact: 100}})
	// Not of fs itself: from there files go while they are read.
	durable := func() map[string][]byte { return filesOf(t, fs.CrashClone(vfs.CrashCloneCfg{})) }
	moments := []map[string][]byte{durable()}
	for i := range 30 {
		set(t, db, fmt.Sprintf("k%02d", i), string(noise(uint64(i), 4<<10)))
		if i%10 == 9 {
			if err := db.p.Flush(); err != nil {
				t.Fatal(err)
			}
			moments = append(moments, durable())
		}
	}
	files := durable()
	mustClose(t, db)
	name := "MANIFEST-000005"
	whole := files[name]
	for at := range whole {
		b := bytes.Clone(whole)
		b[at] ^= 4
		wantCorrupt(t, fmt.Sprintf("byte %d of %d", at, len(whole)), openAndRead(t, with(files, name, b)), name)
		wantCorrupt(t, fmt.Sprintf("cut at %d", at), openAndRead(t, with(files, name, whole[:at])), name)
	}
	older := 0
	for _, m := range moments {
		if !bytes.Equal(m[name], whole) {
			older++
			wantCorrupt(t, "an older state", openAndRead(t, with(files, name, m[name])), name)
		}
	}
	if older < 3 {
		t.Errorf("%d older states", older)
	}
	torn := append(bytes.Clone(whole), 1, 2, 3, 4, 40, 0, 1, 99)
	for _, err := range openAndRead(t, with(files, name, torn)) {
		if err != nil {
			t.Errorf("a torn end behind it: %v", err)
		}
	}
}

// A marker that leads back to a manifest of before is told.
func TestAnOldMarkerIsTold(t *testing.T) {
	fs := vfs.NewMem()
	mustClose(t, mustOpen(t, fs, Options{}))
	old := filesOf(t, fs)
	db := mustOpen(t, fs, Options{})
	set(t, db, "k", "v")
	mustClose(t, db)
	mustClose(t, mustOpen(t, fs, Options{})) // the log becomes a table, in a new manifest
	files := filesOf(t, fs)
	back := make(map[string][]byte)
	for name, b := range files {
		if !strings.HasPrefix(name, marker+"manifest") {
			back[name] = b
		}
	}
	for name, b := range old {
		if strings.HasPrefix(name, marker+"manifest") || strings.HasPrefix(name, "MANIFEST") {
			if files[name] != nil && strings.HasPrefix(name, marker) {
				t.Fatalf("%s is still there", name)
			}
			back[name] = b
		}
	}
	wantCorrupt(t, "an old marker", openAndRead(t, back), "MANIFEST")
}

// What a crash leaves of a log that nothing has been written to is an empty one, while
// nobody asks for it.
func TestALogWithoutItsHeadIsEmptyWhileNobodyAsksForIt(t *testing.T) {
	files := filesOf(t, filled(t))
	identity, err := decodeIdentity(identityFile, files[identityFile])
	if err != nil {
		t.Fatal(err)
	}
	head := encodeHead(identity.id, 99)
	for name, b := range map[string][]byte{
		"nothing": {}, "zeros": make([]byte, 4096), "half of it": head[:headSize/2], "half of it, and zeros": append(bytes.Clone(head[:20]), make([]byte, 10)...), "all of it": head,
	} {
		for _, err := range openAndRead(t, with(files, "000099.log", b)) {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	wantCorrupt(t, "another's head", openAndRead(t, with(files, "000099.log", encodeHead(identity.id, 98))), "000099.log")
	wantCorrupt(t, "text", openAndRead(t, with(files, "000099.log", bytes.Repeat([]byte("text"), 50))), "000099.log")
}

func TestADatabaseWithoutItsIdentityIsDamaged(t *testing.T) {
	files := filesOf(t, filled(t))
	wantCorrupt(t, "missing", openAndRead(t, with(files, identityFile, nil)), identityFile)
	// Its manifest is told, or where both have the same manifest a log, or that one of
	// the log files that it lists is missing: which logs there are depends on when
	// compactions come.
	wantCorrupt(t, "of another database", openAndRead(t, with(files, identityFile, filesOf(t, filled(t))[identityFile])), dir)
}

// unreadable fails one way to open or to read, or every way, from the n-th call on.
type unreadable struct {
	vfs.FS
	op    string
	n     atomic.Int64 // of calls that succeed first
	calls atomic.Int64
}

var errUnreadable = errors.New("too many open files")

func (fs *unreadable) fail(op string) error {
	if op != fs.op && (fs.op != "anything" || op == "stat") { // which takes no descriptor
		return nil
	}
	if fs.calls.Add(1) <= fs.n.Load() {
		return nil
	}
	return errUnreadable
}

func (fs *unreadable) Open(name string, o ...vfs.OpenOption) (vfs.File, error) {
	if err := fs.fail("open"); err != nil {
		return nil, err
	}
	return fs.FS.Open(name, o...)
}

func (fs *unreadable) OpenDir(name string) (vfs.File, error) {
	if err := fs.fail("open a directory"); err != nil {
		return nil, err
	}
	return fs.FS.OpenDir(name)
}

func (fs *unreadable) OpenReadWrite(name string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	if err := fs.fail("open for writing"); err != nil {
		return nil, err
	}
	return fs.FS.OpenReadWrite(name, c, o...)
}

func (fs *unreadable) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if err := fs.fail("create"); err != nil {
		return nil, err
	}
	return fs.FS.Create(name, c)
}

func (fs *unreadable) ReuseForWrite(oldname, newname string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if err := fs.fail("reuse"); err != nil {
		return nil, err
	}
	return fs.FS.ReuseForWrite(oldname, newname, c)
}

func (fs *unreadable) List(name string) ([]string, error) {
	if err := fs.fail("list"); err != nil {
		return nil, err
	}
	return fs.FS.List(name)
}

func (fs *unreadable) Stat(name string) (vfs.FileInfo, error) {
	if err := fs.fail("stat"); err != nil {
		return nil, err
	}
	return fs.FS.Stat(name)
}

// That something does not read is not damage: another attempt may read it.
func TestWhatDoesNotReadIsNotCalledDamaged(t *testing.T) {
	files := filesOf(t, filled(t))
	for _, op := range []string{"open", "open a directory", "list", "stat"} {
		for _, o := range []Options{{ReadOnly: true}, {}} {
			failed := 0
			for n := int64(0); ; n++ {
				fs := &unreadable{FS: holding(t, files), op: op}
				fs.n.Store(n)
				db, err := Open(fs, dir, o)
				if err == nil {
					_ = db.Close()
					break
				}
				if failed++; !errors.Is(err, errUnreadable) || errors.Is(err, fault.ErrCorrupt) {
					t.Errorf("%s %d: %v", op, n, err)
				}
			}
			t.Logf("%s, read-only %v: %d calls", op, o.ReadOnly, failed)
		}
	}
}

// Where no descriptor is left the log does not move on to another file, a new one or one
// that is used again: that ends writing, not the process.
func TestALogThatCannotMoveOnForWantOfADescriptorIsAFailedWrite(t *testing.T) {
	step := int64(1)
	if testing.Short() {
		step = 4
	}
	for _, op := range []string{"open a directory", "open for writing", "anything"} {
		for from := int64(0); from < 90; from += step {
			fs := &unreadable{FS: vfs.NewMem(), op: op}
			fs.n.Store(math.MaxInt64)
			db := mustOpen(t, fs, small)
			fs.n.Store(fs.calls.Load() + from)
			within(t, limit, op, func() {
				r := commitAll(db, workload(50))
				if from == 0 && r.err == nil || r.err != nil && (!errors.Is(r.err, fault.ErrFailed) || !errors.Is(r.err, errUnreadable)) {
					t.Errorf("%s, from %d: commit: %v", op, from, r.err)
				}
				if err := db.Close(); r.err != nil && !errors.Is(err, fault.ErrFailed) {
					t.Errorf("%s, from %d: Close: %v", op, from, err)
				}
			})
		}
	}
}
