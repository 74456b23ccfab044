package engine_test

import (
	"os"
	"strings"
	"testing"
)

// The README shows the example that is run.
func TestReadmeShowsTheExample(t *testing.T) {
	readme := string(got(os.ReadFile("../README.md"))(t))
	_, shown, ok := strings.Cut(readme, "```go\n")
	if !ok {
		t.Fatal("no Go code in the README")
	}
	shown, _, _ = strings.Cut(shown, "```")
	example := string(got(os.ReadFile("example_test.go"))(t))
	var body strings.Builder
	for line := range strings.Lines(example) {
		body.WriteString(strings.TrimPrefix(line, "\t"))
	}
	if !strings.Contains(body.String(), shown) {
		t.Errorf("the README shows what the example is not:\n%s", shown)
	}
}
