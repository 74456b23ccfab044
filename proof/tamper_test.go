package proof

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"oubliette/crypto"
)

// Whatever is changed in a body, the signature does not fit any more.
func TestEveryChangeOfABodyIsRefused(t *testing.T) {
	w := newWorld(t)
	for name := range w.documents() {
		doc := document(t, name)
		e, err := open(doc)
		if err != nil {
			t.Fatal(err)
		}
		all := mutants(t, e.body)
		for _, m := range all {
			changed, err := json.Marshal(seal(e.domain, m.text, e.key, e.sig))
			if err != nil {
				t.Fatal(err)
			}
			if d, err := Verify(changed, w.root.Public()); err == nil || d != (Document{}) {
				t.Errorf("%s: %s is taken", name, m.what)
			}
		}
		t.Logf("%s: %d changes", name, len(all))
	}
}

// Whoever signs it: a text in another form is refused at the field, and what is
// taken is the text that was signed.
func TestABodyHasOneFormWhoeverSignsIt(t *testing.T) {
	w := newWorld(t)
	for name, key := range w.documents() {
		domain, body := bodyOf(t, document(t, name))
		shapes, values := 0, 0
		for _, m := range mutants(t, body) {
			d, err := Verify(resign(t, key, domain, m.text), w.root.Public())
			if m.shape {
				shapes++
				if !errors.Is(err, ErrAltered) && !errors.Is(err, ErrSigner) || d != (Document{}) {
					t.Errorf("%s: %s is taken, or %v", name, m.what, err)
				}
			} else if err == nil {
				values++
				if !bytes.Equal(encoded(d), m.text) {
					t.Errorf("%s: %s is taken for\n%s", name, m.what, encoded(d))
				}
			}
		}
		if shapes < 100 || values < 10 {
			t.Errorf("%s: %d wrong forms tried, %d other values taken", name, shapes, values)
		}
	}
}

// Each change of the envelope is refused; nothing in it is free.
func TestEveryChangeOfAnEnvelopeIsRefused(t *testing.T) {
	w := newWorld(t)
	for name := range w.documents() {
		doc := document(t, name)
		white := 0
		for _, m := range mutants(t, doc) {
			d, err := Verify(m.text, w.root.Public())
			if c := new(bytes.Buffer); json.Compact(c, m.text) == nil && bytes.Equal(c.Bytes(), doc) {
				white++ // white space alone: the same document
				if err != nil || !bytes.Equal(encoded(d), encoded(verified(t, doc, w.root.Public()))) {
					t.Errorf("%s: %s: %v", name, m.what, err)
				}
				continue
			}
			if err == nil || d != (Document{}) {
				t.Errorf("%s: %s is taken", name, m.what)
			}
		}
		if white == 0 {
			t.Error("no white space was tried")
		}
	}
}

// Of one document every bit, of the others one of each byte.
func TestEveryFlippedBitOfADocumentIsRefused(t *testing.T) {
	w := newWorld(t)
	for name := range w.documents() {
		doc := document(t, name)
		for i := range 8 * len(doc) {
			at, bit := i/8, i%8
			if name != "receipt-root" && bit != at%8 {
				continue
			}
			c := bytes.Clone(doc)
			c[at] ^= 1 << bit
			if d, err := Verify(c, w.root.Public()); err == nil || d != (Document{}) {
				t.Errorf("%s: bit %d of byte %d flipped is taken", name, bit, at)
			}
		}
	}
}

func TestEveryCutOfADocumentIsRefused(t *testing.T) {
	w := newWorld(t)
	doc := document(t, "receipt-user")
	for n := range doc {
		if d, err := Verify(doc[:n], w.root.Public()); err == nil || d != (Document{}) {
			t.Errorf("the first %d bytes are taken", n)
		}
	}
}

func TestIndentedDocumentsAreTheSame(t *testing.T) {
	w := newWorld(t)
	for name := range w.documents() {
		var indented bytes.Buffer
		if err := json.Indent(&indented, file(t, "testdata", name+".json"), "\t", "  "); err != nil {
			t.Fatal(err)
		}
		d := verified(t, indented.Bytes(), w.root.Public())
		if _, body := bodyOf(t, document(t, name)); !bytes.Equal(encoded(d), body) {
			t.Errorf("%s: another body", name)
		}
	}
}

func TestWhatIsRefusedIsNamed(t *testing.T) {
	w := newWorld(t)
	domain, body := bodyOf(t, document(t, "receipt-user"))
	certDomain, cert := bodyOf(t, document(t, "certificate-root"))
	_, userCert := bodyOf(t, document(t, "certificate-user"))
	_, rootBody := bodyOf(t, document(t, "receipt-root"))
	for _, c := range []struct{ from, old, new, want string }{
		{string(body), `"sequence":4712`, `"sequence":0`, "receipt: sequence: 0"},
		{string(body), `"sequence":4712`, `"sequence":4712.0`, "receipt: sequence: 4712.0 is no whole number"},
		{string(body), `"sequence":4712`, `"sequence":-4712`, "receipt: sequence: -4712 is no whole number"},
		{string(body), `"sequence":4712`, `"sequence":9007199254740992`, "receipt: sequence: 9007199254740992, at most 9007199254740991"},
		{string(body), `"sequence":4712`, `"sequence":"4712"`, "receipt: sequence: 4712 is no whole number"},
		{string(body), `"sequence":4712`, `"sequence":4712,"sequence":4712`, "receipt: group: sequence stands in its place"},
		{string(body), `"sequence":4712,`, ``, "receipt: sequence: group stands in its place"},
		{string(body), `"group":18`, `"group": 18`, "receipt: group: not in its one form"},
		{string(body), `"group":18`, `"group":0`, "receipt: group: 0"},
		{string(body), `"count":3`, `"count":1000001`, "receipt: count: 1000001, not from 1 to 1000000"},
		{string(body), `"epoch":2`, `"epoch":0`, "receipt: epoch: 0"},
		{string(body), `"version":1`, `"version":2`, "receipt: version: 2, not 1"},
		{string(body), `"type":"receipt"`, `"type":"certificate"`, `receipt: type: "certificate", not "receipt"`},
		{string(body), `.25Z`, `.250Z`, "receipt: time: not in its one form"},
		{string(body), `.25Z`, `.25+00:00`, "receipt: time: not in its one form"},
		{string(body), `2026-03-01T09:30:00.25Z`, `0001-01-01T00:00:00Z`, "receipt: time: no time"},
		{string(body), `2026-03`, `2026-13`, "receipt: time: parsing time"},
		{string(body), `"name":"letters"`, `"name":"\u006cetters"`, "receipt: name: not in its one form"},
		{string(body), `"name":"letters"`, `"name":"` + strings.Repeat("x", maxName+1) + `"`, "receipt: name: 766 bytes, at most 765"},
		{string(body), `"head":"`, `"head":"0`, "receipt: head: 65 characters, not 64"},
		{string(body), `"session":"606162`, `"session":"60616z`, "receipt: session: encoding/hex: invalid byte"},
		{string(body), `"session":"606162636465666768696a`, `"session":"606162636465666768696A`, "receipt: session: not in its one form"},
		{string(body), `,"listing":{`, `,"more":1,"listing":{`, "receipt: listing: more stands in its place"},
		{string(body), `"listing":{"payloadType":"`, `"listing":{"payloadType":"x`, "receipt: listing.payloadType: "},
		{string(body), `]}}`, `]},"more":1}`, "receipt: more: no field of the text"},
		{string(body), `]}}`, `],"more":1}}`, "receipt: more: no field of listing"},
		{string(body), `]}}`, `]}}x`, "receipt: the end: 1 bytes behind it"},
		{string(body), `"listing":{`, `"listing":[{`, "receipt: listing: "},
		{string(rootBody), `"listing":null`, `"listing":{}`, "receipt: listing.payloadType: } stands in its place"},
		{string(cert), `"state":"rewritten"`, `"state":"gone"`, `certificate: state: "gone" is none`},
		{string(cert), `"state":"rewritten"`, `"state":"erased"`, `certificate: rewritten: does not go with state "erased"`},
		{string(cert), `"rewritten":"2026-03-01T09:30:11Z"`, `"rewritten":null`, `certificate: rewritten: does not go with state "rewritten"`},
		{string(cert), `"overwritten":"2026-03-01T09:30:05.125Z"`, `"overwritten":null`, "certificate: overwritten: null, with 12834 bytes"},
		{string(cert), `"since":"2026-03-01T09:00:00Z"`, `"since":null`, "certificate: since: <nil> is no string"},
		{string(cert), `"ext4"`, `"zfs"`, "certificate: file_system: zfs does not overwrite in place"},
		{string(cert), `"ext4"`, `"EXT4"`, `certificate: file_system: "EXT4" is no kind`},
		{string(cert), `"through":4712`, `"through":4711`, "certificate: receipts[0].sequence: 4712, not from 1 through 4711"},
		{string(cert), `{"code":"memory-images"`, `{"code":"memory"`, `certificate: not_covered[2].code: "memory", not "memory-images"`},
		{string(cert), `"Swap,`, `"Swap`, "certificate: not_covered[2].text: "},
		{string(cert), `"receipts":[{`, `"receipts":[1,{`, "certificate: receipts[0]: 1 instead of {"},
		{string(userCert), `"receipts":[]`, `"receipts":null`, "certificate: receipts: <nil> instead of ["},
	} {
		if !strings.Contains(c.from, c.old) {
			t.Fatalf("no %s", c.old)
		}
		text := []byte(strings.Replace(c.from, c.old, c.new, 1))
		key, d := w.writer, domain
		if c.from == string(rootBody) || c.from == string(cert) {
			key = w.root
		}
		if c.from == string(cert) || c.from == string(userCert) {
			d = certDomain
		}
		_, err := Verify(resign(t, key, d, text), w.root.Public())
		if !errors.Is(err, ErrAltered) || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s for %s: %v, want %q", c.new, c.old, err, c.want)
		}
	}
}

func TestEnvelopesOfNoDocumentAreForeign(t *testing.T) {
	w := newWorld(t)
	doc := string(document(t, "receipt-root"))
	with := func(kind string) string { return strings.Replace(doc, string(crypto.DomainReceipt), kind, 1) }
	for what, c := range map[string]struct {
		doc  string
		want error
	}{
		"nothing":             {"", ErrForeign},
		"no JSON":             {"receipt", ErrForeign},
		"two documents":       {doc + doc, ErrForeign},
		"a list":              {"[" + doc + "]", ErrForeign},
		"no object":           {"null", ErrForeign},
		"a receipt's body":    {string(encoded(verified(t, []byte(doc), w.root.Public()))), ErrForeign},
		"in-toto's type":      {with("application/vnd.in-toto+json"), ErrForeign},
		"an epoch record's":   {with(string(crypto.DomainEpoch)), ErrForeign},
		"a listing's":         {with(string(crypto.DomainListing)), ErrForeign},
		"upper case":          {with("Application/vnd.oubliette.receipt.v1+json"), ErrForeign},
		"version 0":           {with("application/vnd.oubliette.receipt.v0+json"), ErrForeign},
		"version 02":          {with("application/vnd.oubliette.receipt.v02+json"), ErrForeign},
		"version x":           {with("application/vnd.oubliette.receipt.vx+json"), ErrForeign},
		"version 2":           {with("application/vnd.oubliette.receipt.v2+json"), ErrNewer},
		"certificate 17":      {with("application/vnd.oubliette.certificate.v17+json"), ErrNewer},
		"another kind":        {with("application/vnd.oubliette.certificate.v1+json"), ErrAltered},
		"as large as it gets": {doc + strings.Repeat(" ", MaxDocument+1-len(doc)), ErrForeign},
	} {
		refused(t, what, []byte(c.doc), w.root.Public(), c.want)
	}
	verified(t, []byte(doc+strings.Repeat(" ", MaxDocument-len(doc))), w.root.Public())
	_, err := Verify(make([]byte, MaxDocument+1), w.root.Public())
	if want := fmt.Sprintf("document of %d bytes, at most %d", MaxDocument+1, MaxDocument); err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%v", err)
	}
}
