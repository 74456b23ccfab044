package proof

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"oubliette/crypto"
)

// world is the keys of the vectors: what crypto/testdata has of the second
// epoch there.
type world struct {
	root, writer *crypto.Signer
	record       *crypto.EpochRecord
	tokens       *crypto.Tokenizer
	ids          []string
}

func file(t testing.TB, path ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func unmarshal[T any](t testing.TB, b []byte) (v T) {
	t.Helper()
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func secret(t testing.TB, digits string) crypto.Secret {
	t.Helper()
	s, err := crypto.SecretFromBytes(unhex(t, digits))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func unhex(t testing.TB, digits string) []byte {
	t.Helper()
	b, err := hex.DecodeString(digits)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func newWorld(t testing.TB) *world {
	t.Helper()
	vectors := filepath.Join("..", "crypto", "testdata")
	epochs := unmarshal[struct{ Second string }](t, file(t, vectors, "epoch.json"))
	roots := unmarshal[struct{ Roots []struct{ Key string } }](t, file(t, vectors, "principal.json")).Roots
	sealed := unmarshal[struct {
		Grants []struct {
			Third string
			IDKey string `json:"id_key"`
		}
	}](t, file(t, vectors, "sealed.json")).Grants
	record, err := crypto.DecodeEpochRecord(unhex(t, epochs.Second))
	if err != nil {
		t.Fatal(err)
	}
	return &world{
		root:   crypto.RootSigner(secret(t, roots[0].Key), record.Index),
		writer: crypto.NewSigner(record.Users[2].User, secret(t, sealed[2].Third)),
		record: record,
		tokens: crypto.NewTokenizer(secret(t, sealed[2].IDKey)),
		ids:    unmarshal[struct{ IDs []string }](t, file(t, "testdata", "origin.json")).IDs,
	}
}

func (w *world) signer(t testing.TB, key *crypto.Signer) *Signer {
	t.Helper()
	s, err := NewSigner(key, w.record)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// documents are the checked-in ones, and with which key each is signed.
func (w *world) documents() map[string]*crypto.Signer {
	return map[string]*crypto.Signer{
		"receipt-root": w.root, "receipt-user": w.writer,
		"certificate-root": w.root, "certificate-user": w.writer,
	}
}

func document(t testing.TB, name string) []byte {
	return bytes.TrimSuffix(file(t, "testdata", name+".json"), []byte("\n"))
}

func bodyOf(t testing.TB, doc []byte) (crypto.Domain, []byte) {
	t.Helper()
	e, err := open(doc)
	if err != nil {
		t.Fatal(err)
	}
	return e.domain, e.body
}

// resign is a document with this body, well signed.
func resign(t testing.TB, key *crypto.Signer, d crypto.Domain, body []byte) []byte {
	t.Helper()
	doc, err := json.Marshal(seal(d, body, KeyID(key.Public()), key.Sign(d, body)))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// encoded is the body that a verified document stands for.
func encoded(d Document) []byte {
	c := writing()
	if d.Receipt != nil {
		d.Receipt.fields(c)
	} else {
		d.Certificate.fields(c)
	}
	return c.out
}

func verified(t testing.TB, doc []byte, root crypto.VerifyKey) Document {
	t.Helper()
	d, err := Verify(doc, root)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// refused holds that a document is refused for this reason alone.
func refused(t testing.TB, what string, doc []byte, root crypto.VerifyKey, want error) {
	t.Helper()
	d, err := Verify(doc, root)
	if d != (Document{}) {
		t.Errorf("%s: something is answered", what)
	}
	for _, e := range []error{ErrForeign, ErrNewer, ErrAltered, ErrSigner} {
		if errors.Is(err, e) != (e == want) {
			t.Errorf("%s: %v, want %v alone", what, err, want)
		}
	}
}

func at(t testing.TB, s string) time.Time {
	t.Helper()
	v, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// receipt and certificate are what the vectors say.
func (w *world) receipt(t testing.TB) *Receipt {
	r := &Receipt{
		Time: at(t, "2026-03-01T09:30:00.25Z"), Seq: 4712, Group: 18, Head: crypto.Sum([]byte("head of the log")),
		Session: crypto.SessionID(unhex(t, "606162636465666768696a6b6c6d6e6f")), Count: 3,
		Digest: crypto.Hash(unhex(t, "8a8369005242a412649e650e8998f5a37e18a53758a64c6bd001a335a3334384")),
	}
	for i := range r.Salt {
		r.Salt[i] = byte(0x30 + i)
	}
	return r
}

func (w *world) certificate(t testing.TB) *Certificate {
	return &Certificate{
		Time: at(t, "2026-03-01T09:30:06.000000001Z"), Through: 4712, State: Erased,
		Since: at(t, "2026-03-01T09:00:00Z"), Rows: 2, Bytes: 12834, Segments: 1,
		Applied: at(t, "2026-03-01T09:30:05Z"), Overwritten: at(t, "2026-03-01T09:30:05.125Z"), FileSystem: "ext4",
	}
}

func (w *world) rewritten(t testing.TB) *Certificate {
	c := w.certificate(t)
	r := verified(t, document(t, "receipt-user"), w.root.Public()).Receipt
	c.Receipts = []Reference{r.Reference()}
	c.State, c.Unlinked = Rewritten, 1
	c.Time, c.RewrittenAt = at(t, "2026-03-01T09:30:12Z"), at(t, "2026-03-01T09:30:11Z")
	return c
}
