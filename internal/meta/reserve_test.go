//go:build linux

package meta

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A log with reserved space behind its end, as a killed process leaves it, is
// replayed to its end, and no further.
func TestLogWithReservedSpaceIsReplayed(t *testing.T) {
	dir := t.TempDir()
	db, err := Open(vfs.Default, filepath.Join(dir, "live"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer mustClose(t, db)
	for i := range 300 {
		set(t, db, fmt.Sprint("k", i), strings.Repeat("v", i*311)) // crosses reservations
		if i%100 != 99 {
			continue
		}
		image := filepath.Join(dir, fmt.Sprint("image", i))
		if zeros := copyDir(t, filepath.Join(dir, "live"), image); zeros == 0 {
			t.Error("no log ends with reserved space: the test shows nothing")
		}
		again, err := Open(vfs.Default, image, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for k := range i + 1 {
			v, ok, err := again.Get([]byte(fmt.Sprint("k", k)))
			if err != nil || !ok || len(v) != k*311 {
				t.Errorf("after %d commits, k%d has %d bytes, %v, %v", i+1, k, len(v), ok, err)
			}
		}
		set(t, again, "more", "v")
		mustClose(t, again)
	}
}

// copyDir copies what is in the files now, and counts the logs that end with
// zeros.
func copyDir(t *testing.T, from, to string) (zeros int) {
	t.Helper()
	if err := os.MkdirAll(to, 0o700); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		f, err := os.Open(filepath.Join(from, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(f)
		_ = f.Close()
		if err == nil {
			err = os.WriteFile(filepath.Join(to, e.Name()), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(e.Name(), ".log") && len(b) > 0 && strings.Trim(string(b[len(b)-100:]), "\x00") == "" {
			zeros++
		}
	}
	return zeros
}
