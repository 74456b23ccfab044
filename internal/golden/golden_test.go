package golden

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// spy is a testing.TB that remembers whether it was failed, and ends the
// goroutine where a real one would.
type spy struct {
	testing.TB
	failure string
}

func (s *spy) Helper() {}
func (s *spy) Fatalf(format string, args ...any) {
	s.failure = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// check runs Check and answers what it failed with.
func check(page, block string, whole []byte, fields []Field) string {
	s := &spy{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		Check(s, page, block, whole, fields)
	}()
	<-done
	return s.failure
}

// module makes an empty module with docs/format and works in a directory below
// it, as the tests of a package do.
func module(t *testing.T) (pageDir string) {
	t.Helper()
	root := t.TempDir()
	pageDir = filepath.Join(root, "docs", "format")
	below := filepath.Join(root, "a", "b")
	for _, d := range []string{pageDir, below} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, "go.mod"), []byte("module m\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Chdir(below)
	return pageDir
}

func writePage(t *testing.T, dir, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "p.md"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func readPage(t *testing.T, dir string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "p.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func updating(t *testing.T) {
	t.Helper()
	*update = true
	t.Cleanup(func() { *update = false })
}

func example() ([]byte, []Field) {
	whole := make([]byte, 4+0+64+65+3)
	for i := range whole {
		whole[i] = byte(i * 7)
	}
	return whole, []Field{{"magic", 4}, {"nothing", 0}, {"written out", 64}, {"hashed", 65}, {"end", 3}}
}

func TestBlockIsWrittenThenHolds(t *testing.T) {
	dir := module(t)
	writePage(t, dir, "# Page\n\nProse.\n")
	whole, fields := example()
	updating(t)
	if f := check("p.md", "one", whole, fields); f != "" {
		t.Fatal(f)
	}
	if f := check("p.md", "two", whole[:4], fields[:1]); f != "" {
		t.Fatal(f)
	}
	text := readPage(t, dir)
	if !strings.HasPrefix(text, "# Page\n\nProse.\n\n```golden one\noffset  size  hex  name\n0  4  00070e15  magic\n4  0  -  nothing\n") {
		t.Errorf("page begins otherwise:\n%s", text)
	}
	*update = false
	if f := check("p.md", "one", whole, fields); f != "" {
		t.Error(f)
	}
	if f := check("p.md", "two", whole[:4], fields[:1]); f != "" {
		t.Error(f)
	}
	if readPage(t, dir) != text {
		t.Error("a check without -update-golden changed the page")
	}
}

func TestEveryChangedByteFails(t *testing.T) {
	module(t)
	whole, fields := example()
	updating(t)
	if f := check("p.md", "one", whole, fields); f != "" {
		t.Fatal(f) // makes the page as well
	}
	*update = false
	for i := range whole {
		whole[i] ^= 1
		if f := check("p.md", "one", whole, fields); !strings.Contains(f, "differ") || !strings.Contains(f, "\n+ ") || !strings.Contains(f, "\n- ") {
			t.Fatalf("byte %d changed: %q", i, f)
		}
		whole[i] ^= 1
	}
}

func TestRenamedMovedAndMissingFieldsFail(t *testing.T) {
	module(t)
	whole, fields := example()
	updating(t)
	check("p.md", "one", whole, fields)
	*update = false
	renamed := append([]Field{{"magik", 4}}, fields[1:]...)
	moved := append([]Field{{"magic", 3}, {"nothing", 1}}, fields[2:]...)
	merged := append([]Field{{"magic", 4}, {"written out", 64}}, fields[3:]...)
	for _, f := range [][]Field{renamed, moved, merged} {
		if got := check("p.md", "one", whole, f); !strings.Contains(got, "differ") {
			t.Errorf("fields %v: %q", f, got)
		}
	}
	if got := check("p.md", "one", whole[:133], fields[:4]); !strings.Contains(got, "differ") {
		t.Errorf("a page with a line too many: %q", got)
	}
}

func TestSizesMustSumUp(t *testing.T) {
	module(t)
	updating(t) // must be told even then
	for _, fields := range [][]Field{
		{{"a", 3}},
		{{"a", 5}},
		{{"a", 2}, {"b", -1}, {"c", 3}},
		{},
	} {
		if f := check("p.md", "one", []byte{1, 2, 3, 4}, fields); !strings.Contains(f, "bytes") {
			t.Errorf("fields %v: %q", fields, f)
		}
	}
}

func TestUpdateTouchesItsBlockAlone(t *testing.T) {
	dir := module(t)
	writePage(t, dir, "before\n\n```golden a\nold\n```\nbetween\n```golden b\nkept\n```\nafter")
	updating(t)
	if f := check("p.md", "a", []byte{0xAB}, []Field{{"x", 1}}); f != "" {
		t.Fatal(f)
	}
	want := "before\n\n```golden a\noffset  size  hex  name\n0  1  ab  x\n```\nbetween\n```golden b\nkept\n```\nafter"
	if got := readPage(t, dir); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestBadPagesAreNamed(t *testing.T) {
	dir := module(t)
	one := []Field{{"x", 1}}
	for _, c := range []struct{ text, page, want string }{
		{"nothing here\n", "p.md", "no such block"},
		{"```golden a\n0\n", "p.md", "ends inside"},
		{"```golden a\n```\n```golden a\n```\n", "p.md", "twice"},
		{"", "q.md", "no such file"},
		{"", "../p.md", "not the name of a file"},
		{"", "", "not the name of a file"},
	} {
		writePage(t, dir, c.text)
		if f := check(c.page, "a", []byte{1}, one); !strings.Contains(f, c.want) {
			t.Errorf("page %q with %q: failed with %q, want %q", c.page, c.text, f, c.want)
		}
	}
}
