package corpus

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update-corpus", false, "write the seeds of the fuzz targets anew")

// folder holds a package's corpora, seen from the package.
var folder = filepath.Join("testdata", "fuzz")

// Hold holds the seeds of a fuzz target in this package's testdata against those
// that the code makes: there is a file of each, and of no other with such a name;
// take, which decodes as the target does, takes what is valid and refuses what is
// hostile. With -update-corpus the files are written first.
func Hold(t testing.TB, target string, made []Seed, take func(Seed) error) {
	t.Helper()
	if err := hold(filepath.Join(folder, target), made, take); err != nil {
		t.Errorf("seeds of %s: %v", target, err)
	}
}

func hold(dir string, made []Seed, take func(Seed) error) error {
	if *update {
		if err := write(dir, made); err != nil {
			return err
		}
	}
	seeds, err := read(dir)
	if err != nil {
		return err
	}
	var errs []error
	there := make(map[string]bool)
	for _, s := range seeds {
		there[s.Name] = true
		if s.made() {
			errs = append(errs, judge(s, take(s)))
		}
	}
	for _, s := range made {
		if !there[s.Name] {
			errs = append(errs, fmt.Errorf("no file %s; -update-corpus writes it", s.Name))
		}
		delete(there, s.Name)
	}
	for name := range there {
		if (Seed{Name: name}).made() {
			errs = append(errs, fmt.Errorf("file %s is of no seed that the code makes; -update-corpus removes it", name))
		}
	}
	return errors.Join(errs...)
}

// judge holds what has become of a seed against its name.
func judge(s Seed, err error) error {
	switch valid := strings.HasPrefix(s.Name, validPrefix); {
	case valid && err != nil:
		return fmt.Errorf("%s is refused: %w", s.Name, err)
	case !valid && err == nil:
		return fmt.Errorf("%s is taken", s.Name)
	}
	return nil
}

// read reads every file of a corpus.
func read(dir string) (out []Seed, err error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			return nil, err
		}
		s, err := decode(f.Name(), b)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// write puts seeds in place of those that the code has made before, and leaves what
// has found something.
func write(dir string, made []Seed) error {
	before, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, f := range before {
		if (Seed{Name: f.Name()}).made() {
			if err := os.Remove(filepath.Join(dir, f.Name())); err != nil {
				return err
			}
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	written := make(map[string]bool)
	for _, s := range made {
		b, err := s.encode()
		if err != nil {
			return err
		}
		if !s.made() || written[s.Name] {
			return fmt.Errorf("two seeds are called %q, or it is no name for one", s.Name)
		}
		written[s.Name] = true
		if err := os.WriteFile(filepath.Join(dir, s.Name), b, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Read answers a seed of a target of this package, for a target that changes it in
// ways that mutation does not come by.
func Read(t testing.TB, target, name string) Seed {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(folder, target, name))
	if err != nil {
		t.Fatal(err)
	}
	s, err := decode(name, b)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
