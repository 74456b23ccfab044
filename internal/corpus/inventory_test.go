package corpus

import (
	"go/ast"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// decoding is how functions are called that read what comes from outside.
var decoding = regexp.MustCompile(`^(?i:decode|parse|read|restore|verify|unmarshal|open)`)

// Functions that are called so, take bytes, text or a reader, and are reached by no
// target of their package, with the reason.
var unreached = map[string]string{
	"cmd/oubliette.(*app).open":         "the argument is a folder's name; engine.FuzzOpen has its files",
	"cmd/oubliette.(*app).openLedger":   "the argument is a file's name; ledger.FuzzLedgerFile has its bytes",
	"cmd/oubliette.(*app).readAll":      "the argument is a file's name; FuzzCommandLines reads documents from standard input",
	"cmd/oubliette.(*app).readDocument": "the same; proof.FuzzVerify has the bytes",
	"cmd/oubliette.(*app).readRootKey":  "the same; crypto.FuzzParsePEM has the bytes",
	"cmd/oubliette.(*app).restore":      "the argument is a file's name; engine.FuzzRestore has its bytes",
	"cmd/oubliette.parseExpiry":         "a field of parseItem's: FuzzParseItem",
	"cmd/oubliette.parseVector":         "a field of parseItem's: FuzzParseItem",
	"internal/mnist.readIDX":            "the argument is a file's name; FuzzParseIDX has what its gzip stream holds",

	"compaction.decodeRowsHeader": "through checkRows: FuzzDecodeDead",

	"engine.(*loader).openSegment": "the argument is a file's name; FuzzOpen and FuzzRestoredRecords have its bytes",
	"engine.Restore":               "RestoreWith without options: FuzzRestore",
	"engine.openLedgerFile":        "the argument is a file's name; FuzzOpen has its bytes",
	"engine.readRun":               "fills the bytes that it is given",
	"engine.readSmall":             "the argument is a file's name; FuzzOpen has the bytes of FORMAT and CLEAN",

	"internal/corpus.Read":                "the argument is the name of a seed; FuzzDecode has its bytes",
	"internal/corpus.read":                "the argument is a folder's name; FuzzDecode has the bytes of its files",
	"internal/meta.(*DB).openPebble":      "the argument is a folder's name; what Pebble reads there is Pebble's",
	"internal/meta.(*owned).Open":         "hands on to readHead and checkManifest",
	"internal/meta.(*owned).OpenDir":      "the argument is a folder's name",
	"internal/meta.(*owned).readHead":     "checkHead behind a read: FuzzHead",
	"internal/meta.(*owned).readIdentity": "the argument is a file's name; FuzzIdentity has its bytes",
	"internal/meta.Open":                  "the argument is a folder's name; what Pebble reads there is Pebble's",
	"internal/residue.(*run).verify":      "compares bytes: FuzzSearchAgreesWithANaiveSearch",
	"internal/residue.readAt":             "fills the bytes that it is given",

	"ledger.decodeHeader": "through File.start: FuzzLedgerFile",

	"segment.(*File).readAt":      "fills the bytes that it is given",
	"segment.(*File).readRun":     "fills the bytes that it is given",
	"segment.(*Table).openBlock":  "unseals, then decodeBlock; engine.FuzzRestoredRecords has it in its place",
	"segment.(*Table).openPart":   "unseals a part that the footer commits to; engine.FuzzRestoredRecords",
	"segment.(*sealer).open":      "unseals; engine.FuzzRestoredRecords",
	"segment.(*sealer).openIndex": "unseals; engine.FuzzRestoredRecords",
	"segment.decodeTail":          "through FindFooter: FuzzTail",
	"segment.openExisting":        "the argument is a file's name",
	"segment.openOwn":             "the argument is a file's name",
	"segment.parseHead":           "through Content.take: FuzzRowFrame",
	"segment.parseVector":         "through Content.take: FuzzRowFrame",

	"wal.(*session).open": "unseals a record of a group that is verified; engine.FuzzRestoredRecords",
}

// function is a function of a package, or several of one name: methods are told
// apart by their name alone.
type function struct {
	named   string // the package's folder, a point and the name with its receiver
	test    bool
	decoder bool
	calls   map[string]bool // what it mentions, by name
}

// packages gathers the functions of every package of this module by name, and which
// of them are fuzz targets. What is tested stands together with its tests.
func packages(t *testing.T) (all map[string]map[string][]*function, targets map[string][]string) {
	t.Helper()
	all, targets = make(map[string]map[string][]*function), make(map[string][]string)
	for _, s := range readSources(t) {
		if strings.HasPrefix(s.dir+"/", "bench/") || strings.Contains(s.dir, "internal/golden") || strings.Contains(s.dir, "latchfs") {
			continue // of these nothing comes from outside: benchmarks, pages of this checkout, a file system
		}
		if all[s.dir] == nil {
			all[s.dir] = make(map[string][]*function)
		}
		s.functions(func(fn *ast.FuncDecl) {
			name := fn.Name.Name
			if s.target(fn) {
				targets[s.dir] = append(targets[s.dir], name)
			}
			all[s.dir][name] = append(all[s.dir][name], &function{
				named: s.dir + "." + receiver(fn) + name, test: s.test, calls: mentioned(fn),
				decoder: !s.test && decoding.MatchString(name) && takesInput(fn) && name != "Read" && name != "ReadAt" || !s.test && name == "Read" && fn.Recv == nil,
			})
		})
	}
	return all, targets
}

// receiver is a method's receiver, as it stands before its name.
func receiver(fn *ast.FuncDecl) string {
	if fn.Recv == nil {
		return ""
	}
	switch x := fn.Recv.List[0].Type.(type) {
	case *ast.StarExpr:
		if id, ok := x.X.(*ast.Ident); ok {
			return "(*" + id.Name + ")."
		}
	case *ast.Ident:
		return "(" + x.Name + ")."
	}
	return "(?)."
}

// takesInput tells whether a function has a parameter that may come from outside.
func takesInput(fn *ast.FuncDecl) bool {
	for _, p := range fn.Type.Params.List {
		switch x := p.Type.(type) {
		case *ast.Ident:
			if x.Name == "string" {
				return true
			}
		case *ast.ArrayType:
			if id, ok := x.Elt.(*ast.Ident); ok && x.Len == nil && id.Name == "byte" {
				return true
			}
		case *ast.SelectorExpr:
			if x.Sel.Name == "Reader" || x.Sel.Name == "RawMessage" {
				return true
			}
		case *ast.StarExpr:
			if of, ok := x.X.(*ast.SelectorExpr); ok && of.Sel.Name == "Decoder" {
				return true
			}
		}
	}
	return false
}

// mentioned is every name in a function's body.
func mentioned(fn *ast.FuncDecl) map[string]bool {
	names := make(map[string]bool)
	if fn.Body != nil {
		ast.Inspect(fn.Body, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok {
				names[id.Name] = true
			}
			return true
		})
	}
	return names
}

// reached is what the targets of a package come to through its tests and through its
// decoders, and nothing else: that a decoder is called by some function which is called
// by another that a target calls does not count, nor what lies in other packages.
func reached(functions map[string][]*function, targets []string) map[*function]bool {
	seen := make(map[*function]bool)
	for todo := targets; len(todo) > 0; {
		name := todo[0]
		todo = todo[1:]
		for _, f := range functions[name] {
			if seen[f] {
				continue
			}
			if seen[f] = true; f.test || f.decoder {
				todo = append(todo, slices.Collect(maps.Keys(f.calls))...)
			}
		}
	}
	return seen
}

// Every function that decodes is reached by a fuzz target of its package, or listed
// with the reason why not.
func TestEveryDecoderIsFuzzed(t *testing.T) {
	all, targets := packages(t)
	listed, decoders := maps.Clone(unreached), 0
	for dir, functions := range all {
		seen := reached(functions, targets[dir])
		for name := range functions {
			for _, f := range functions[name] {
				if !f.decoder {
					continue
				}
				decoders++
				_, excused := listed[f.named]
				if delete(listed, f.named); excused == seen[f] {
					t.Errorf("%s: reached by a target of %s: %v, listed as not: %v", f.named, path.Base(dir), seen[f], excused)
				}
			}
		}
	}
	for name, reason := range listed {
		t.Errorf("%s is listed (%s), and there is no such decoder", name, reason)
	}
	if decoders < 70 {
		t.Errorf("%d decoders found: the test does not see them", decoders)
	}
}
