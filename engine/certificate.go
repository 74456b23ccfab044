package engine

import (
	"context"
	"errors"
	"fmt"

	"oubliette/crypto"
	"oubliette/proof"
)

// Certificate says what has been erased.
type Certificate struct {
	proof.Certificate
	// Document is it, signed: a DSSE envelope, as of [Index.SignReceipt]. nil where
	// nothing is certified, and Uncertified says why: the file system is one that
	// keeps what is overwritten.
	Document    []byte
	Uncertified string
}

// Certify answers a certificate for one delete, whose bytes have been overwritten
// (else ErrNotErased). It says what Status says, signed by the caller, who has to
// have a writer's key. It names the receipt by the delete's place in the log, and
// vouches for nothing else that the receipt says. Once Options.KeepStatus has passed there are no figures to
// sign: ErrNotKnown.
func (ix *Index) Certify(ctx context.Context, r Receipt, opts ...OpOption) (Certificate, error) {
	c, err := ix.begin(ctx, opts, crypto.PermWrite)
	if err != nil {
		return Certificate{}, err
	}
	defer c.leave()
	st, err := c.vouchFor(r)
	switch {
	case err != nil:
		return Certificate{}, err
	case st.State != Erased:
		return Certificate{}, fmt.Errorf("index %q: delete %d waits for %s: %w", c.cat.name, r.Seq, st.Wait, errors.Join(ErrNotErased, st.Err))
	case !st.Counted:
		return Certificate{}, fmt.Errorf("index %q: what delete %d has found: %w", c.cat.name, r.Seq, ErrNotKnown)
	}
	cert := proof.Certificate{
		Through: r.Seq, Receipts: []proof.Reference{r.Reference()}, State: proof.Erased,
		Since: st.AppliedAt, Rows: uint64(st.Rows), Bytes: st.Bytes, Segments: uint64(st.segments), Unlinked: uint64(st.gone),
		Applied: st.AppliedAt, Overwritten: st.ErasedAt,
	}
	if st.Rewritten {
		cert.State, cert.RewrittenAt = proof.Rewritten, st.RewrittenAt
	}
	return c.certify(cert)
}

// certificate is of all that is erased, up to through; rewritten: the segments that
// held it are rewritten, too. Maintenance calls it.
func (c *call) certificate(rewritten bool, through uint64) (Certificate, error) {
	c.mu.RLock()
	cert := proof.Certificate{
		Through: min(c.mu.erased, through), State: proof.Erased, Since: c.since,
		Rows: c.mu.counts.Died, Bytes: c.mu.counts.BytesErased, Segments: uint64(len(c.mu.overwrittenIn)), Unlinked: c.mu.counts.Unlinked,
		Applied: c.mu.appliedAt, Overwritten: c.mu.erasedAt,
	}
	c.mu.RUnlock()
	if rewritten {
		cert.State, cert.RewrittenAt = proof.Rewritten, c.now()
	}
	return c.certify(cert)
}

// certify signs, where an overwrite reaches what it overwrites.
func (c *call) certify(cert proof.Certificate) (Certificate, error) {
	cert.Author, cert.Time, cert.FileSystem = c.ring.author(c.cat.record), c.now(), c.db.disk.Name
	if keeps := c.db.disk.Keeps; keeps != "" {
		return Certificate{Certificate: cert, Uncertified: fmt.Sprintf("file system %s: %s", c.db.disk.Name, keeps)}, nil
	}
	s, err := c.ring.documents(c.cat.record)
	if err != nil {
		return Certificate{Certificate: cert}, fmt.Errorf("index %q: certificate: %w", c.cat.name, err)
	}
	doc, err := s.Certificate(&cert)
	if err != nil {
		return Certificate{Certificate: cert}, fmt.Errorf("index %q: certificate: %w", c.cat.name, err)
	}
	return Certificate{Certificate: cert, Document: doc}, nil
}
