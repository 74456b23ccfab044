package proof

import (
	"encoding/json"
	"fmt"

	"oubliette/crypto"
)

// Signer makes documents out in the name of one principal, in one epoch of one
// index. It is safe for concurrent use.
type Signer struct {
	key    *crypto.Signer
	author Author
}

// NewSigner makes documents out with the key of root, or of a user whom the
// record lists as a writer with that key. It does not keep the record; the key
// stays the caller's, who wipes it.
func NewSigner(key *crypto.Signer, record *crypto.EpochRecord) (*Signer, error) {
	user := key.User()
	if listed, ok := record.Writer(user); !ok || listed != key.Public() {
		return nil, fmt.Errorf("user %s, epoch %d of index %s: %w", user, record.Epoch, record.Index, ErrSigner)
	}
	a := Author{Index: record.Index, Name: printable(record.Name), Epoch: record.Epoch, User: user}
	if user != (crypto.UserID{}) {
		_, sig, _ := record.Listing(user)
		a.Listing = &Listing{Root: KeyID(record.Root), Key: key.Public(), Signature: sig}
		if _, err := a.key(record.Root); err != nil {
			return nil, fmt.Errorf("user %s, epoch %d of index %s: %w", user, record.Epoch, record.Index, err)
		}
	}
	return &Signer{key: key, author: a}, nil
}

// Author is in whose name it signs.
func (s *Signer) Author() Author { return s.author }

// Receipt fills in the author and signs. An error names the field that cannot be
// signed as it is.
func (s *Signer) Receipt(r *Receipt) ([]byte, error) {
	r.Author = s.author
	return s.sign(crypto.DomainReceipt, r.fields)
}

// Certificate fills in the author and signs, as Receipt does.
func (s *Signer) Certificate(c *Certificate) ([]byte, error) {
	c.Author = s.author
	return s.sign(crypto.DomainCertificate, c.fields)
}

func (s *Signer) sign(d crypto.Domain, fields func(*coder)) ([]byte, error) {
	c := writing()
	fields(c)
	if err := c.end(); err != nil {
		return nil, err
	}
	doc, err := json.Marshal(seal(d, c.out, KeyID(s.key.Public()), s.key.Sign(d, c.out)))
	if err != nil {
		return nil, err
	}
	if len(doc) > MaxDocument {
		return nil, fmt.Errorf("document of %d bytes, at most %d: %w", len(doc), MaxDocument, errUnfit)
	}
	return doc, nil
}
