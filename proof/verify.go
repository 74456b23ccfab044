package proof

import (
	"fmt"

	"oubliette/crypto"
)

// Document is a document that verified: one of the two is there.
type Document struct {
	Receipt     *Receipt
	Certificate *Certificate
}

// Verify checks a document of either kind with root's public key of the index,
// which the caller has from elsewhere. What it answers is what root, or a user
// whom root lists as a writer of the epoch, has signed.
//
// Nothing in a document vouches for root's key: a document that carries its own
// key proves nothing.
func Verify(doc []byte, root crypto.VerifyKey) (Document, error) {
	e, err := open(doc)
	if err != nil {
		return Document{}, err
	}
	if e.domain == crypto.DomainReceipt {
		r := new(Receipt)
		if err := e.verify(root, &r.Author, r.fields); err != nil {
			return Document{}, fmt.Errorf("receipt: %w", err)
		}
		return Document{Receipt: r}, nil
	}
	c := new(Certificate)
	if err := e.verify(root, &c.Author, c.fields); err != nil {
		return Document{}, fmt.Errorf("certificate: %w", err)
	}
	return Document{Certificate: c}, nil
}

// verify reads the body, which says whose key it takes, and then checks the
// signature. Until that, the body is anybody's: it is small, and only a form that
// we write gets through.
func (e *envelope) verify(root crypto.VerifyKey, a *Author, fields func(*coder)) error {
	c := reading(e.body, ErrAltered)
	fields(c)
	if err := c.end(); err != nil {
		return err
	}
	key, err := a.key(root)
	if err != nil {
		return err
	}
	return check(seal(e.domain, e.body, e.key, e.sig), e.body, key)
}

// VerifyReceipt is Verify where a receipt is asked for.
func VerifyReceipt(doc []byte, root crypto.VerifyKey) (Receipt, error) {
	d, err := Verify(doc, root)
	if err == nil && d.Receipt == nil {
		err = fmt.Errorf("a certificate, no receipt: %w", ErrForeign)
	}
	if err != nil {
		return Receipt{}, err
	}
	return *d.Receipt, nil
}

// VerifyCertificate is Verify where a certificate is asked for.
func VerifyCertificate(doc []byte, root crypto.VerifyKey) (Certificate, error) {
	d, err := Verify(doc, root)
	if err == nil && d.Certificate == nil {
		err = fmt.Errorf("a receipt, no certificate: %w", ErrForeign)
	}
	if err != nil {
		return Certificate{}, err
	}
	return *d.Certificate, nil
}
