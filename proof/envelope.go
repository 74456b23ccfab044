package proof

import (
	"bytes"
	"context"
	stdcrypto "crypto"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"

	"oubliette/crypto"
)

// MaxDocument is the size of the largest document in bytes; a longer one is
// refused before anything of it is looked at.
const MaxDocument = 64 << 10

// envelope is a DSSE envelope with one signature, taken apart.
type envelope struct {
	domain crypto.Domain
	body   []byte
	key    crypto.Hash // KeyID, as it says
	sig    crypto.Signature
}

// signatures is a list of the one signature that an envelope of ours has.
func (c *coder) signatures(key *crypto.Hash, sig *crypto.Signature) {
	c.list("signatures", 1, 1, 1, func(_ int, name string) {
		c.object(name, func() {
			c.hex("keyid", key[:])
			b := sig[:]
			c.base64("sig", &b)
			if len(b) != len(sig) {
				c.fail("sig", "%d bytes, not %d", len(b), len(sig))
				return
			}
			copy(sig[:], b)
		})
	})
}

// open takes an envelope apart. White space between its parts does not matter:
// tools that pass envelopes on indent them.
func open(doc []byte) (*envelope, error) {
	if len(doc) > MaxDocument {
		return nil, fmt.Errorf("document of %d bytes, at most %d: %w", len(doc), MaxDocument, ErrForeign)
	}
	var text bytes.Buffer
	if err := json.Compact(&text, doc); err != nil {
		return nil, fmt.Errorf("%w: not JSON: %w", ErrForeign, err)
	}
	var e envelope
	var kind string
	var kindErr error
	c := reading(text.Bytes(), ErrAltered)
	c.object("", func() {
		c.string("payloadType", &kind)
		e.domain, kindErr = domainOf(kind)
		c.base64("payload", &e.body)
		c.signatures(&e.key, &e.sig)
	})
	err := c.end()
	if kindErr != nil {
		return nil, kindErr // the rest is not ours to judge
	}
	if err != nil {
		return nil, err
	}
	return &e, nil
}

// domainOf tells what a payload type names.
func domainOf(kind string) (crypto.Domain, error) {
	for _, d := range []crypto.Domain{crypto.DomainReceipt, crypto.DomainCertificate} {
		if kind == string(d) {
			return d, nil
		}
		name := strings.TrimSuffix(string(d), "1+json")
		digits := strings.TrimSuffix(strings.TrimPrefix(kind, name), "+json")
		if v, err := strconv.Atoi(digits); err == nil && v > 1 && kind == name+strconv.Itoa(v)+"+json" {
			return "", fmt.Errorf("payloadType: %q: %w", kind, ErrNewer)
		}
	}
	return "", fmt.Errorf("payloadType: %q: %w", kind, ErrForeign)
}

// check verifies an envelope's signature of body under one key.
func check(e *dsse.Envelope, body []byte, key crypto.VerifyKey) error {
	if key.Weak() {
		return fmt.Errorf("public key of small order, which anybody signs for: %w", ErrSigner)
	}
	if id := e.Signatures[0].KeyID; id != KeyID(key).String() {
		return fmt.Errorf("signatures[0].keyid: key %s, not %s: %w", id, KeyID(key), ErrSigner)
	}
	v, err := dsse.NewEnvelopeVerifier(&verifier{key, crypto.Domain(e.PayloadType), body})
	if err == nil {
		_, err = v.Verify(context.Background(), e)
	}
	if err != nil {
		return fmt.Errorf("signatures[0].sig: does not fit: %w", ErrAltered)
	}
	return nil
}

// verifier lets the DSSE library verify with a key of ours.
type verifier struct {
	key    crypto.VerifyKey
	domain crypto.Domain
	body   []byte
}

var errDoesNotFit = errors.New("signature does not fit")

// Verify verifies sig of data, which the library has encoded. The key verifies
// what crypto encodes of the same type and body: so both have to agree, and no
// signature is looked at outside of a domain.
func (v *verifier) Verify(_ context.Context, data, sig []byte) error {
	if len(sig) != len(crypto.Signature{}) || !bytes.Equal(data, crypto.PAE(v.domain, v.body)) ||
		!v.key.Verify(v.domain, v.body, crypto.Signature(sig)) {
		return errDoesNotFit
	}
	return nil
}

// KeyID names the key.
func (v *verifier) KeyID() (string, error) { return KeyID(v.key).String(), nil }

// Public is the key.
func (v *verifier) Public() stdcrypto.PublicKey { return v.key }
