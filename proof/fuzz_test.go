package proof

import (
	"bytes"
	"encoding/json"
	"testing"

	"oubliette/crypto"
)

// A signature cannot be guessed by mutation, so the bytes are tried as a
// document and as the body of one that root and the writer have signed. What is
// taken has to be what its fields encode to.
func FuzzVerify(f *testing.F) {
	w := newWorld(f)
	for name := range w.documents() {
		doc := document(f, name)
		_, body := bodyOf(f, doc)
		f.Add(doc)
		f.Add(body)
		f.Add(body[:len(body)/2])
		f.Add(bytes.Replace(body, []byte(`null`), []byte(`{}`), 1))
		f.Add(append(bytes.Clone(body), '}'))
	}
	f.Add([]byte(nil))
	f.Add([]byte(`{"payloadType":"application/vnd.oubliette.receipt.v2+json"}`))
	f.Add([]byte(`{"payloadType":"application/vnd.oubliette.receipt.v1+json","payload":"","signatures":[]}`))
	f.Add([]byte(`{"type":"receipt","version":1,"index":"\ud800"`))
	f.Add(bytes.Repeat([]byte(`[`), 100))
	f.Fuzz(func(t *testing.T, b []byte) {
		if d, err := Verify(b, w.root.Public()); err == nil {
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
