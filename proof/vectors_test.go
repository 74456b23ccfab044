package proof

import (
	"bytes"
	"errors"
	"reflect"
	"testing"
	"time"

	"oubliette/crypto"
)

// The documents were made by another implementation.
func TestDocumentsVerifyToWhatTheySay(t *testing.T) {
	w := newWorld(t)
	for name, key := range w.documents() {
		d := verified(t, document(t, name), w.root.Public())
		author := w.signer(t, key).author
		if d.Receipt != nil {
			want := w.receipt(t)
			want.Author = author
			if !reflect.DeepEqual(d.Receipt, want) {
				t.Errorf("%s: %+v\nwant %+v", name, d.Receipt, want)
			}
			continue
		}
		want := w.certificate(t)
		if key == w.root {
			want = w.rewritten(t)
		}
		want.Author = author
		if !reflect.DeepEqual(d.Certificate, want) {
			t.Errorf("%s: %+v\nwant %+v", name, d.Certificate, want)
		}
	}
}

func TestSigningGivesTheDocuments(t *testing.T) {
	w := newWorld(t)
	root, user := w.signer(t, w.root), w.signer(t, w.writer)
	for name, sign := range map[string]func() ([]byte, error){
		"receipt-root":     func() ([]byte, error) { return root.Receipt(w.receipt(t)) },
		"receipt-user":     func() ([]byte, error) { return user.Receipt(w.receipt(t)) },
		"certificate-root": func() ([]byte, error) { return root.Certificate(w.rewritten(t)) },
		"certificate-user": func() ([]byte, error) { return user.Certificate(w.certificate(t)) },
	} {
		if got, err := sign(); err != nil || !bytes.Equal(got, document(t, name)) {
			t.Errorf("%s: %v\n%s\nwant\n%s", name, err, got, document(t, name))
		}
	}
}

func TestRootsKeyIsTheOneInTheFile(t *testing.T) {
	k, err := crypto.ParsePEM(file(t, "testdata", "root.pem"))
	if err != nil || k != newWorld(t).root.Public() {
		t.Errorf("%x, %v", k, err)
	}
}

func TestTheOtherKindIsRefused(t *testing.T) {
	w := newWorld(t)
	root := w.root.Public()
	if r, err := VerifyReceipt(document(t, "receipt-user"), root); err != nil || r.Seq != 4712 {
		t.Errorf("%+v, %v", r, err)
	}
	if c, err := VerifyCertificate(document(t, "certificate-user"), root); err != nil || c.Through != 4712 {
		t.Errorf("%+v, %v", c, err)
	}
	if r, err := VerifyReceipt(document(t, "certificate-root"), root); !errors.Is(err, ErrForeign) || r != (Receipt{}) {
		t.Errorf("%+v, %v", r, err)
	}
	if c, err := VerifyCertificate(document(t, "receipt-root"), root); !errors.Is(err, ErrForeign) || c.Through != 0 {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestCertificateNamesTheReceipt(t *testing.T) {
	w := newWorld(t)
	root := w.root.Public()
	r := verified(t, document(t, "receipt-user"), root).Receipt
	byRoot := verified(t, document(t, "receipt-root"), root).Receipt
	c := verified(t, document(t, "certificate-root"), root).Certificate
	_, body := bodyOf(t, document(t, "receipt-user"))
	if ref := r.Reference(); ref.Receipt != crypto.Sum(body) || ref.Head != r.Head || ref.Seq != 4712 {
		t.Errorf("%+v", ref)
	}
	if !c.Names(r) {
		t.Error("the receipt is not named")
	}
	again := *r
	again.Epoch++
	again.Time = r.Time.Add(time.Hour)
	if !c.Names(byRoot) || !c.Names(&again) {
		t.Error("the receipt of the same delete by another signer, or in a later epoch, is not named")
	}
	elsewhere, head, seq := *c, *r, *r
	elsewhere.Index[0] ^= 1
	head.Head[0] ^= 1
	seq.Seq++
	if c.Names(&head) || c.Names(&seq) || elsewhere.Names(r) || (&Certificate{Author: c.Author}).Names(r) {
		t.Error("another receipt is named, or by another certificate")
	}
}

func TestReceiptCoversExactlyItsIDs(t *testing.T) {
	w := newWorld(t)
	r := verified(t, document(t, "receipt-user"), w.root.Public()).Receipt
	for _, ids := range [][]string{{"ada", "alan", "grace"}, {"grace", "ada", "alan"}, {"ada", "ada", "grace", "alan", "ada"}} {
		if err := r.Covers(w.tokens, ids); err != nil {
			t.Errorf("%q: %v", ids, err)
		}
	}
	for _, ids := range [][]string{nil, {"ada"}, {"ada", "alan"}, {"ada", "alan", "edsger"}, {"ada", "alan", "grace", "edsger"}, {"ada", "alan", "grace "}} {
		if err := r.Covers(w.tokens, ids); !errors.Is(err, ErrOtherIDs) {
			t.Errorf("%q: %v", ids, err)
		}
	}
	if err := r.Covers(crypto.NewTokenizer(crypto.NewSecret()), w.ids); !errors.Is(err, ErrOtherIDs) {
		t.Errorf("another id key: %v", err)
	}
	other := *r
	other.Salt[31] ^= 1
	if err := other.Covers(w.tokens, w.ids); !errors.Is(err, ErrOtherIDs) {
		t.Errorf("another salt: %v", err)
	}
	other = *r
	other.Count++
	if err := other.Covers(w.tokens, w.ids); !errors.Is(err, ErrOtherIDs) {
		t.Errorf("another count: %v", err)
	}
}
