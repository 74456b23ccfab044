package latchfs

import (
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"

	"oubliette/internal/latchfs/failfs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stage is a latching file system over one that fails on demand, with files at
// hand for every mutation.
type stage struct {
	t       *testing.T
	inner   *vfs.MemFS
	fail    *failfs.FS
	verdict failfs.Verdict
	fs      *FS
	latched int
	seen    error
	w, rw   vfs.File
	dir     vfs.File
}

func newStage(t *testing.T) *stage {
	s := &stage{t: t, inner: vfs.NewMem()}
	s.fail = failfs.New(s.inner, func(int, string, string) failfs.Verdict { return s.verdict })
	s.fs = New(s.fail, func(err error) { s.latched++; s.seen = err })
	s.must(s.fs.MkdirAll("d", 0o755))
	for _, name := range []string{"d/old", "d/tree", "d/spare"} {
		f := s.file(s.fs.Create(name, ""))
		s.must(f.Close())
	}
	s.w = s.file(s.fs.Create("d/w", ""))
	s.rw = s.file(s.fs.OpenReadWrite("d/rw", ""))
	s.dir = s.file(s.fs.OpenDir("d"))
	return s
}

func (s *stage) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) file(f vfs.File, err error) vfs.File {
	s.t.Helper()
	s.must(err)
	return f
}

// mutation is one of everything that may fail, with what its error is called.
type mutation struct {
	name, op, path string
	do             func(s *stage) error
}

func made(f vfs.File, err error) error {
	if err == nil && f == nil {
		return errors.New("no file")
	}
	return err
}

func wrote(n int, err error) error {
	if err == nil && n != 3 {
		return fmt.Errorf("%d bytes written, want 3", n)
	}
	return err
}

var mutations = []mutation{
	{"Create", "create", "d/new", func(s *stage) error { return made(s.fs.Create("d/new", "")) }},
	{"OpenReadWrite", "open for writing", "d/new2", func(s *stage) error { return made(s.fs.OpenReadWrite("d/new2", "")) }},
	{"ReuseForWrite", "reuse", "d/spare", func(s *stage) error { return made(s.fs.ReuseForWrite("d/spare", "d/new3", "")) }},
	{"Link", "link", "d/link", func(s *stage) error { return s.fs.Link("d/old", "d/link") }},
	{"Rename", "rename", "d/old", func(s *stage) error { return s.fs.Rename("d/old", "d/renamed") }},
	{"Remove", "remove", "d/tree", func(s *stage) error { return s.fs.Remove("d/tree") }},
	{"RemoveAll", "remove all", "d/tree", func(s *stage) error { return s.fs.RemoveAll("d/tree") }},
	{"MkdirAll", "make directory", "e/f", func(s *stage) error { return s.fs.MkdirAll("e/f", 0o755) }},
	{"Write", "write", "d/w", func(s *stage) error { return wrote(s.w.Write([]byte("abc"))) }},
	{"WriteAt", "write", "d/rw", func(s *stage) error { return wrote(s.rw.WriteAt([]byte("abc"), 5)) }},
	{"Preallocate", "preallocate", "d/w", func(s *stage) error { return s.w.Preallocate(0, 10) }},
	{"Sync", "sync", "d/w", func(s *stage) error { return s.w.Sync() }},
	{"SyncData", "sync", "d/w", func(s *stage) error { return s.w.SyncData() }},
	{"SyncTo", "sync", "d/w", func(s *stage) error { _, err := s.w.SyncTo(2); return err }},
	{"directory Sync", "sync", "d", func(s *stage) error { return s.dir.Sync() }},
	{"Stat for writing", "stat", "d/w", func(s *stage) error {
		fi, err := s.w.Stat()
		if err == nil && (fi.Name() != "w" || fi.IsDir()) {
			err = fmt.Errorf("answered %v", fi)
		}
		return err
	}},
	{"Close", "close", "d/w", func(s *stage) error { return s.w.Close() }},
}

// TestFirstFailureIsTheLastCallThatReachesTheDisk fails each mutation in each
// way, then tries all of them.
func TestFirstFailureIsTheLastCallThatReachesTheDisk(t *testing.T) {
	for _, m := range mutations {
		for name, v := range map[string]failfs.Verdict{"refused": failfs.Refuse, "late": failfs.Late, "short": failfs.Short} {
			t.Run(m.name+" "+name, func(t *testing.T) {
				s := newStage(t)
				s.verdict = v
				s.must(m.do(s))
				s.checkLatched(m)
				if v == failfs.Short && strings.HasPrefix(m.name, "Write") != errors.Is(s.fs.Err(), io.ErrShortWrite) {
					t.Errorf("a short write latched %v", s.fs.Err())
				}
				s.checkSwallowsAll(m)
			})
		}
	}
}

func (s *stage) checkLatched(m mutation) {
	s.t.Helper()
	var pe *iofs.PathError
	if !errors.As(s.fs.Err(), &pe) || pe.Op != m.op || pe.Path != m.path {
		s.t.Fatalf("latched %v, want %q of %q", s.fs.Err(), m.op, m.path)
	}
	if !errors.Is(pe, failfs.ErrInjected) && !errors.Is(pe, io.ErrShortWrite) {
		s.t.Errorf("%v does not unwrap to the cause", pe)
	}
	if s.latched != 1 || s.seen != s.fs.Err() {
		s.t.Errorf("onLatch called %d times, with %v", s.latched, s.seen)
	}
}

func (s *stage) checkSwallowsAll(first mutation) {
	s.t.Helper()
	before, disk, err := s.fail.Count(), s.inner.String(), s.fs.Err()
	for _, m := range mutations {
		if m.name != "Close" {
			s.must(m.do(s))
		}
	}
	if n := s.fail.Count(); n != before {
		s.t.Errorf("%d mutations reached the inner file system after %s failed", n-before, first.name)
	}
	if s.inner.String() != disk {
		s.t.Errorf("the disk changed:\n%s\nwas:\n%s", s.inner, disk)
	}
	if s.fs.Err() != err || s.latched != 1 {
		s.t.Errorf("the latch went from %v to %v", err, s.fs.Err())
	}
	s.must(s.rw.Close()) // must reach the inner file, which panics on a second close
	s.must(s.dir.Close())
}

// TestWhatIsNormalToPebbleDoesNotLatch: the errors that come through.
func TestWhatIsNormalToPebbleDoesNotLatch(t *testing.T) {
	s := newStage(t)
	_, openErr := s.fs.Open("d/none")
	_, dirErr := s.fs.OpenDir("none")
	_, statErr := s.fs.Stat("d/none")
	_, listErr := s.fs.List("none")
	for what, err := range map[string]error{
		"Remove": s.fs.Remove("d/none"), "Open": openErr, "OpenDir": dirErr, "Stat": statErr, "List": listErr,
	} {
		if !errors.Is(err, iofs.ErrNotExist) {
			t.Errorf("%s of what is not there: %v", what, err)
		}
	}
	if _, err := s.w.ReadAt(make([]byte, 1), 9); err != io.EOF {
		t.Errorf("read behind the end: %v", err)
	}
	if err := s.fs.Err(); err != nil {
		t.Errorf("latched %v", err)
	}
}

// errFS answers one error to the calls whose errors may be tolerated.
type errFS struct {
	vfs.FS
	err error
}

type errFile struct {
	vfs.File
	err error
}

func (e errFS) Link(string, string) error { return e.err }
func (e errFS) Create(n string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := e.FS.Create(n, c)
	return errFile{f, e.err}, err
}
func (e errFile) Preallocate(int64, int64) error { return e.err }
func (e errFile) Sync() error                    { return e.err }

func TestRefusedAdviceAndMissingLinksAreTold(t *testing.T) {
	const link, prealloc = 1, 2
	for _, c := range []struct {
		err  error
		told int // which of the two tell it, instead of latching
	}{
		{vfs.ErrUnsupported, link | prealloc},
		{errors.ErrUnsupported, link | prealloc},
		{syscall.EOPNOTSUPP, link | prealloc},
		{syscall.ENOSYS, link | prealloc},
		{syscall.ENOSPC, prealloc},
		{syscall.EDQUOT, prealloc},
		{syscall.EINTR, prealloc},
		{syscall.EIO, 0},
	} {
		try := func(which int, do func(*FS) error) {
			fs := New(errFS{vfs.NewMem(), c.err}, nil)
			err := do(fs)
			if told := c.told&which != 0; told != (fs.Err() == nil) || told != errors.Is(err, c.err) {
				t.Errorf("%v (call %d): answered %v, latched %v", c.err, which, err, fs.Err())
			}
		}
		try(link, func(fs *FS) error { return fs.Link("a", "b") })
		try(prealloc, func(fs *FS) error {
			f, err := fs.Create("a", "")
			if err != nil {
				return err
			}
			return f.Preallocate(0, 1)
		})
		try(4, func(fs *FS) error { // a sync that is not supported is no sync
			f, err := fs.Create("a", "")
			if err != nil {
				return err
			}
			return f.Sync()
		})
	}
}

func TestRootStopsAtTheLatch(t *testing.T) {
	fs := New(vfs.NewMem(), nil)
	if vfs.Root(fs) != vfs.FS(fs) {
		t.Error("vfs.Root goes past the latch")
	}
}

func TestFailLatchesForOthers(t *testing.T) {
	var got []error
	fs := New(vfs.NewMem(), func(err error) { got = append(got, err) })
	first, second := errors.New("first"), errors.New("second")
	fs.Fail(first)
	fs.Fail(second)
	if fs.Err() != first || len(got) != 1 || got[0] != first {
		t.Errorf("latched %v, told %v", fs.Err(), got)
	}
}

// TestConcurrentFailuresLatchOnce is for the race detector.
func TestConcurrentFailuresLatchOnce(t *testing.T) {
	var bad atomic.Bool
	inner := failfs.New(vfs.NewMem(), func(int, string, string) failfs.Verdict {
		if bad.Load() {
			return failfs.Refuse
		}
		return failfs.Pass
	})
	var told atomic.Int32
	fs := New(inner, func(error) { told.Add(1) })
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			name := fmt.Sprint("f", w)
			f, err := fs.Create(name, "")
			for i := 0; i < 200 && err == nil; i++ {
				if w == 0 && i == 100 {
					bad.Store(true)
				}
				if _, err = f.Write([]byte("0123456789")); err == nil {
					_, err = f.Stat()
				}
				if err == nil {
					err = f.Sync()
				}
			}
			if err != nil {
				t.Error(err)
				return
			}
			if fi, err := fs.Stat(name); err != nil || fi.Size() != 2000 {
				t.Errorf("%s: %v %v, want 2000 bytes", name, fi, err)
			}
		})
	}
	wg.Wait()
	if told.Load() != 1 || fs.Err() == nil {
		t.Errorf("told %d times, latched %v", told.Load(), fs.Err())
	}
}

// BenchmarkHealthyWrite prints what the latch costs while nothing has failed.
func BenchmarkHealthyWrite(b *testing.B) {
	inner := nullFS{}
	p := make([]byte, 64)
	for name, fs := range map[string]vfs.FS{"bare": inner, "latched": New(inner, nil)} {
		b.Run(name, func(b *testing.B) {
			f, err := fs.Create("f", "")
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				_, _ = f.Write(p)
			}
		})
	}
}

type nullFS struct{ vfs.FS }
type nullFile struct{ vfs.File }

func (nullFS) Create(string, vfs.DiskWriteCategory) (vfs.File, error) { return nullFile{}, nil }
func (nullFS) PathBase(p string) string                               { return p }

//go:noinline
func (nullFile) Write(p []byte) (int, error) { return len(p), nil }
