package proof

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"

	"oubliette/crypto"
)

// Author says of which index a document speaks and who signed it. Who signs does
// not fill it in: a Signer does.
type Author struct {
	Index crypto.IndexID
	Name  string // of the index, for people: what counts is the id
	Epoch uint64 // whose keys signed
	User  crypto.UserID
	// Listing is root's word for the key of User; nil where root signed.
	Listing *Listing
}

// Listing is root's signature of [crypto.ListingStatement].
type Listing struct {
	Root      crypto.Hash // KeyID of the root that signed it
	Key       crypto.VerifyKey
	Signature crypto.Signature
}

// KeyID names a key in an envelope: SHA-256 of its 32 bytes.
func KeyID(k crypto.VerifyKey) crypto.Hash { return crypto.Sum(k[:]) }

func (a *Author) head(c *coder) {
	c.hex("index", a.Index[:])
	c.string("name", &a.Name)
	if len(a.Name) > maxName {
		c.fail("name", "%d bytes, at most %d", len(a.Name), maxName)
	}
	c.number("epoch", &a.Epoch)
	if a.Epoch == 0 {
		c.fail("epoch", "0, they count from 1")
	}
	c.hex("user", a.User[:])
}

// maxName bounds a name in bytes. One byte of the store's name that is not UTF-8
// takes the three of U+FFFD.
const maxName = 3 * crypto.MaxName

// tail is the listing: an envelope in the body, so that a document is one
// envelope and its signature covers the listing that it came with.
func (a *Author) tail(c *coder) {
	root := a.User == crypto.UserID{}
	there := c.optional("listing", a.Listing != nil, func() {
		if a.Listing == nil {
			a.Listing = new(Listing)
		}
		c.key("listing")
		c.object("listing", func() { a.listing(c) })
	})
	switch {
	case root && there:
		c.fail("listing", "there, but root needs none")
	case !root && !there:
		c.failAs(ErrSigner, "listing", "none, but user %s needs one", a.User)
	}
}

func (a *Author) listing(c *coder) {
	l := a.Listing
	statement := crypto.ListingStatement(a.Index, a.Epoch, a.User, l.Key)
	c.constant("payloadType", string(crypto.DomainListing))
	c.base64("payload", &statement)
	if c.in != nil && c.err == nil {
		a.statement(c, statement)
	}
	c.signatures(&l.Root, &l.Signature)
}

// statement reads what root has signed, and holds it against the rest.
func (a *Author) statement(c *coder, text []byte) {
	var index crypto.IndexID
	var epoch uint64
	var user crypto.UserID
	in := reading(text, ErrAltered)
	in.under = c.under + "payload."
	in.object("", func() {
		in.constant("type", "listing")
		in.version()
		in.hex("index", index[:])
		in.number("epoch", &epoch)
		in.hex("user", user[:])
		in.hex("key", a.Listing.Key[:])
	})
	switch {
	case index != a.Index:
		in.failAs(ErrSigner, "index", "%s, of a document of %s", index, a.Index)
	case epoch != a.Epoch:
		in.failAs(ErrSigner, "epoch", "%d, of a document of %d", epoch, a.Epoch)
	case user != a.User:
		in.failAs(ErrSigner, "user", "%s, of a document of %s", user, a.User)
	}
	if err := in.end(); err != nil && c.err == nil {
		c.err = err
	}
}

// key is what the document has to be signed with, if root is who signs for its
// listings.
func (a *Author) key(root crypto.VerifyKey) (crypto.VerifyKey, error) {
	l := a.Listing
	if l == nil {
		return root, nil
	}
	statement := crypto.ListingStatement(a.Index, a.Epoch, a.User, l.Key)
	e := seal(crypto.DomainListing, statement, l.Root, l.Signature)
	if err := check(e, statement, root); err != nil {
		return crypto.VerifyKey{}, fmt.Errorf("listing: %w", err)
	}
	return l.Key, nil
}

// seal puts a signature that was made, as crypto makes it, into an envelope.
func seal(d crypto.Domain, body []byte, key crypto.Hash, sig crypto.Signature) *dsse.Envelope {
	return &dsse.Envelope{
		PayloadType: string(d),
		Payload:     base64.StdEncoding.EncodeToString(body),
		Signatures:  []dsse.Signature{{KeyID: key.String(), Sig: base64.StdEncoding.EncodeToString(sig[:])}},
	}
}

// printable is a name as JSON can hold it.
func printable(name string) string { return strings.ToValidUTF8(name, "\uFFFD") }
