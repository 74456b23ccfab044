package items

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"oubliette/bench/store"
	"oubliette/internal/mnist"
)

// file writes a file and answers its path.
func file(t *testing.T, dir, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func same(a, b store.Item) bool {
	return a.ID == b.ID && slices.Equal(a.Vector, b.Vector) && bytes.Equal(a.Contents, b.Contents) && bytes.Equal(a.Metadata, b.Metadata)
}

func TestJSONLinesAreItems(t *testing.T) {
	path := file(t, t.TempDir(), "items.jsonl", []byte(`{"id": "a", "vector": [1, 0.5], "contents": "text\n", "metadata": {"any": [1]}}

{"id": "b", "vector": [0, -2]}
{"metadata": null, "contents": "", "id": "c"}`))
	want := []store.Item{
		{ID: "a", Vector: []float32{1, 0.5}, Contents: []byte("text\n"), Metadata: []byte(`{"any": [1]}`)},
		{ID: "b", Vector: []float32{0, -2}},
		{ID: "c", Metadata: []byte("null")},
	}
	for _, max := range []int{1, 3, 10} {
		got, err := JSONLines(path, max)
		if n := min(max, 3); err != nil || !slices.EqualFunc(got, want[:n], same) {
			t.Errorf("of the first %d: %v, %v", max, got, err)
		}
	}
}

// Every refusal names the file and the line, also of a line that nobody wants.
func TestJSONLinesAreRefusedByLine(t *testing.T) {
	const good = `{"id": "a", "vector": [1, 2]}` + "\n"
	for line, want := range map[string]string{
		`{"id": "b", "vector": [1]}`:                  "a vector of 1 dimensions, those before have 2",
		`{"id": "b", "vector": [1, null]}`:            "element 1 of the vector is null",
		`{"id": "b", "vector": [1, 1e60]}`:            "cannot unmarshal number 1e60",
		`{"id": "b", "vector": "1, 2"}`:               "cannot unmarshal string",
		`{"id": "a"}`:                                 `the id "a" has come before`,
		`{"vector": [1, 2]}`:                          "no id",
		`{"id": "b", "vektor": [1, 2]}`:               `unknown field "vektor"`,
		`{"id": "b", "contents_base64": "="}`:         `unknown field "contents_base64"`,
		`{"id": "b"`:                                  "it ends inside of its JSON",
		`{"id": "b"} {"id": "c"}`:                     "more than one JSON value",
		`{"id": "b", "contents": 7}`:                  "cannot unmarshal number",
		`not JSON`:                                    "invalid character",
		"{\"id\": \"b\xff\"}":                         "not UTF-8",
		`{"id": "b\u0000c"}`:                          "a zero byte",
		`{"id": "` + strings.Repeat("x", 5000) + `"}`: "an id of 5000 bytes, at most 4096",
	} {
		path := file(t, t.TempDir(), "items.jsonl", []byte(good+"\n"+line+"\n"))
		got, err := JSONLines(path, 1)
		if err == nil || got != nil || !strings.Contains(err.Error(), path+", line 3: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, error %v, want one with %q", line, got, err, want)
		}
	}
}

func TestFilesWithoutItemsAreRefused(t *testing.T) {
	dir := t.TempDir()
	for _, content := range []string{"", "\n\n"} {
		if got, err := JSONLines(file(t, dir, "items.jsonl", []byte(content)), 10); err == nil || !strings.Contains(err.Error(), "items.jsonl: no item in it") {
			t.Errorf("%q: %v, %v", content, got, err)
		}
	}
	if got, err := FVecs(file(t, dir, "empty.fvecs", nil), 10); err == nil || !strings.Contains(err.Error(), "empty.fvecs: no vector in it") {
		t.Errorf("%v, %v", got, err)
	}
	for name, read := range map[string]func(string, int) ([]store.Item, error){"MNIST": MNIST, "FVecs": FVecs, "JSONLines": JSONLines} {
		if got, err := read(filepath.Join(dir, "nowhere"), 10); err == nil || !strings.Contains(err.Error(), "nowhere") {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

// vecs is a file of vectors.
func vecs(vectors ...[]float32) (b []byte) {
	for _, v := range vectors {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(v)))
		for _, x := range v {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
		}
	}
	return b
}

func TestFVecsAreItems(t *testing.T) {
	path := file(t, t.TempDir(), "some.fvecs", vecs([]float32{1, 2}, []float32{-0.5, 3}, []float32{7, 8}))
	want := []store.Item{
		{ID: "vector-000000000", Vector: []float32{1, 2}},
		{ID: "vector-000000001", Vector: []float32{-0.5, 3}},
		{ID: "vector-000000002", Vector: []float32{7, 8}},
	}
	for _, max := range []int{2, 3, 10} {
		got, err := FVecs(path, max)
		if n := min(max, 3); err != nil || !slices.EqualFunc(got, want[:n], same) {
			t.Errorf("of the first %d: %v, %v", max, got, err)
		}
	}
}

// Every refusal names the file, the vector and where it begins.
func TestFVecsAreRefusedByVector(t *testing.T) {
	good := vecs([]float32{1, 2}, []float32{3, 4})
	for _, c := range []struct {
		what   string
		behind []byte
		want   string
	}{
		{"another dimension", vecs([]float32{1}), "vector 3 at byte 24: it has 1 dimensions, those before have 2"},
		{"no dimension", []byte{0, 0, 0, 0}, "vector 3 at byte 24: it says 0 dimensions"},
		{"a negative dimension", []byte{255, 255, 255, 255}, "vector 3 at byte 24: it says 4294967295 dimensions"},
		{"a head that is cut", []byte{2, 0}, "vector 3 at byte 24: the file ends inside of it"},
		{"nothing behind a head", []byte{2, 0, 0, 0}, "vector 3 at byte 24: the file ends inside of it"},
		{"a body that is cut", good[:9], "vector 3 at byte 24: the file ends inside of it"},
	} {
		path := file(t, t.TempDir(), "some.fvecs", append(slices.Clone(good), c.behind...))
		for _, max := range []int{1, 10} { // it is looked at, or kept
			got, err := FVecs(path, max)
			if err == nil || got != nil || !strings.Contains(err.Error(), path+", "+c.want) {
				t.Errorf("%s, first %d: %v, error %v, want one with %q", c.what, max, got, err, c.want)
			}
		}
	}
}

// internal/mnist has the tests of what is refused; here items come as they stand there,
// and no more than are wanted.
func TestMNISTImagesAreItems(t *testing.T) {
	dir := t.TempDir()
	file(t, dir, mnist.Images, zipped(t, "\x00\x00\x08\x03\x00\x00\x00\x02\x00\x00\x00\x01\x00\x00\x00\x03\x00\x33\xff\x01\x02\x03"))
	file(t, dir, mnist.Labels, zipped(t, "\x00\x00\x08\x01\x00\x00\x00\x02\x07\x04"))
	want := []store.Item{
		{ID: "mnist-00000", Vector: []float32{0, 0.2, 1}, Contents: []byte{0, 51, 255}, Metadata: []byte(`{"label": 7, "set": "t10k"}`)},
		{ID: "mnist-00001", Vector: []float32{1. / 255, 2. / 255, 3. / 255}, Contents: []byte{1, 2, 3}, Metadata: []byte(`{"label": 4, "set": "t10k"}`)},
	}
	for _, max := range []int{1, 2, 10} {
		got, err := MNIST(dir, max)
		if n := min(max, 2); err != nil || !slices.EqualFunc(got, want[:n], same) {
			t.Errorf("of the first %d: %v, %v", max, got, err)
		}
	}
	if got, err := MNIST(t.TempDir(), 10); err == nil || got != nil {
		t.Errorf("of an empty folder: %v, %v", got, err)
	}
}

func zipped(t *testing.T, s string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(s)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
