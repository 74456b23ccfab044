package mnist

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"oubliette/internal/corpus"
)

// folder has the two files of a set.
func folder(t *testing.T, images, labels []byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, b := range map[string][]byte{Images: images, Labels: labels} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// idx is a gzipped IDX file.
func idx(t *testing.T, magic uint32, dims []uint32, data []byte) []byte {
	t.Helper()
	raw := binary.BigEndian.AppendUint32(nil, magic)
	for _, d := range dims {
		raw = binary.BigEndian.AppendUint32(raw, d)
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(append(raw, data...)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestImagesAreItems(t *testing.T) {
	s, err := Load(folder(t, idx(t, idxImages, []uint32{2, 1, 3}, []byte{0, 51, 255, 1, 2, 3}), idx(t, idxLabels, []uint32{2}, []byte{7, 4})))
	if err != nil || s.Len() != 2 || s.Pixels != 3 {
		t.Fatalf("%+v, %v", s, err)
	}
	id, vector, contents, metadata := s.Item(0)
	if id != "mnist-00000" || !slices.Equal(vector, []float32{0, 0.2, 1}) || !bytes.Equal(contents, []byte{0, 51, 255}) || string(metadata) != `{"label": 7, "set": "t10k"}` {
		t.Errorf("%s, %v, %v, %s", id, vector, contents, metadata)
	}
	if id, _, contents, metadata = s.Item(1); id != "mnist-00001" || !bytes.Equal(contents, []byte{1, 2, 3}) || string(metadata) != `{"label": 4, "set": "t10k"}` {
		t.Errorf("%s, %v, %s", id, contents, metadata)
	}
}

func TestFilesAreRefusedByName(t *testing.T) {
	images := idx(t, idxImages, []uint32{2, 1, 3}, make([]byte, 6))
	labels := idx(t, idxLabels, []uint32{2}, make([]byte, 2))
	for _, c := range []struct {
		what           string
		images, labels []byte
		file, want     string
	}{
		{"no gzip", []byte("plain, and long enough"), labels, Images, "gzip: invalid header"},
		{"a cut file", images[:len(images)-6], labels, Images, "unexpected EOF"},
		{"labels for images", labels, labels, Images, "IDX"},
		{"another magic", idx(t, 0x0802, []uint32{2, 1, 3}, make([]byte, 6)), labels, Images, "magic 0x00000802 at byte 0"},
		{"no images", idx(t, idxImages, []uint32{0, 1, 3}, nil), labels, Images, "dimension at byte 4 is 0"},
		{"too many columns", idx(t, idxImages, []uint32{2, 1, 5000}, nil), labels, Images, "dimension at byte 12 is 5000"},
		{"too many pixels", idx(t, idxImages, []uint32{2, 100, 100}, nil), labels, Images, "elements of 10000 bytes"},
		{"too little data", idx(t, idxImages, []uint32{3, 1, 3}, make([]byte, 6)), labels, Images, "says 9 bytes of data, 6"},
		{"too much data", idx(t, idxImages, []uint32{1, 1, 3}, make([]byte, 6)), labels, Images, "says 3 bytes of data, 4 or more"},
		{"fewer labels", images, idx(t, idxLabels, []uint32{1}, make([]byte, 1)), Labels, "has 1 labels"},
	} {
		dir := folder(t, c.images, c.labels)
		got, err := Load(dir)
		if err == nil || got != nil || !strings.Contains(err.Error(), filepath.Join(dir, c.file)) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, error %v, want one with %q", c.what, got, err, c.want)
		}
	}
}

// FuzzParseIDX: images that are taken are as many bytes as their head says, and all
// that there are.
func FuzzParseIDX(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		var data []byte
		var dims []int
		var err error
		corpus.Bound(t, len(b), 8, func() { data, dims, err = parseIDX(bytes.NewReader(b), idxImages, 3) })
		if err == nil && (len(dims) != 3 || len(data) != dims[0]*dims[1]*dims[2] || len(data)+16 != len(b)) {
			t.Fatalf("%d bytes of %v from %d", len(data), dims, len(b))
		}
	})
}

// TestSeeds holds the corpus in testdata against what is read today.
func TestSeeds(t *testing.T) {
	corpus.Hold(t, "FuzzParseIDX", idxSeeds(), func(s corpus.Seed) error {
		_, _, err := parseIDX(bytes.NewReader(s.Bytes(0)), idxImages, 3)
		return err
	})
}

func idxSeeds() []corpus.Seed {
	whole := []byte("\x00\x00\x08\x03\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00\x02abcd")
	bomb := bytes.Clone(whole)
	copy(bomb[4:], "\x00\x01\x86\xA0")
	return []corpus.Seed{
		corpus.Valid("one-image", whole), corpus.Hostile("length-bomb", bomb), corpus.Hostile("cut", whole[:len(whole)-1]),
		corpus.Hostile("longer", append(bytes.Clone(whole), 0)), corpus.Hostile("half-a-head", whole[:8]),
		corpus.Hostile("too-many", []byte("\x00\x00\x08\x03\xff\xff\xff\xff\x00\x00\x00\x02\x00\x00\x00\x02abcd")),
	}
}
