package archive

import (
	"bytes"
	"testing"

	"oubliette/internal/golden"
)

func TestGoldenBackup(t *testing.T) {
	a, _ := names()
	var out bytes.Buffer
	w := NewWriter(&out)
	for _, err := range []error{
		w.Piece(a, 0, []byte("header, rows")), w.File(a, 12), w.Record([]byte("m"), []byte("manifest")), w.Close(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	fields := []golden.Field{{Name: "magic", Size: 8}, {Name: "version", Size: 2}, {Name: "CRC-32C of both", Size: 4}}
	frame := func(name string, payload ...golden.Field) {
		fields = append(fields, golden.Field{Name: name + ": kind", Size: 1},
			golden.Field{Name: name + ": length of the payload", Size: 4}, golden.Field{Name: name + ": CRC-32C of both", Size: 4})
		for _, f := range payload {
			fields = append(fields, golden.Field{Name: name + ": " + f.Name, Size: f.Size})
		}
		fields = append(fields, golden.Field{Name: name + ": CRC-32C of the payload", Size: 4})
	}
	index, id := golden.Field{Name: "index id", Size: 16}, golden.Field{Name: "segment id", Size: 16}
	frame("piece", index, id, golden.Field{Name: "offset in the file", Size: 8}, golden.Field{Name: "bytes", Size: 12})
	frame("file", index, id, golden.Field{Name: "length of the file", Size: 8})
	frame("record", golden.Field{Name: "length of the key", Size: 4}, golden.Field{Name: "key", Size: 1},
		golden.Field{Name: "length of the value", Size: 4}, golden.Field{Name: "value", Size: 8})
	frame("end", golden.Field{Name: "frames before", Size: 8}, golden.Field{Name: "bytes before", Size: 8}, golden.Field{Name: "SHA-256 of them", Size: 32})
	golden.Check(t, "backup.md", "backup", out.Bytes(), fields)
}
