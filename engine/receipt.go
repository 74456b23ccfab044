package engine

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"time"

	"oubliette/crypto"
	"oubliette/proof"
	"oubliette/tombstone"
)

// Receipt says what a Delete covers. A call without ids has the zero Receipt. It is
// a value: [Index.SignReceipt] makes a document of it that others can check, and
// [proof.VerifyReceipt] gives it back from one.
type Receipt = proof.Receipt

// receipt is what is said of a delete of these tokens, before its place in the log
// is known.
func (c *call) receipt(sorted []crypto.Token) Receipt {
	r := Receipt{
		Author: c.ring.author(c.cat.record), Time: c.now(), Session: c.log.Session(), Count: len(sorted),
	}
	rand.Read(r.Salt[:]) // never fails: crypto/rand ends the process instead
	r.Digest = tombstone.Digest(r.Salt, sorted)
	return r
}

// now is the time of documents: in UTC, without the monotonic clock.
func (s *state) now() time.Time { return s.db.opts.Now().UTC().Round(0) }

// SignReceipt makes a document of a receipt: a DSSE envelope that anybody can check
// who has root's public key ([Index.RootKey]), with [proof.Verify], "oubliette
// verify" or any DSSE tool. docs/format/proof.md has its fields. A signature costs
// some 23 µs, which is why Delete does not make one.
//
// It signs what Delete has answered to the caller, as it was (else ErrPermission:
// Receipt.Mark shows that), and what this store still holds; root at any time until
// RotateKey, a user until root begins another epoch, which gives it another signing
// key.
func (ix *Index) SignReceipt(ctx context.Context, r Receipt, opts ...OpOption) ([]byte, error) {
	c, err := ix.begin(ctx, opts, crypto.PermWrite)
	if err != nil {
		return nil, err
	}
	defer c.leave()
	if _, err := c.vouchFor(r); err != nil {
		return nil, err
	}
	if mark := c.ring.signer.Mark(r.Marked()); r.User != c.ring.user || subtle.ConstantTimeCompare(mark[:], r.Mark[:]) != 1 {
		return nil, fmt.Errorf("index %q: receipt of user %s, which is not as the keys of user %s have made one: %w", c.cat.name, r.User, c.ring.user, ErrPermission)
	}
	s, err := c.ring.documents(c.cat.record)
	if err != nil {
		return nil, fmt.Errorf("index %q: %w", c.cat.name, err)
	}
	return s.Receipt(&r)
}

// vouchFor is status for what is to be signed: what is not known is not vouched
// for.
func (c *call) vouchFor(r Receipt) (reached, error) {
	if err := c.mine(r); err != nil {
		return reached{}, err
	}
	st, err := c.status(r)
	if err == nil && st.State == Unknown {
		err = fmt.Errorf("index %q: delete %d: %w", c.cat.name, r.Seq, ErrNotKnown)
	}
	return st, err
}

// RootKey is root's public key, which checks every document of the index, of this
// epoch and of those before it since the last RotateKey. It is held against the
// caller's key: root derives it, a user has seen it. Who checks documents has to
// get it from somebody with a key, not from the documents.
func (ix *Index) RootKey(ctx context.Context, opts ...OpOption) (crypto.VerifyKey, error) {
	c, err := ix.begin(ctx, opts, 0)
	if err != nil {
		return crypto.VerifyKey{}, err
	}
	defer c.leave()
	return c.cat.record.Root, nil
}
