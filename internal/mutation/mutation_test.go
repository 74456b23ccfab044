package mutation

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// root is the module's folder.
const root = "../.."

// mutated is the file's text with the fault in it.
func (d *deliberate) mutated(t *testing.T) []byte {
	t.Helper()
	src, err := os.ReadFile(filepath.Join(root, d.file))
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(src, []byte(d.old)); n != 1 {
		t.Fatalf("%s: %d places in %s, want one, of\n%s", d.name, n, d.file, d.old)
	}
	return bytes.Replace(src, []byte(d.old), []byte(d.new), 1)
}

// TestDeliberateFaultsStandInTheCode: each still has its place, and changes it.
func TestDeliberateFaultsStandInTheCode(t *testing.T) {
	seen := make(map[string]bool)
	for i := range faults {
		d := &faults[i]
		if seen[d.name] || d.old == d.new {
			t.Errorf("%s: twice there, or no fault", d.name)
		}
		seen[d.name] = true
		if _, err := parser.ParseFile(token.NewFileSet(), d.file, d.mutated(t), 0); err != nil {
			t.Errorf("%s: %v", d.name, err)
		}
	}
}

// TestDeliberateFaultsAreCaught builds package engine's tests with each fault and
// runs the crash tests at every point until one fails. Without OUBLIETTE_LONG it
// takes none, with OUBLIETTE_FAULTS=3 three that a seed draws.
func TestDeliberateFaultsAreCaught(t *testing.T) {
	for _, i := range drawn(t) {
		d := &faults[i]
		t.Run(strings.ReplaceAll(d.name, " ", "_"), func(t *testing.T) {
			began := time.Now()
			caught, out := d.caught(t)
			if caught == "" {
				t.Fatalf("nothing catches it; the tests say\n%s", out)
			}
			t.Logf("caught in %v: %s", time.Since(began).Round(time.Second), caught)
		})
	}
}

// drawn are the faults to be tried.
func drawn(t *testing.T) []int {
	n, _ := strconv.Atoi(os.Getenv("OUBLIETTE_FAULTS"))
	if os.Getenv("OUBLIETTE_LONG") != "" {
		n = len(faults)
	}
	if n == 0 {
		t.Skip("OUBLIETTE_FAULTS=N takes N of them, OUBLIETTE_LONG=1 all")
	}
	return rand.Perm(len(faults))[:min(n, len(faults))]
}

// limit is how long the tests may take to catch a fault.
const limit = 15 * time.Minute

// caught answers the first that the tests say does not fit; empty when they pass.
func (d *deliberate) caught(t *testing.T) (first, out string) {
	t.Helper()
	bin := d.build(t)
	tests := d.test
	if tests == "" {
		tests = crashTests
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, bin, "-test.run", tests, "-test.failfast", "-test.timeout", limit.String())
	cmd.Dir = filepath.Join(root, "engine")
	cmd.Env = append(os.Environ(), "OUBLIETTE_LONG=1")
	b, err := cmd.CombinedOutput()
	if err == nil {
		return "", string(b)
	}
	if ctx.Err() != nil {
		return "", fmt.Sprintf("%v\n%s", ctx.Err(), b)
	}
	return whatFailed(string(b)), string(b)
}

// build compiles package engine's tests with the fault.
func (d *deliberate) build(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "mutated.go")
	real, err := filepath.Abs(filepath.Join(root, d.file))
	if err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {real: file}})
	if err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(dir, "overlay.json")
	if err := errors.Join(os.WriteFile(file, d.mutated(t), 0o600), os.WriteFile(list, overlay, 0o600)); err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(dir, "engine.test")
	cmd := exec.CommandContext(t.Context(), "go", "test", "-c", "-overlay", list, "-o", bin, "./engine")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s does not compile: %v\n%s", d.name, err, out)
	}
	return bin
}

// said is a line that a test has failed with, or with which the process ended.
var said = regexp.MustCompile(`(?m)^\s+\w+_test\.go:\d+: (.*)$|^(panic: .*|fatal error: .*)$`)

// whatFailed is the first such line that is not about the test's seed, with the line
// behind it: the point of the crash, and what did not fit.
func whatFailed(out string) string {
	for _, at := range said.FindAllStringIndex(out, -1) {
		line := strings.TrimSpace(out[at[0]:at[1]])
		if strings.Contains(line, "OUBLIETTE_SEED") || strings.Contains(line, "mutations") || strings.Contains(line, "seed ") && !strings.Contains(line, "crash before") {
			continue
		}
		rest, _, _ := strings.Cut(strings.TrimLeft(out[at[1]:], "\n"), "\n")
		return line + " " + strings.TrimSpace(rest)
	}
	return strings.TrimSpace(out)
}
