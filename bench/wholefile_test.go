package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAFailedRunLeavesTheFileThatWasThere(t *testing.T) {
	dir := t.TempDir()
	page, bad := filepath.Join(dir, "page.html"), filepath.Join(dir, "run.json")
	for _, path := range []string{page, bad} {
		if err := os.WriteFile(path, []byte("before"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	for _, args := range [][]string{
		{"delete", "--dir", dir, "--items", "100", "--html", page},
		{"delete", "--dir", filepath.Join(dir, "none"), "--html", page},
		{"report", bad, "--html", page},
		{"report", filepath.Join(dir, "none"), "--html", page},
	} {
		if err := run(cancelled, args, io.Discard, io.Discard); err == nil {
			t.Errorf("%v has not failed", args)
		}
		if got := readFile(t, page); got != "before" {
			t.Errorf("%v: the file holds %q", args, got)
		}
		wantNames(t, dir, "page.html", "run.json")
	}
}

func TestAPageTakesThePlaceOfTheOneBefore(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "page.html")
	for _, text := range []string{"longer", "short"} {
		f, err := beginFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		f.done()
		if got := readFile(t, path); got != text {
			t.Errorf("the file holds %q, want %q", got, text)
		}
	}
	wantNames(t, dir, "page.html")
}

func TestAFailedWriteNamesTheFileAndLeavesIt(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "page.html")
	if err := os.WriteFile(path, []byte("before"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := beginFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f.tmp.Close() // so that the write fails
	if err := f.write([]byte("after")); err == nil || !strings.HasPrefix(err.Error(), path+": ") {
		t.Errorf("error %v, want one that begins with %s", err, path)
	}
	f.done()
	if got := readFile(t, path); got != "before" {
		t.Errorf("the file holds %q", got)
	}
	wantNames(t, dir, "page.html")
}

func TestOnlyRegularFilesAreReplaced(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "link")
	if err := os.Symlink(os.DevNull, link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, link, os.DevNull} {
		if _, err := beginFile(path); err == nil || !strings.HasPrefix(err.Error(), path) {
			t.Errorf("%s: error %v", path, err)
		}
	}
	wantNames(t, dir, "link")
}
