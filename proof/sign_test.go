package proof

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"

	"oubliette/crypto"
)

func TestSignerIsRootOrAListedWriter(t *testing.T) {
	w := newWorld(t)
	seed := crypto.NewSecret()
	for what, key := range map[string]*crypto.Signer{
		"a reader":                crypto.NewSigner(w.record.Users[1].User, seed),
		"a stranger":              crypto.NewSigner(crypto.UserID{0x33}, seed),
		"another key of a writer": crypto.NewSigner(w.writer.User(), seed),
		"another key of root":     crypto.NewSigner(crypto.UserID{}, seed),
	} {
		if s, err := NewSigner(key, w.record); !errors.Is(err, ErrSigner) || s != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	w.record.Users[2].Listing[7] ^= 1
	if s, err := NewSigner(w.writer, w.record); !errors.Is(err, ErrAltered) || s != nil {
		t.Errorf("a listing that does not verify: %v", err)
	}
}

func TestNobodyElseSigns(t *testing.T) {
	w := newWorld(t)
	root := w.root.Public()
	stranger := crypto.NewSigner(w.writer.User(), crypto.NewSecret())
	for name, key := range w.documents() {
		doc := document(t, name)
		d, body := bodyOf(t, doc)
		refused(t, name+" under another root", doc, stranger.Public(), ErrSigner)
		refused(t, name+" under no key", doc, crypto.VerifyKey{}, ErrSigner)
		refused(t, name+" under a key of small order", doc, crypto.VerifyKey{1}, ErrSigner)
		refused(t, name+" by a stranger", resign(t, stranger, d, body), root, ErrSigner)
		other := w.root
		if key == w.root {
			other = w.writer
		}
		refused(t, name+" by the other one", resign(t, other, d, body), root, ErrSigner)
		sig := stranger.Sign(d, body)
		lying, err := json.Marshal(seal(d, body, KeyID(key.Public()), sig))
		if err != nil {
			t.Fatal(err)
		}
		refused(t, name+" by a stranger who names the key", lying, root, ErrAltered)
	}
}

// A signature that was made for one kind of statement is none for another, with
// whatever type the envelope names.
func TestSignaturesOfOtherDomainsAreRefused(t *testing.T) {
	w := newWorld(t)
	for name, key := range w.documents() {
		d, body := bodyOf(t, document(t, name))
		for _, other := range []crypto.Domain{
			crypto.DomainEpoch, crypto.DomainGroup, crypto.DomainManifest, crypto.DomainFooter, crypto.DomainSuccession,
			crypto.DomainOutcome, crypto.DomainGone, crypto.DomainListing, crypto.DomainReceipt, crypto.DomainCertificate, "",
		} {
			if other == d {
				continue
			}
			for _, kind := range []crypto.Domain{d, other} {
				doc, err := json.Marshal(seal(kind, body, KeyID(key.Public()), key.Sign(other, body)))
				if err != nil {
					t.Fatal(err)
				}
				if got, err := Verify(doc, w.root.Public()); err == nil || got != (Document{}) {
					t.Errorf("%s: signed as %q is taken as %q", name, other, kind)
				}
			}
		}
	}
}

// forged is a receipt with a listing of somebody's choice, well signed by the
// writer.
func (w *world) forged(t *testing.T, change func(*Author)) []byte {
	t.Helper()
	r := w.receipt(t)
	r.Author = w.signer(t, w.writer).author
	l := *r.Listing
	r.Listing = &l
	change(&r.Author)
	c := writing()
	r.fields(c)
	if err := c.end(); err != nil {
		t.Fatal(err)
	}
	return resign(t, w.writer, crypto.DomainReceipt, c.out)
}

// list makes root sign a listing.
func (w *world) list(index crypto.IndexID, epoch uint64, user crypto.UserID, key crypto.VerifyKey) (statement []byte, sig crypto.Signature) {
	statement = crypto.ListingStatement(index, epoch, user, key)
	return statement, w.root.Sign(crypto.DomainListing, statement)
}

// Root's listing is of one index, epoch, user and key.
func TestListingsOfOthersAreRefused(t *testing.T) {
	w := newWorld(t)
	root, stranger := w.root.Public(), crypto.NewSigner(w.writer.User(), crypto.NewSecret())
	index, epoch, user, key := w.record.Index, w.record.Epoch, w.writer.User(), w.writer.Public()
	elsewhere, somebody := index, user
	elsewhere[0] ^= 1
	somebody[0] ^= 1
	for what, listed := range map[string]func() ([]byte, crypto.Signature){
		"index": func() ([]byte, crypto.Signature) { return w.list(elsewhere, epoch, user, key) },
		"epoch": func() ([]byte, crypto.Signature) { return w.list(index, epoch+1, user, key) },
		"user":  func() ([]byte, crypto.Signature) { return w.list(index, epoch, somebody, key) },
	} {
		statement, sig := listed()
		doc := w.withListing(t, statement, KeyID(root), sig)
		refused(t, "a listing of another "+what, doc, root, ErrSigner)
		if _, err := Verify(doc, root); !strings.HasPrefix(err.Error(), "receipt: listing.payload."+what+": ") {
			t.Errorf("another %s: %v", what, err)
		}
	}
	_, sig := w.list(index, epoch, user, key)
	refused(t, "a listing whose signature does not fit", w.forged(t, func(a *Author) { a.Listing.Signature[0] ^= 1 }), root, ErrAltered)
	verified(t, w.forged(t, func(a *Author) { a.Listing.Signature = sig }), root)
	statement, sig := w.list(index, epoch, user, stranger.Public())
	refused(t, "a listing of another key", w.withListing(t, statement, KeyID(root), sig), root, ErrSigner)
	statement, sig = w.list(index, epoch, user, crypto.VerifyKey{1})
	refused(t, "a listing of a key of small order", w.withListing(t, statement, KeyID(root), sig), root, ErrSigner)

	good := crypto.ListingStatement(index, epoch, user, key)
	refused(t, "signed by the writer", w.withListing(t, good, KeyID(key), w.writer.Sign(crypto.DomainListing, good)), root, ErrSigner)
	refused(t, "signed by the writer as root", w.withListing(t, good, KeyID(root), w.writer.Sign(crypto.DomainListing, good)), root, ErrAltered)
	refused(t, "root's signature of a receipt", w.withListing(t, good, KeyID(root), w.root.Sign(crypto.DomainReceipt, good)), root, ErrAltered)
	wide := bytes.Replace(good, []byte(`,"epoch"`), []byte(`, "epoch"`), 1)
	refused(t, "a listing in another form", w.withListing(t, wide, KeyID(root), w.root.Sign(crypto.DomainListing, wide)), root, ErrAltered)

	moved := w.forged(t, func(a *Author) { a.Epoch++ })
	_, body := bodyOf(t, moved)
	if !bytes.Contains(body, []byte(`"epoch":3`)) {
		t.Fatal("the epoch was not moved")
	}
	refused(t, "a listing that is signed for another epoch", moved, root, ErrAltered)
	_, mine := bodyOf(t, document(t, "receipt-user"))
	cut := mine[:bytes.Index(mine, []byte(`,"listing":`))]
	unlisted := append(bytes.Clone(cut), `,"listing":null}`...)
	refused(t, "no listing", resign(t, w.writer, crypto.DomainReceipt, unlisted), root, ErrSigner)
	refused(t, "root in a user's name", resign(t, w.root, crypto.DomainReceipt, unlisted), root, ErrSigner)
	asRoot := bytes.Replace(mine, fmt.Appendf(nil, `"user":"%x"`, user[:]), fmt.Appendf(nil, `"user":"%032x"`, 0), 1)
	refused(t, "a user in root's name", resign(t, w.writer, crypto.DomainReceipt, asRoot), root, ErrSigner)
}

// Root needs no listing, and one that root has made for itself is none.
func TestRootIsNotListed(t *testing.T) {
	w := newWorld(t)
	statement, sig := w.list(w.record.Index, w.record.Epoch, crypto.UserID{}, w.root.Public())
	listing, err := json.Marshal(seal(crypto.DomainListing, statement, KeyID(w.root.Public()), sig))
	if err != nil {
		t.Fatal(err)
	}
	_, body := bodyOf(t, document(t, "receipt-root"))
	text := bytes.Replace(body, []byte(`"listing":null`), fmt.Appendf(nil, `"listing":%s`, listing), 1)
	refused(t, "root with a listing", resign(t, w.root, crypto.DomainReceipt, text), w.root.Public(), ErrAltered)
}

// What is signed under a key of small order fits many messages: nobody vouches
// for it, also where root lists the key and the envelope names it.
func TestAListedKeyOfSmallOrderSignsNothing(t *testing.T) {
	w := newWorld(t)
	weak := crypto.VerifyKey{1}
	statement, sig := w.list(w.record.Index, w.record.Epoch, w.writer.User(), weak)
	d, body := bodyOf(t, w.withListing(t, statement, KeyID(w.root.Public()), sig))
	forged, err := json.Marshal(seal(d, body, KeyID(weak), crypto.Signature{1})) // R is the neutral point, S is 0
	if err != nil {
		t.Fatal(err)
	}
	refused(t, "a key of small order", forged, w.root.Public(), ErrSigner)
}

// The adaptor vouches for nothing but the body that it was made for.
func TestVerifierTakesItsOwnBodyAlone(t *testing.T) {
	w := newWorld(t)
	d, body := crypto.DomainReceipt, []byte("body")
	sig := w.root.Sign(d, body)
	v := &verifier{w.root.Public(), d, body}
	if err := v.Verify(t.Context(), dsse.PAE(string(d), body), sig[:]); err != nil {
		t.Error(err)
	}
	for what, c := range map[string]struct{ data, sig []byte }{
		"another body":      {dsse.PAE(string(d), []byte("bodY")), sig[:]},
		"another type":      {dsse.PAE(string(crypto.DomainCertificate), body), sig[:]},
		"the bare body":     {body, sig[:]},
		"a short signature": {dsse.PAE(string(d), body), sig[:63]},
		"a long signature":  {dsse.PAE(string(d), body), append(sig[:], 0)},
	} {
		if err := v.Verify(t.Context(), c.data, c.sig); err == nil {
			t.Errorf("%s is taken", what)
		}
	}
}

// withListing puts any statement into the writer's receipt in the place of its
// listing, and lets the writer sign that.
func (w *world) withListing(t *testing.T, statement []byte, key crypto.Hash, sig crypto.Signature) []byte {
	t.Helper()
	_, body := bodyOf(t, document(t, "receipt-user"))
	listing, err := json.Marshal(seal(crypto.DomainListing, statement, key, sig))
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(body, []byte(`,"listing":`))
	text := fmt.Appendf(bytes.Clone(body[:at]), `,"listing":%s}`, listing)
	return resign(t, w.writer, crypto.DomainReceipt, text)
}

func TestWhatIsUnfitIsNotSigned(t *testing.T) {
	w := newWorld(t)
	s := w.signer(t, w.writer)
	for want, change := range map[string]func(*Receipt){
		"sequence: 0":                     func(r *Receipt) { r.Seq = 0 },
		"sequence: 9007199254740992, at ": func(r *Receipt) { r.Seq = 1 << 53 },
		"group: 0":                        func(r *Receipt) { r.Group = 0 },
		"count: 0":                        func(r *Receipt) { r.Count = 0 },
		"count: 1000001":                  func(r *Receipt) { r.Count = 1_000_001 },
		"time: no time":                   func(r *Receipt) { r.Time = time.Time{} },
		"time: no":                        func(r *Receipt) { r.Time = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) },
	} {
		r := w.receipt(t)
		change(r)
		if doc, err := s.Receipt(r); err == nil || !strings.HasPrefix(err.Error(), want) || doc != nil {
			t.Errorf("%v, want %q", err, want)
		}
	}
	for want, change := range map[string]func(*Certificate){
		"state: ":                  func(c *Certificate) { c.State = "" },
		"rewritten: ":              func(c *Certificate) { c.State = Rewritten },
		"rewritten: does not go":   func(c *Certificate) { c.RewrittenAt = c.Time },
		"overwritten: null":        func(c *Certificate) { c.Overwritten = time.Time{} },
		"since: no time":           func(c *Certificate) { c.Since = time.Time{} },
		"file_system: \"\"":        func(c *Certificate) { c.FileSystem = "" },
		"file_system: \"unknown ":  func(c *Certificate) { c.FileSystem = "unknown (1234)" },
		"file_system: btrfs":       func(c *Certificate) { c.FileSystem = "btrfs" },
		"receipts[0].sequence: 47": func(c *Certificate) { c.Receipts = []Reference{{Seq: 4713}} },
		"receipts[0].sequence: 0":  func(c *Certificate) { c.Receipts = []Reference{{}} },
		"receipts[1].sequence: 5":  func(c *Certificate) { c.Receipts = []Reference{{Seq: 5}, {Seq: 5}} },
		"receipts: more than 100":  func(c *Certificate) { c.Receipts = make([]Reference, 101); number(c.Receipts) },
	} {
		c := w.certificate(t)
		change(c)
		if doc, err := s.Certificate(c); err == nil || !strings.HasPrefix(err.Error(), want) || doc != nil {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func number(refs []Reference) {
	for i := range refs {
		refs[i].Seq = uint64(i + 1)
	}
}

func TestFileSystemsWithoutANameAreSigned(t *testing.T) {
	w := newWorld(t)
	for _, kind := range []string{"ext4", "unknown", "unknown (0x9123683e)", "fuse.gocryptfs"} {
		c := w.certificate(t)
		c.FileSystem = kind
		doc, err := w.signer(t, w.writer).Certificate(c)
		if err != nil {
			t.Errorf("%s: %v", kind, err)
			continue
		}
		if back := verified(t, doc, w.root.Public()).Certificate; back.FileSystem != kind {
			t.Errorf("%s: %s", kind, back.FileSystem)
		}
	}
}

// The largest document that the limits allow is within MaxDocument.
func TestTheLargestDocumentFits(t *testing.T) {
	w := newWorld(t)
	w.record.Name = strings.Repeat("\x01", crypto.MaxName) // \u0001: six bytes each
	s := w.signer(t, w.writer)
	c := w.rewritten(t)
	c.Receipts = make([]Reference, MaxReceipts)
	for i := range c.Receipts {
		c.Receipts[i] = Reference{Seq: maxNumber - MaxReceipts + uint64(i)}
	}
	c.Through, c.Rows, c.Bytes, c.Segments, c.Unlinked = maxNumber, maxNumber, maxNumber, maxNumber, maxNumber
	c.FileSystem = strings.Repeat("x", 32) + " (0xffffffffffffffff)"
	doc, err := s.Certificate(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes", len(doc))
	verified(t, doc, w.root.Public())
}

func TestNamesOfAllKindsAreReadable(t *testing.T) {
	w := newWorld(t)
	for name, want := range map[string]string{
		"<a> & \"b\" \\ \u2028 \U0001F5DD": "<a> & \"b\" \\ \u2028 \U0001F5DD", "a\xffb\xc0\x00": "a\uFFFDb\uFFFD\x00",
		strings.Repeat("\xff", crypto.MaxName): "\uFFFD", strings.Repeat("\xffx", 127): strings.Repeat("\uFFFDx", 127),
	} {
		w.record.Name = name
		doc, err := w.signer(t, w.writer).Receipt(w.receipt(t))
		if err != nil {
			t.Errorf("%q: %v", name, err)
			continue
		}
		if r, err := VerifyReceipt(doc, w.root.Public()); err != nil || r.Name != want {
			t.Errorf("%q: %q, %v", name, r.Name, err)
		}
	}
}

// A time of another zone, and with a monotonic reading, is the same instant.
func TestTimesAreUTC(t *testing.T) {
	w := newWorld(t)
	r := w.receipt(t)
	r.Time = time.Now().In(time.FixedZone("", 3600))
	doc, err := w.signer(t, w.writer).Receipt(r)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := VerifyReceipt(doc, w.root.Public()); err != nil || !got.Time.Equal(r.Time) || got.Time.Location() != time.UTC {
		t.Errorf("%v, %v, want %v", got.Time, err, r.Time)
	}
}

// The library's own type reads the documents, and its own encoding is ours.
func TestDocumentsAreEnvelopesOfTheLibrary(t *testing.T) {
	w := newWorld(t)
	for name := range w.documents() {
		doc := document(t, name)
		e := unmarshal[dsse.Envelope](t, doc)
		body, err := e.DecodeB64Payload()
		if err != nil {
			t.Fatal(err)
		}
		if again, err := json.Marshal(e); err != nil || !bytes.Equal(again, doc) {
			t.Errorf("%s encodes to\n%s, %v", name, again, err)
		}
		if !bytes.Equal(dsse.PAE(e.PayloadType, body), crypto.PAE(crypto.Domain(e.PayloadType), body)) {
			t.Errorf("%s: two encodings to sign", name)
		}
	}
}
