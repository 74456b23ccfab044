package segment

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/crypto"
	"oubliette/internal/codec"
	"oubliette/internal/golden"
)

const page = "segment.md"

// count fills b with 0, 1, 2, ... from first on.
func count(b []byte, first byte) []byte {
	for i := range b {
		b[i] = first + byte(i)
	}
	return b
}

func fixedSecret(t *testing.T, first byte) crypto.Secret {
	t.Helper()
	s, err := crypto.SecretFromBytes(count(make([]byte, 32), first))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func fixedIdentity() (id Identity) {
	count(id.Index[:], 0x10)
	count(id.Segment[:], 0x20)
	id.Epoch = 3
	return id
}

// fixedEntry is the one row of the page's examples.
func fixedEntry() Entry {
	e := Entry{Seq: 42, Pointer: Pointer{Row: 5, Offset: DataStart, Len: [NumFields]uint32{29, 0, 30}, Expires: 1_900_000_000_000}}
	count(e.Token[:], 0x40)
	count(e.Commit[Vector][:], 0x50)
	count(e.Commit[Head][:], 0x60)
	return e
}

func TestGoldenHeaderSlot(t *testing.T) {
	s := slot{id: fixedIdentity(), reader: crypto.Sum([]byte("a reader key")), sealed: count(make([]byte, crypto.SealedDEKSize), 0)}
	golden.Check(t, page, "header slot", s.encode(), []golden.Field{
		{Name: "magic", Size: 8}, {Name: "version", Size: 2}, {Name: "index id", Size: 16},
		{Name: "segment id", Size: 16}, {Name: "epoch", Size: 8},
		{Name: "SHA-256 of the reader key", Size: 32}, {Name: "length of sealed data key", Size: 4},
		{Name: "sealed data key", Size: crypto.SealedDEKSize},
		{Name: "zeros", Size: HeaderSlotSize - 86 - crypto.SealedDEKSize - 4}, {Name: "CRC-32C of all before", Size: 4},
	})
}

func TestGoldenRow(t *testing.T) {
	r, err := Prepare("id-1", []float32{1, -0.5}, nil, []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, page, "row, before sealing", r.buf, []golden.Field{
		{Name: "vector: codec (0 raw, 1 zstd)", Size: 1}, {Name: "vector: raw length", Size: 4}, {Name: "vector: float32 each", Size: 8},
		{Name: "head: codec", Size: 1}, {Name: "head: raw length", Size: 4},
		{Name: "head: length of id", Size: 2}, {Name: "head: id", Size: 4}, {Name: "head: metadata present", Size: 1}, {Name: "head: metadata", Size: 2},
	})
	var s sealer
	a := crypto.NewAEAD(fixedSecret(t, 1))
	var sealed []byte
	for _, f := range []Field{Vector, Head} {
		sealed = s.seal(a, sealed, fixedIdentity().Segment, 5, f, r.frame(f))
	}
	golden.Check(t, page, "row, sealed under the key 01 02 … 20 as row 5", sealed, []golden.Field{
		{Name: "vector: ciphertext", Size: 13}, {Name: "vector: tag", Size: 16},
		{Name: "head: ciphertext", Size: 14}, {Name: "head: tag", Size: 16},
	})
	s.aim(fixedIdentity().Segment, 5, Head)
	golden.Check(t, page, "nonce of the head", s.nonce[:], []golden.Field{
		{Name: "row number", Size: 4}, {Name: "field", Size: 1}, {Name: "zeros", Size: 7},
	})
	golden.Check(t, page, "associated data of the head", s.ad, []golden.Field{
		{Name: "label", Size: len(rowLabel)}, {Name: "segment id", Size: 16}, {Name: "row number", Size: 4}, {Name: "field", Size: 1},
	})
}

func TestGoldenPointer(t *testing.T) {
	var e codec.Encoder
	fixedEntry().Append(&e)
	golden.Check(t, page, "pointer", e.B, []golden.Field{
		{Name: "row number", Size: 4}, {Name: "offset", Size: 8}, {Name: "presence: vector 1, contents 2, head 4, expiry 8", Size: 1},
		{Name: "vector: sealed length", Size: 4}, {Name: "vector: commitment", Size: 16},
		{Name: "head: sealed length", Size: 4}, {Name: "head: commitment", Size: 16}, {Name: "expiry", Size: 8},
	})
}

func TestGoldenIndexEntry(t *testing.T) {
	var e codec.Encoder
	x := fixedEntry()
	appendEntry(&e, &x)
	golden.Check(t, page, "index entry", e.B, []golden.Field{
		{Name: "token", Size: 16}, {Name: "sequence number", Size: 8}, {Name: "expiry", Size: 8}, {Name: "row number", Size: 4}, {Name: "offset", Size: 8},
		{Name: "vector: sealed length", Size: 4}, {Name: "contents: sealed length", Size: 4}, {Name: "head: sealed length", Size: 4},
		{Name: "vector: commitment", Size: 16}, {Name: "contents: commitment", Size: 16}, {Name: "head: commitment", Size: 16},
	})
}

func TestGoldenFilter(t *testing.T) {
	fuse, err := buildFilter([]uint64{filterKey(fixedEntry().Token)})
	if err != nil {
		t.Fatal(err)
	}
	b := fuse.encode()
	golden.Check(t, page, "filter", b, []golden.Field{
		{Name: "seed", Size: 8}, {Name: "segment length", Size: 4}, {Name: "segment count", Size: 4},
		{Name: "number of fingerprints", Size: 4}, {Name: "fingerprints, 2 bytes each", Size: len(b) - 20},
	})
}

// TestGoldenSealedIndex writes the whole index of a segment of one row.
func TestGoldenSealedIndex(t *testing.T) {
	fs := vfs.NewMem()
	s := slot{id: fixedIdentity(), reader: crypto.Sum([]byte("a reader key")), sealed: count(make([]byte, crypto.SealedDEKSize), 0)}
	writeFile(t, fs, "f", append(s.encode(), make([]byte, HeaderSlotSize)...))
	x := fixedEntry()
	in := IndexInput{ID: s.id, Rows: 6, DataEnd: x.Extent().End(), Entries: []Entry{x}}
	count(in.DEK[:], 0x70)
	var user crypto.UserID
	count(user[:], 0x90)
	signer := crypto.NewSigner(user, fixedSecret(t, 2))
	var salt [32]byte
	count(salt[:], 0xa0)
	ref, err := writeIndex(fs, "f", in, fixedSecret(t, 3), signer, salt)
	if err != nil {
		t.Fatal(err)
	}
	b := readFile(t, fs, "f")
	start := DataStart + indexAlign
	filter := int(ref.Off) - start - (entrySize + 16) - (fenceSize + 16)
	golden.Check(t, page, "sealed index of one row", b[start:ref.Off], []golden.Field{
		{Name: "entry block 0: ciphertext", Size: entrySize}, {Name: "entry block 0: tag", Size: 16},
		{Name: "filter: ciphertext", Size: filter - 16}, {Name: "filter: tag", Size: 16},
		{Name: "top block: ciphertext", Size: fenceSize}, {Name: "top block: tag", Size: 16},
	})
	golden.Check(t, page, "footer", b[ref.Off:ref.Off+ref.Len], []golden.Field{
		{Name: "magic", Size: 8}, {Name: "version", Size: 2}, {Name: "index id", Size: 16}, {Name: "segment id", Size: 16},
		{Name: "epoch of the map key", Size: 8}, {Name: "commitment to the data key", Size: 32},
		{Name: "rows reserved", Size: 4}, {Name: "entries", Size: 4}, {Name: "end of the rows", Size: 8},
		{Name: "salt", Size: 32}, {Name: "entries a block", Size: 2}, {Name: "offset of block 0", Size: 8},
		{Name: "number of blocks", Size: 4}, {Name: "SHA-256 of block 0", Size: 32},
		{Name: "filter: offset", Size: 8}, {Name: "filter: length", Size: 8}, {Name: "filter: SHA-256", Size: 32},
		{Name: "top block: offset", Size: 8}, {Name: "top block: length", Size: 8}, {Name: "top block: SHA-256", Size: 32},
		{Name: "signer", Size: 16}, {Name: "signature", Size: 64},
	})
	golden.Check(t, page, "tail", b[ref.Off+ref.Len:], []golden.Field{
		{Name: "length of the footer", Size: 4}, {Name: "CRC-32C of the footer", Size: 4}, {Name: "magic", Size: 8},
	})
}
