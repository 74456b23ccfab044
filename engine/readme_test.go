package engine_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The README's program and the example of the package do the same.
func TestReadmeShowsTheExample(t *testing.T) {
	shown := between(t, readmeProgram(t), "func main() {\n", "\n}\n")
	example := string(got(os.ReadFile("example_test.go"))(t))
	run := between(t, example, "func Example() {\n", "\n\t// Output:\n")
	if shown != run {
		t.Errorf("the README shows\n%s\nand the example is\n%s", shown, run)
	}
}

// The README's program compiles as it stands, in a module that takes this one as
// the README says, and prints what the example prints. It is offline: where
// the README calls "go mod tidy", which may ask the network, the requirements
// and sums of this module are taken over.
func TestReadmeProgramRuns(t *testing.T) {
	root := got(filepath.Abs(".."))(t)
	mod := string(got(os.ReadFile(filepath.Join(root, "go.mod")))(t))
	mod, ok := strings.CutPrefix(mod, "module oubliette\n")
	if !ok {
		t.Fatal("go.mod begins otherwise")
	}
	app := t.TempDir()
	must(t, os.WriteFile(filepath.Join(app, "main.go"), []byte(readmeProgram(t)), 0o600))
	must(t, os.WriteFile(filepath.Join(app, "go.mod"), []byte("module app\n"+mod), 0o600))
	must(t, os.WriteFile(filepath.Join(app, "go.sum"), got(os.ReadFile(filepath.Join(root, "go.sum")))(t), 0o600))

	edit := "go mod edit" + between(t, readme(t), "\ngo mod edit", "\n")
	const clone = "-replace=oubliette=../oubliette"
	if !strings.Contains(edit, clone) {
		t.Fatalf("the README takes the clone otherwise: %s", edit)
	}
	goRun(t, app, strings.Fields(strings.Replace(edit, "../oubliette", root, 1))...)
	printed := goRun(t, app, "go", "run", ".")
	example := string(got(os.ReadFile("example_test.go"))(t))
	want := strings.ReplaceAll(between(t, example, "\t// Output:\n", "}"), "\t// ", "")
	if printed != want {
		t.Errorf("the README's program prints\n%s\nand the example\n%s", printed, want)
	}
	for line := range strings.Lines(want) {
		if line = "`" + strings.TrimSpace(line) + "`"; !strings.Contains(readme(t), line) {
			t.Errorf("the README does not say that it prints %s", line)
		}
	}
}

// goRun runs a command of Go's in dir, without a network, and answers what it
// prints on standard output.
func goRun(t *testing.T, dir string, command ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOWORK=off", "TMPDIR="+t.TempDir())
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%q: %v\n%s%s", command, err, out, &stderr)
	}
	return string(out)
}

func readme(t *testing.T) string { return string(got(os.ReadFile("../README.md"))(t)) }

func readmeProgram(t *testing.T) string { return between(t, readme(t), "```go\n", "```") }

// between is the text from the first from to the next to behind it.
func between(t *testing.T, text, from, to string) string {
	t.Helper()
	_, rest, ok := strings.Cut(text, from)
	inside, _, end := strings.Cut(rest, to)
	if !ok || !end {
		t.Fatalf("no text from %q to %q", from, to)
	}
	return inside
}
