package proof

import (
	"bytes"
	"encoding/json"
	"testing"

	"oubliette/crypto"
	"oubliette/internal/corpus"
)

// A signature cannot be guessed by mutation, so the bytes are tried as a
// document and as the body of one that root and the writer have signed. What is
// taken has to be what its fields encode to.
func FuzzVerify(f *testing.F) {
	w := newWorld(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		var d Document
		var err error
		corpus.Bound(t, len(b), 32, func() { d, err = Verify(b, w.root.Public()) })
		if err == nil {
			var text bytes.Buffer
			if err := json.Compact(&text, b); err != nil {
				t.Fatal(err)
			}
			if _, body := bodyOf(t, text.Bytes()); !bytes.Equal(encoded(d), body) {
				t.Errorf("%s is taken for %s", body, encoded(d))
			}
		} else if d != (Document{}) {
			t.Error("something is answered beside an error")
		}
		_, receipt := VerifyReceipt(b, w.root.Public())
		_, certificate := VerifyCertificate(b, w.root.Public())
		if (receipt == nil) != (d.Receipt != nil) || (certificate == nil) != (d.Certificate != nil) {
			t.Errorf("%+v as a receipt: %v, as a certificate: %v", d, receipt, certificate)
		}
		for _, kind := range []crypto.Domain{crypto.DomainReceipt, crypto.DomainCertificate} {
			for _, key := range []*crypto.Signer{w.root, w.writer} {
				d, err := Verify(resign(t, key, kind, b), w.root.Public())
				if err == nil && !bytes.Equal(encoded(d), b) {
					t.Errorf("%s is taken for %s", b, encoded(d))
				}
			}
		}
	})
}

// TestSeeds holds the corpus in testdata against the documents of today: a seed is a
// document, or the body of one.
func TestSeeds(t *testing.T) {
	w := newWorld(t)
	corpus.Hold(t, "FuzzVerify", verifySeeds(t, w), func(s corpus.Seed) error {
		_, err := Verify(s.Bytes(0), w.root.Public())
		for _, kind := range []crypto.Domain{crypto.DomainReceipt, crypto.DomainCertificate} {
			for _, key := range []*crypto.Signer{w.root, w.writer} {
				if _, signed := Verify(resign(t, key, kind, s.Bytes(0)), w.root.Public()); signed == nil {
					return nil
				}
			}
		}
		return err
	})
}

func verifySeeds(t testing.TB, w *world) []corpus.Seed {
	out := []corpus.Seed{
		corpus.Hostile("empty", []byte{}), corpus.Hostile("nested", bytes.Repeat([]byte(`[`), 100)),
		corpus.Hostile("newer", []byte(`{"payloadType":"application/vnd.oubliette.receipt.v2+json"}`)),
		corpus.Hostile("unsigned", []byte(`{"payloadType":"application/vnd.oubliette.receipt.v1+json","payload":"","signatures":[]}`)),
		corpus.Hostile("half-surrogate", []byte(`{"type":"receipt","version":1,"index":"\ud800"`)),
	}
	for name := range w.documents() {
		doc := document(t, name)
		_, body := bodyOf(t, doc)
		var indented bytes.Buffer
		if err := json.Indent(&indented, doc, "", "  "); err != nil {
			t.Fatal(err)
		}
		out = append(out, corpus.Valid(name, doc), corpus.Valid(name+"-indented", indented.Bytes()), corpus.Valid(name+"-body", body),
			corpus.Hostile(name+"-cut", body[:len(body)/2]), corpus.Hostile(name+"-longer", append(bytes.Clone(body), '}')),
			corpus.Hostile(name+"-spaced", bytes.Replace(body, []byte(":"), []byte(": "), 1)),
			corpus.Hostile(name+"-changed", bytes.Replace(doc, []byte(`"payload":"e`), []byte(`"payload":"f`), 1)))
	}
	return out
}
