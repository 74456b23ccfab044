package latchfs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"oubliette/internal/latchfs/failfs"
)

// TestReadersSeeWhatTheWriterWasTold runs the same calls against a latching
// file system, of which one call fails, and against one that never fails: every
// file must read the same by name, with the same size.
func TestReadersSeeWhatTheWriterWasTold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		failAt := rapid.IntRange(0, 40).Draw(t, "failing mutation")
		verdict := failfs.Verdict(rapid.IntRange(1, 3).Draw(t, "verdict"))
		fs := New(failfs.New(vfs.NewMem(), func(n int, _, _ string) failfs.Verdict {
			if n == failAt {
				return verdict
			}
			return failfs.Pass
		}), nil)
		p := pair{a: fs, b: vfs.NewMem(), open: map[string][2]vfs.File{}, exist: map[string]bool{}}
		for i := range rapid.IntRange(1, 40).Draw(t, "calls") {
			p.step(t, i)
		}
		for name := range p.exist {
			p.compare(t, name)
		}
	})
}

type pair struct {
	a, b  vfs.FS
	open  map[string][2]vfs.File
	exist map[string]bool
}

// step makes one call that is legal on both. Open files are not renamed or
// removed: Pebble does not do it.
func (p *pair) step(t *rapid.T, i int) {
	name := rapid.SampledFrom([]string{"f0", "f1", "f2", "f3"}).Draw(t, "name")
	other := rapid.SampledFrom([]string{"g0", "g1"}).Draw(t, "other")
	files, isOpen := p.open[name]
	switch op := rapid.SampledFrom([]string{"create", "write", "write", "write", "sync", "close", "rename", "link", "remove"}).Draw(t, "op"); {
	case op == "create" && !isOpen:
		p.create(t, name)
	case op == "write" && isOpen:
		data := fmt.Appendf(nil, "%d:%s.", i, rapid.StringMatching("[a-z]{0,9}").Draw(t, "data"))
		for _, f := range files { // vfs.File may change what it is given
			if n, err := f.Write(bytes.Clone(data)); n != len(data) || err != nil {
				t.Fatalf("write: %d %v", n, err)
			}
		}
	case op == "sync" && isOpen:
		must(t, errors.Join(files[0].Sync(), files[1].SyncData()))
	case op == "close" && isOpen:
		must(t, errors.Join(files[0].Close(), files[1].Close()))
		delete(p.open, name)
	case op == "rename" && !isOpen && p.exist[name]:
		must(t, errors.Join(p.a.Rename(name, other), p.b.Rename(name, other)))
		delete(p.exist, name)
		p.exist[other] = true
	case op == "link" && !isOpen && p.exist[name] && !p.exist[other]:
		must(t, errors.Join(p.a.Link(name, other), p.b.Link(name, other)))
		p.exist[other] = true
	case op == "remove" && !isOpen && p.exist[name]:
		must(t, errors.Join(p.a.Remove(name), p.b.Remove(name)))
		delete(p.exist, name)
	}
}

func (p *pair) create(t *rapid.T, name string) {
	var files [2]vfs.File
	for i, fs := range []vfs.FS{p.a, p.b} {
		f, err := fs.Create(name, "")
		must(t, err)
		files[i] = f
	}
	p.open[name], p.exist[name] = files, true
}

func (p *pair) compare(t *rapid.T, name string) {
	got, want := readAll(t, p.a, name), readAll(t, p.b, name)
	if got != want {
		t.Fatalf("%s reads %q, want %q", name, got, want)
	}
	if len(want) > 2 {
		f, err := p.a.Open(name)
		must(t, err)
		part := make([]byte, len(want)-2)
		if n, err := f.ReadAt(part, 1); n != len(part) || err != nil || string(part) != want[1:len(want)-1] {
			t.Fatalf("%s: ReadAt %d %v %q, want %q", name, n, err, part, want)
		}
		must(t, f.Close())
	}
}

func readAll(t *rapid.T, fs vfs.FS, name string) string {
	f, err := fs.Open(name)
	must(t, err)
	b, err := io.ReadAll(f)
	must(t, err)
	fi, err := f.Stat()
	must(t, err)
	by, err := fs.Stat(name)
	must(t, err)
	if fi.Size() != int64(len(b)) || by.Size() != int64(len(b)) {
		t.Fatalf("%s: sizes %d and %d of %d bytes", name, fi.Size(), by.Size(), len(b))
	}
	must(t, f.Close())
	return string(b)
}

func must(t *rapid.T, err error) {
	if err != nil {
		t.Fatal(err)
	}
}

// TestARenameReadsTheSameHoweverItFailed: refused, or done and told as failed; also
// over another name of the same file.
func TestARenameReadsTheSameHoweverItFailed(t *testing.T) {
	for _, linked := range []bool{false, true} {
		for _, verdict := range []failfs.Verdict{failfs.Refuse, failfs.Late, failfs.Short} {
			fs := New(failfs.New(vfs.NewMem(), func(_ int, op, _ string) failfs.Verdict {
				if op == "rename" {
					return verdict
				}
				return failfs.Pass
			}), nil)
			f, err := fs.Create("old", "")
			if err != nil {
				t.Fatal(err)
			}
			_, err = f.Write([]byte("contents"))
			if err = errors.Join(err, f.Close()); err == nil && linked {
				err = fs.Link("old", "new")
			}
			if err = errors.Join(err, fs.Rename("old", "new")); err != nil || fs.Err() == nil {
				t.Fatalf("rename: %v, latch %v", err, fs.Err())
			}
			r, err := fs.Open("new")
			if err != nil {
				t.Fatal(err)
			}
			if b, err := io.ReadAll(r); string(b) != "contents" || err != nil {
				t.Errorf("linked %v, verdict %v: %q %v", linked, verdict, b, err)
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestLostBytesAreToldNotInvented: what is not kept answers the latch's error.
func TestLostBytesAreToldNotInvented(t *testing.T) {
	s := newStage(t)
	if _, err := s.rw.Write([]byte("before")); err != nil {
		t.Fatal(err)
	}
	s.fs.Fail(failfs.ErrInjected)
	f := s.file(s.fs.OpenReadWrite("d/rw", ""))
	before := make([]byte, 6)
	if n, err := f.ReadAt(before, 0); n != 6 || string(before) != "before" {
		t.Errorf("read %q %v", before[:n], err)
	}
	if n, err := f.WriteAt([]byte("late"), 100); n != 4 || err != nil {
		t.Errorf("write: %d %v", n, err)
	}
	if fi, err := f.Stat(); err != nil || fi.Size() != 104 {
		t.Errorf("size %v %v, want 104", fi, err)
	}
	for what, read := range map[string]func() (int, error){
		"ReadAt": func() (int, error) { return f.ReadAt(make([]byte, 1), 0) },
		"Read":   func() (int, error) { return f.Read(make([]byte, 1)) },
		"by name": func() (int, error) {
			return s.file(s.fs.Open("d/rw")).Read(make([]byte, 1))
		},
	} {
		if n, err := read(); n != 0 || !errors.Is(err, failfs.ErrInjected) {
			t.Errorf("%s: %d %v", what, n, err)
		}
	}
	s.must(f.Close())
}

// TestKeptFilesAreReadOnlyByName: a handle from Open writes nothing.
func TestKeptFilesAreReadOnlyByName(t *testing.T) {
	s := newStage(t)
	s.fs.Fail(failfs.ErrInjected)
	w := s.file(s.fs.Create("d/x", ""))
	if _, err := w.Write([]byte("kept")); err != nil {
		t.Fatal(err)
	}
	r := s.file(s.fs.Open("d/x", vfs.SequentialReadsOption, vfs.RandomReadsOption))
	_, err1 := r.Write([]byte("no"))
	_, err2 := r.WriteAt([]byte("no"), 0)
	if err1 == nil || err2 == nil || r.Preallocate(0, 1) == nil {
		t.Error("a handle for reading took a write")
	}
	if b, err := io.ReadAll(r); string(b) != "kept" || err != nil {
		t.Errorf("read %q %v", b, err)
	}
	if n, err := w.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("the writer's handle reads %d %v behind its end", n, err)
	}
	if w.Fd() != vfs.InvalidFd || r.Fd() != vfs.InvalidFd {
		t.Error("a file in memory has a descriptor")
	}
	s.must(s.fs.Remove("d/x"))
	b := make([]byte, 4)
	if _, err := r.ReadAt(b, 0); err != nil || string(b) != "kept" {
		t.Errorf("an open file is gone with its name: %q %v", b, err)
	}
}
