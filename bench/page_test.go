package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestARunAndItsJSONMakeTheSamePage(t *testing.T) {
	dir := t.TempDir()
	first, second, saved := filepath.Join(dir, "first.html"), filepath.Join(dir, "second.html"), filepath.Join(dir, "run.json")
	var out bytes.Buffer
	args := []string{"delete", "--dir", dir, "--items", "100", "--rounds", "1", "--stores", "oubliette,pebble", "--json", "--html", first}
	if err := run(context.Background(), args, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(saved, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(context.Background(), []string{"report", saved, "--html", second}, io.Discard, io.Discard); err != nil {
		t.Fatal(err)
	}
	page := readFile(t, first)
	if again := readFile(t, second); again != page {
		t.Errorf("the page of the run has %d bytes, that of its JSON %d", len(page), len(again))
	}
	s, err := readRun(saved)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range s.Figures {
		if want := fmt.Sprintf(`<data value="%v">%s</data>`, f.Median, number(f.Median)); !strings.Contains(page, want) {
			t.Errorf("%s of %s, %s is not in the page", want, f.Store, f.Case)
		}
	}
	wantNames(t, dir, "first.html", "run.json", "second.html")
}

func TestATableIsPrintedBesideThePage(t *testing.T) {
	dir := t.TempDir()
	var out bytes.Buffer
	args := []string{"ingest", "--dir", dir, "--items", "100", "--rounds", "1", "--stores", "pebble", "--html", filepath.Join(dir, "page.html")}
	if err := run(context.Background(), args, &out, io.Discard); err != nil || !strings.Contains(out.String(), "\ningest: ") {
		t.Errorf("error %v, printed\n%s", err, &out)
	}
	wantNames(t, dir, "page.html")
}

// Every value of the machine and of the settings is in a page, but the folder.
func TestPageHoldsAllThatIsKnownOfARun(t *testing.T) {
	s := &sheet{Stores: participants([]string{ours, theirs}), Notes: []string{"cut off"}}
	for _, of := range []any{&s.Machine, &s.Settings} {
		fill(t, reflect.ValueOf(of).Elem())
	}
	s.Settings.Stores = []string{"first", "second"}
	r := s.report()
	shown := fmt.Sprint(r.Machine, r.Settings, r.Stores, r.Notes)
	for _, of := range []reflect.Value{reflect.ValueOf(s.Machine), reflect.ValueOf(s.Settings)} {
		for i := range of.NumField() {
			name := of.Type().Field(i).Name
			if name == "Dir" || name == "Stores" || !of.Type().Field(i).IsExported() {
				continue
			}
			if want := fmt.Sprint(of.Field(i).Interface()); !strings.Contains(shown, want) {
				t.Errorf("%s is not in a page: %s", name, shown)
			}
		}
	}
	if !strings.Contains(shown, "{stores first, second}") {
		t.Errorf("stores are not in a page: %s", shown)
	}
	for _, p := range s.Stores {
		if !strings.Contains(shown, fmt.Sprint(p.Name, " ", p.Module, " ", p.Version, " ", p.Settings, " ", p.Counted)) {
			t.Errorf("%v is not in a page: %s", p, shown)
		}
	}
	if !strings.HasSuffix(shown, "[cut off]") {
		t.Errorf("notes are not in a page: %s", shown)
	}
}

// fill gives every field a value of its own.
func fill(t *testing.T, v reflect.Value) {
	t.Helper()
	for i := range v.NumField() {
		if !v.Type().Field(i).IsExported() {
			continue
		}
		switch f := v.Field(i); f.Kind() {
		case reflect.String:
			f.SetString(fmt.Sprintf("<%s>", v.Type().Field(i).Name))
		case reflect.Int, reflect.Int64:
			f.SetInt(int64(701 + i))
		case reflect.Slice: // of stores
		default:
			t.Fatalf("%s is of a kind that this test does not fill", v.Type().Field(i).Name)
		}
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// wantNames tests what a folder holds.
func wantNames(t *testing.T, dir string, want ...string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range files {
		got = append(got, f.Name())
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s holds %v, want %v", dir, got, want)
	}
}
