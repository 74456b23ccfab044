package golden

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// What the README, CONTRIBUTING and docs/testing.md name is there: the packages, tests, flags and
// variables of every command of Go's, and every file and folder.
func TestPagesNameWhatIsThere(t *testing.T) {
	m := readModule(t, filepath.Join("..", ".."))
	for page, least := range map[string]int{"README.md": 5, "CONTRIBUTING.md": 5, "docs/testing.md": 3} {
		text, err := os.ReadFile(filepath.Join(m.root, page))
		if err != nil {
			t.Fatal(err)
		}
		problems, commands := m.hold(string(text))
		for _, p := range problems {
			t.Errorf("%s: %s", page, p)
		}
		if commands < least {
			t.Errorf("%s: %d commands of Go's found: the test does not see them", page, commands)
		}
	}
}

func TestWrongNamesInAPageAreTold(t *testing.T) {
	m := readModule(t, filepath.Join("..", ".."))
	for _, text := range []string{
		"`go test ./...`", "`go test ./internal/golden -run '^$' -v`", "`go test ./internal/golden -run Block`",
		"`go test ./segment -run '^$' -fuzz '^FuzzPointer$' -fuzztime 1x`", "```sh\ngo run -C bench .\n```",
		"`go run ./cmd/oubliette no/such file`", "`internal/golden/doc.go`", "[page](docs/crypto.md#keys)",
		"`go test ./internal/golden -update-golden`", "`OUBLIETTE_LONG=1 go test ./engine -timeout 1m`",
		"## Where things are\n`internal`, `engine`\n", "```sh\ncd ../app\ngo run .\n```", "## Elsewhere\n`nowhere`\n", "`go mod tidy`",
	} {
		if problems, _ := m.hold(text); len(problems) > 0 {
			t.Errorf("%s: %v", text, problems)
		}
	}
	for _, text := range []string{
		"`go test ./nowhere`", "`go test ./nowhere/...`", "`go test golden`", "`go run ./segmnt x`", "`go vet ./docs`",
		"`go test ./internal/golden -run TestNothing`", "`go test ./segment -run FuzzDecodePointer`",
		"`go test ./segment -run '^$' -fuzz FuzzDecodePointer`", "`go test ./segment -fuzz Fuzz`",
		"`go test ./engine -bench NoSuchThing`", "`go test ./engine -run '('`", "`go test ./engine -no-such-flag`",
		"`OUBLIETTE_LOGN=1 go test ./engine`", "`go run -C bnech .`", "```sh\ngo build -o \"$tmp/x\" \\\n  ./cmd/nowhere\n```",
		"`internal/nowhere`", "`engine/nowhere.go`", "[page](docs/nowhere.md)", "## Where things are\n`egnine`\n",
	} {
		if problems, _ := m.hold(text); len(problems) == 0 {
			t.Errorf("%s: nothing is wrong with it", text)
		}
	}
}

// The lines under "On the command line" in the README work as they stand, and
// leave the checkout alone.
func TestReadmeCommandLinesRun(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## On the command line\n")
	_, block, ok := strings.Cut(section, "```sh\n")
	block, _, end := strings.Cut(block, "```")
	if !ok || !end {
		t.Fatal("no such lines in the README")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-eu", "-c", block)
	cmd.Dir = filepath.Join("..", "..")
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(e string) bool { return strings.HasPrefix(e, "OUBLIETTE_") }), "TMPDIR="+t.TempDir())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{`"Ada Lovelace"`, "\nalan\n", "everything is as it was written"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q in what they print:\n%s", want, out)
		}
	}
	for _, name := range []string{"key", "vectors", "items.jsonl", "oubliette"} {
		if _, err := os.Stat(filepath.Join(cmd.Dir, name)); err == nil {
			t.Errorf("%s is in the checkout", name)
		}
	}
}

// sources is the checkout: of each folder with Go files, what stands in them.
type sources struct {
	root  string
	files map[string]string   // folder, slash-separated from the root: its Go files
	funcs map[string][]string // folder: tests, benchmarks, fuzz targets, examples
}

var testFunc = regexp.MustCompile(`(?m)^func ((?:Test|Benchmark|Fuzz|Example)\w*)\(`)

func readModule(t *testing.T, root string) *sources {
	t.Helper()
	m := &sources{root, make(map[string]string), make(map[string][]string)}
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || name != "." && strings.HasPrefix(d.Name(), ".")) {
			return fs.SkipDir
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		b, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return err
		}
		dir := path.Dir(name)
		m.files[dir] += string(b)
		for _, f := range testFunc.FindAllSubmatch(b, -1) {
			if strings.HasSuffix(name, "_test.go") {
				m.funcs[dir] = append(m.funcs[dir], string(f[1]))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

var (
	codeSpan = regexp.MustCompile("`([^`]+)`")
	link     = regexp.MustCompile(`\]\(([^):#]+)(#[^)]*)?\)`)
	pathLike = regexp.MustCompile(`^[\w.-]+(/[\w.-]+)+/?$`)
	wordLike = regexp.MustCompile(`^[a-z]+$`)
)

// hold answers what a page names that is not there, and how many commands of
// Go's it has.
func (m *sources) hold(text string) (problems []string, commands int) {
	note := func(what string, err error) {
		if err != nil {
			problems = append(problems, fmt.Sprintf("%s: %v", what, err))
		}
	}
	packages := false // the section in which a word is a folder
	shell := ""       // inside a fenced block: its language
	text = strings.ReplaceAll(text, "\\\n", " ")
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if language, ok := strings.CutPrefix(line, "```"); ok {
			if shell != "" {
				language = ""
			} else if language == "" {
				language = "none"
			}
			shell = language
			continue
		}
		if shell != "" && strings.HasPrefix(line, "cd ") {
			shell = "elsewhere"
		}
		if shell == "sh" {
			isGo, err := m.command(line)
			note(line, err)
			commands += isGo
		}
		if shell != "" {
			continue
		}
		if title, ok := strings.CutPrefix(line, "## "); ok {
			packages = title == "Where things are"
		}
		for _, s := range codeSpan.FindAllStringSubmatch(line, -1) {
			isGo, err := m.command(s[1])
			note(s[1], err)
			commands += isGo
			if pathLike.MatchString(s[1]) || packages && wordLike.MatchString(s[1]) {
				note(s[1], m.exists(s[1]))
			}
		}
		for _, l := range link.FindAllStringSubmatch(line, -1) {
			note(l[1], m.exists(l[1]))
		}
	}
	return problems, commands
}

// exists looks for a file or a folder, also by its import path.
func (m *sources) exists(name string) error {
	_, err := os.Stat(filepath.Join(m.root, strings.TrimPrefix(name, "oubliette/")))
	return err
}

// withValue are the flags of Go's that the pages may use with a value behind
// them, and whether they choose functions; alone are those without a value.
var (
	withValue = map[string]bool{"-run": true, "-fuzz": true, "-bench": true, "-timeout": false, "-fuzztime": false, "-count": false, "-o": false}
	alone     = map[string]bool{"-v": true, "-benchmem": true, "-race": true}
)

// command checks a line of a shell if it runs Go on packages; then isGo is 1.
func (m *sources) command(line string) (isGo int, err error) {
	args := words(line)
	for len(args) > 0 && strings.Contains(args[0], "=") {
		name, _, _ := strings.Cut(args[0], "=")
		if args = args[1:]; len(args) > 0 && args[0] == "go" && !m.mentions(`"`+name+`"`) {
			return 1, fmt.Errorf("nothing reads the variable %s", name)
		}
	}
	if len(args) < 2 || args[0] != "go" || !slices.Contains([]string{"test", "run", "build", "vet", "install"}, args[1]) {
		return 0, nil
	}
	verb, dir, patterns, choose := args[1], ".", []string(nil), make(map[string]string)
	for args = args[2:]; len(args) > 0; args = args[1:] {
		flag := args[0]
		chooses, valued := withValue[flag]
		switch {
		case flag == "-C" && len(args) > 1:
			dir, args = args[1], args[1:]
		case valued && len(args) > 1:
			if args = args[1:]; chooses {
				choose[flag] = args[0]
			}
		case alone[flag]:
		case strings.HasPrefix(flag, "-"):
			if !m.mentions(`("` + flag[1:] + `", `) {
				return 1, fmt.Errorf("no flag %s", flag)
			}
		default:
			patterns = append(patterns, flag)
		}
		if verb == "run" && len(patterns) > 0 {
			break // the rest is the program's
		}
	}
	if len(patterns) == 0 {
		patterns = []string{"."}
	}
	var found []string
	for _, p := range patterns {
		dirs, err := m.match(dir, p)
		if err != nil {
			return 1, err
		}
		found = append(found, dirs...)
	}
	return 1, m.chosen(found, choose)
}

// match answers the folders of a pattern of packages.
func (m *sources) match(dir, pattern string) (dirs []string, err error) {
	if pattern != "." && !strings.HasPrefix(pattern, "./") {
		return nil, fmt.Errorf("%s is not a path of a package", pattern)
	}
	base, all := strings.CutSuffix(pattern, "/...")
	base = path.Join(dir, base)
	for d := range m.files {
		if d == base || all && (base == "." || strings.HasPrefix(d, base+"/")) {
			dirs = append(dirs, d)
		}
	}
	if len(dirs) == 0 {
		return nil, fmt.Errorf("no package %s in %s", pattern, dir)
	}
	return dirs, nil
}

// chosen checks that what the flags choose is there: of -fuzz one function, of
// the others at least one, but that ^$ is for nothing.
func (m *sources) chosen(dirs []string, choose map[string]string) error {
	kinds := map[string]string{"-run": "^(Test|Fuzz|Example)", "-fuzz": "^Fuzz", "-bench": "^Benchmark"}
	for flag, pattern := range choose {
		first, _, _ := strings.Cut(pattern, "/")
		want, err := regexp.Compile(first)
		if err != nil {
			return err
		}
		kind, n := regexp.MustCompile(kinds[flag]), 0
		for _, d := range dirs {
			for _, f := range m.funcs[d] {
				if kind.MatchString(f) && want.MatchString(f) {
					n++
				}
			}
		}
		if pattern != "^$" && (n == 0 || flag == "-fuzz" && n > 1) {
			return fmt.Errorf("%s %s is for %d functions", flag, pattern, n)
		}
	}
	return nil
}

// mentions tells whether some Go file has the text.
func (m *sources) mentions(text string) bool {
	for _, s := range m.files {
		if strings.Contains(s, text) {
			return true
		}
	}
	return false
}

// words splits a line as a shell does, as far as quotes go.
func words(line string) (out []string) {
	quote, word, begun := rune(0), "", false
	for _, r := range line + " " {
		switch {
		case quote == 0 && (r == '\'' || r == '"'):
			quote, begun = r, true
		case r == quote && quote != 0:
			quote = 0
		case quote == 0 && (r == ' ' || r == '\t'):
			if begun {
				out = append(out, word)
			}
			word, begun = "", false
		default:
			word, begun = word+string(r), true
		}
	}
	return out
}
