package residue

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

var needle = []byte("what was to be erased")

// hooked calls a function before it opens a file.
type hooked struct {
	vfs.FS
	before func(name string)
}

func (h *hooked) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	h.before(name)
	return h.FS.Open(name, opts...)
}

func TestAFileThatIsRenamedMeanwhileIsNotMissed(t *testing.T) {
	mem := vfs.NewMem()
	put(t, mem, "/d/a", []byte("nothing here"))
	put(t, mem, "/d/b", needle)
	fs := &hooked{FS: mem, before: func(name string) {
		if name == "/d/b" { // listed, but gone to a name before that of files read
			if err := mem.Rename("/d/b", "/d/0"); err != nil {
				t.Error(err)
			}
		}
	}}
	hits, stats := search(t, searcher(t, [][]byte{needle}), fs, "/d")
	if want := []Hit{{0, "/d/0", 0}}; !slices.Equal(hits, want) || stats.Vanished != 1 {
		t.Fatalf("hits %v, stats %+v", hits, stats)
	}
}

func TestFilesThatKeepComingAreAnError(t *testing.T) {
	mem := vfs.NewMem()
	put(t, mem, "/d/a", []byte("x"))
	fs := &hooked{FS: mem, before: func(name string) { put(t, mem, name+"x", []byte("x")) }}
	_, _, err := searcher(t, [][]byte{needle}).Search(context.Background(), fs, "/d", nil)
	if err == nil || !strings.Contains(err.Error(), "keep coming") {
		t.Fatalf("error %v", err)
	}
}

func TestAFileThatDoesNotReadIsAnError(t *testing.T) {
	for _, kind := range []errorfs.OpKind{errorfs.OpOpen, errorfs.OpFileReadAt, errorfs.OpList, errorfs.OpStat} {
		mem := vfs.NewMem()
		put(t, mem, "/d/a", needle)
		fs := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
			if op.Kind == kind {
				return errorfs.ErrInjected
			}
			return nil
		}))
		_, _, err := searcher(t, [][]byte{needle}).Search(context.Background(), fs, "/d", nil)
		if !errors.Is(err, errorfs.ErrInjected) {
			t.Errorf("operation %v fails: error %v", kind, err)
		}
	}
}

func TestAMissingFolderIsAnError(t *testing.T) {
	mem := vfs.NewMem()
	put(t, mem, "/d/a", needle)
	s := searcher(t, [][]byte{needle})
	if _, _, err := s.Search(context.Background(), mem, "/nowhere", nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no folder: error %v", err)
	}
	if _, _, err := s.Search(context.Background(), mem, "/d/a", nil); err == nil {
		t.Error("a file instead of a folder is taken")
	}
}

func TestWhatIsNeitherFileNorFolderIsAnError(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Skipf("no pipes here: %v", err)
	}
	if _, err := Files(vfs.Default, dir); err == nil || !strings.Contains(err.Error(), "neither file nor folder") {
		t.Fatalf("error %v", err)
	}
}

func TestALinkThatLeadsBackUpIsAnError(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink(dir, filepath.Join(dir, "up")); err != nil {
		t.Skipf("no links here: %v", err)
	}
	if _, err := Files(vfs.Default, dir); err == nil {
		t.Fatal("no error")
	}
}

func TestCancelEndsASearch(t *testing.T) {
	mem := vfs.NewMem()
	put(t, mem, "/d/a", make([]byte, 3*chunkSize))
	ctx, cancel := context.WithCancel(context.Background())
	var read int64
	_, stats, err := searcher(t, [][]byte{needle}).Search(ctx, mem, "/d", func(n int64) {
		read += n
		cancel()
	})
	if !errors.Is(err, context.Canceled) || read != stats.Bytes || read > chunkSize {
		t.Fatalf("error %v, progress %d, stats %+v", err, read, stats)
	}
}

func TestProgressAddsUpToAllBytes(t *testing.T) {
	mem := vfs.NewMem()
	put(t, mem, "/d/a", make([]byte, 3*chunkSize+5))
	put(t, mem, "/d/b", make([]byte, chunkSize))
	put(t, mem, "/d/c", make([]byte, 3))
	var read int64
	_, stats, err := searcher(t, [][]byte{needle}).Search(context.Background(), mem, "/d", func(n int64) { read += n })
	if err != nil || read != 4*chunkSize+8 || stats.Bytes != read {
		t.Fatalf("error %v, progress %d, stats %+v", err, read, stats)
	}
}
