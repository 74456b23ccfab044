package golden

import (
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

var update = flag.Bool("update-golden", false, "write the golden blocks of docs/format anew")

// pages serialises the tests of one package: each reads and may write a page.
var pages sync.Mutex

// maxHex is the longest field that is written out, headHex how many bytes of a
// longer one are.
const (
	maxHex  = 64
	headHex = 16
)

// Field is a run of bytes of a format. Size is in bytes.
type Field struct {
	Name string
	Size int
}

// Check fails the test unless the named block of the page shows whole, split
// into fields. The page is the name of a file in docs/format. With
// -update-golden the block is written instead, at the end of the page when it
// is not there.
func Check(t testing.TB, page, block string, whole []byte, fields []Field) {
	t.Helper()
	lines, err := render(whole, fields)
	if err != nil {
		t.Fatalf("golden %s, block %q: %v", page, block, err)
		return
	}
	path, err := pagePath(page)
	if err != nil {
		t.Fatalf("golden %s: %v", page, err)
		return
	}
	pages.Lock()
	defer pages.Unlock()
	if err := compare(path, block, lines); err != nil {
		t.Fatalf("golden %s, block %q: %v", page, block, err)
	}
}

func compare(path, block string, want []string) error {
	raw, err := os.ReadFile(path)
	if err != nil && (!*update || !errors.Is(err, fs.ErrNotExist)) {
		return err
	}
	text := string(raw)
	have, from, to, err := find(text, block)
	if err != nil {
		return err
	}
	if *update {
		return rewrite(path, text, block, want, from, to)
	}
	if from < 0 {
		return errors.New("the page has no such block; -update-golden appends it")
	}
	if d := diff(have, want); d != "" {
		return fmt.Errorf("page (-) and bytes (+) differ; -update-golden rewrites the page:\n%s", d)
	}
	return nil
}

// find answers a block's lines and where they stand in the page; from is -1
// when there is no such block.
func find(text, block string) (lines []string, from, to int, err error) {
	from, to = -1, -1
	open, off := false, 0
	for line := range strings.Lines(text) {
		bare := strings.TrimRight(line, "\r\n")
		switch {
		case !open && bare == "```golden "+block:
			if from >= 0 {
				return nil, -1, -1, errors.New("the page has this block twice")
			}
			open, from = true, off+len(line)
		case open && bare == "```":
			open, to = false, off
		case open:
			lines = append(lines, bare)
		}
		off += len(line)
	}
	if open {
		return nil, -1, -1, errors.New("the page ends inside the block")
	}
	return lines, from, to, nil
}

func rewrite(path, text, block string, lines []string, from, to int) error {
	body := strings.Join(lines, "\n") + "\n"
	if from >= 0 {
		text = text[:from] + body + text[to:]
	} else {
		if text != "" {
			text = strings.TrimRight(text, "\n") + "\n\n"
		}
		text += "```golden " + block + "\n" + body + "```\n"
	}
	return os.WriteFile(path, []byte(text), 0o644)
}

// render is the block's lines: a heading, then one a field.
func render(whole []byte, fields []Field) ([]string, error) {
	lines := []string{"offset  size  hex  name"}
	off := 0
	for _, f := range fields {
		if f.Size < 0 || f.Size > len(whole)-off {
			return nil, fmt.Errorf("field %q of %d bytes at offset %d does not fit into %d bytes", f.Name, f.Size, off, len(whole))
		}
		lines = append(lines, fmt.Sprintf("%d  %d  %s  %s", off, f.Size, digits(whole[off:off+f.Size]), f.Name))
		off += f.Size
	}
	if off != len(whole) {
		return nil, fmt.Errorf("the fields are %d bytes together, the whole is %d", off, len(whole))
	}
	return lines, nil
}

func digits(b []byte) string {
	switch {
	case len(b) == 0:
		return "-"
	case len(b) <= maxHex:
		return fmt.Sprintf("%x", b)
	}
	return fmt.Sprintf("%x… sha256:%x", b[:headHex], sha256.Sum256(b))
}

// diff is empty when have and want are equal. Lines are held against each other
// in place: a field that moved moves all behind it, and should be seen to.
func diff(have, want []string) string {
	var b strings.Builder
	differ := false
	for i := range max(len(have), len(want)) {
		var h, w string
		if i < len(have) {
			h = have[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if h == w {
			fmt.Fprintf(&b, "  %s\n", h)
			continue
		}
		differ = true
		if i < len(have) {
			fmt.Fprintf(&b, "- %s\n", h)
		}
		if i < len(want) {
			fmt.Fprintf(&b, "+ %s\n", w)
		}
	}
	if !differ && len(have) == len(want) {
		return ""
	}
	return b.String()
}

// pagePath finds docs/format/<page> under the directory that holds go.mod, at
// or above the one the test runs in.
func pagePath(page string) (string, error) {
	if page == "" || page != filepath.Base(page) || page == "." || page == ".." {
		return "", fmt.Errorf("%q is not the name of a file", page)
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, "docs", "format", page), nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("no go.mod above the working directory")
		}
		dir = up
	}
}
