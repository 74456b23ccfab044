package crypto

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var labelPattern = regexp.MustCompile(`^(oubliette/[a-z/-]+/v\d+|application/vnd\.oubliette\.[a-z-]+\.v\d+(\+[a-z]+)?)$`)

// labelsOf are the labels that stand as literals in a package's sources.
func labelsOf(t *testing.T, path string) (out []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if s, err := strconv.Unquote(lit.Value); err == nil && labelPattern.MatchString(s) {
				out = append(out, s)
			}
		}
		return true
	})
	return out
}

// moduleLabels are the labels of all packages, and where each stands. It fails
// the test where one stands twice.
func moduleLabels(t *testing.T) map[string]string {
	t.Helper()
	where := map[string]string{}
	err := filepath.WalkDir("..", func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && path != ".." && strings.HasPrefix(e.Name(), "."):
			return filepath.SkipDir
		case !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		for _, label := range labelsOf(t, path) {
			if first, ok := where[label]; ok {
				t.Errorf("label %q stands in %s and in %s", label, first, path)
			}
			where[label] = path
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return where
}

// A label stands once in the whole module, whatever package it belongs to: two
// purposes that share one share keys.
func TestLabelsAreUniqueInTheModule(t *testing.T) {
	where := moduleLabels(t)
	for _, d := range domains {
		if where[string(d)] != filepath.Join("..", "crypto", "labels.go") {
			t.Errorf("domain %s was found in %q: the search does not work", d, where[string(d)])
		}
	}
}

// Every label of this package fits the pattern that the search above goes by,
// and the tests' list of domains is whole.
func TestEveryLabelIsFound(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "labels.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var literals, names int
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BasicLit:
			literals++
		case *ast.ValueSpec:
			if strings.HasPrefix(n.Names[0].Name, "Domain") {
				names++
			}
		}
		return true
	})
	if found := len(labelsOf(t, "labels.go")); found != literals || literals == 0 {
		t.Errorf("%d literals in labels.go, %d are labels", literals, found)
	}
	if names != len(domains) {
		t.Errorf("%d domains in labels.go, the tests know %d", names, len(domains))
	}
}

func TestEveryLabelStandsInTheDocumentation(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "docs", "crypto.md"))
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for line := range strings.Lines(string(page)) {
		if cell, _, ok := strings.Cut(strings.TrimPrefix(line, "| `"), "` |"); ok && labelPattern.MatchString(cell) {
			if listed[cell] {
				t.Errorf("docs/crypto.md lists %s twice", cell)
			}
			listed[cell] = true
		}
	}
	for label, path := range moduleLabels(t) {
		if !listed[label] {
			t.Errorf("label %q of %s is not in the table of docs/crypto.md", label, path)
		}
		delete(listed, label)
	}
	for label := range listed {
		t.Errorf("docs/crypto.md lists %s, which nothing uses", label)
	}
}
