package corpus

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// Bounds of what is checked in, in bytes: of one seed, and of all.
const (
	maxSeed = 64 << 10
	maxAll  = 2 << 20
)

// source is a parsed Go file.
type source struct {
	dir  string // from the checkout's root
	test bool
	*ast.File
}

// readSources parses every Go file of the checkout, and with it of every module in it.
func readSources(t *testing.T) (out []source) {
	t.Helper()
	root := os.DirFS(filepath.Join("..", ".."))
	set := token.NewFileSet()
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || name != "." && strings.HasPrefix(d.Name(), ".")) {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") {
			return nil
		}
		text, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(set, name, text, 0)
		out = append(out, source{path.Dir(name), strings.HasSuffix(name, "_test.go"), file})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// functions calls f with every function of a file.
func (s source) functions(f func(*ast.FuncDecl)) {
	for _, d := range s.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok {
			f(fn)
		}
	}
}

// target tells whether a function is a fuzz target.
func (s source) target(fn *ast.FuncDecl) bool {
	if !s.test || fn.Recv != nil || !strings.HasPrefix(fn.Name.Name, "Fuzz") || len(fn.Type.Params.List) != 1 {
		return false
	}
	pointer, ok := fn.Type.Params.List[0].Type.(*ast.StarExpr)
	if !ok {
		return false
	}
	of, ok := pointer.X.(*ast.SelectorExpr)
	return ok && of.Sel.Name == "F"
}

// Every fuzz target has seeds in files, every folder of seeds is of a target, and all
// are small.
func TestEveryTargetHasACorpusAndEveryCorpusATarget(t *testing.T) {
	targets := make(map[string]bool)
	for _, s := range readSources(t) {
		s.functions(func(fn *ast.FuncDecl) {
			if s.target(fn) {
				targets[path.Join(s.dir, "testdata", "fuzz", fn.Name.Name)] = true
			}
		})
	}
	if len(targets) < 40 {
		t.Errorf("%d fuzz targets found: the test does not see them", len(targets))
	}
	seeds, all := countSeeds(t)
	for dir := range targets {
		if seeds[dir] == 0 {
			t.Errorf("%s has no seed", dir)
		}
	}
	for dir := range seeds {
		if !targets[dir] {
			t.Errorf("%s is of no fuzz target", dir)
		}
	}
	if all > maxAll {
		t.Errorf("all seeds have %d bytes, at most %d may be", all, maxAll)
	}
}

// countSeeds answers how many seeds stand in each corpus, and how large they all are.
func countSeeds(t *testing.T) (seeds map[string]int, all int64) {
	t.Helper()
	seeds = make(map[string]int)
	root := os.DirFS(filepath.Join("..", ".."))
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name != "." && strings.HasPrefix(d.Name(), ".") && d.IsDir() {
			return fs.SkipDir
		}
		corpus := path.Dir(name)
		if d.IsDir() || !strings.HasSuffix(path.Dir(corpus), "testdata/fuzz") {
			return nil
		}
		text, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		if _, err := decode(d.Name(), text); err != nil || len(text) > maxSeed {
			t.Errorf("%s: %d bytes, at most %d may be; %v", name, len(text), maxSeed, err)
		}
		seeds[corpus]++
		all += int64(len(text))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return seeds, all
}
