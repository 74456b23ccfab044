package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"oubliette/crypto"
	"oubliette/proof"
)

// maxPEM is as much of a file with a public key as is read.
const maxPEM = 4 << 10

// readAll reads a small file or standard input whole.
func (a *app) readAll(ctx context.Context, name, what string, most int64) ([]byte, error) {
	in, err := a.input(ctx, name, what)
	if err != nil {
		return nil, err
	}
	defer in.close()
	b, err := io.ReadAll(io.LimitReader(in, most+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if looksLikeKey(string(b)) { // an error that quotes it would show a part of it
		return nil, fmt.Errorf("%w: %s: it holds what looks like a key, and no %s", errInput, name, what)
	}
	return b, nil
}

// readDocument reads a receipt or a certificate. Of one that is too long it answers
// enough for the error to say so.
func (a *app) readDocument(ctx context.Context, name string) ([]byte, error) {
	return a.readAll(ctx, name, "document", proof.MaxDocument)
}

// readRootKey reads root's public key of an index.
func (a *app) readRootKey(ctx context.Context, name string) (crypto.VerifyKey, error) {
	b, err := a.readAll(ctx, name, "public key", maxPEM)
	if err != nil {
		return crypto.VerifyKey{}, err
	}
	key, err := crypto.ParsePEM(b)
	if err != nil {
		return key, fmt.Errorf("%w: root's public key in %s: %w", errInput, name, err)
	}
	return key, nil
}

// refused is the error of a document that does not verify. Whoever made it, the
// exit code is the same.
func refused(name string, err error) error {
	if errors.Is(err, proof.ErrSigner) {
		err = fmt.Errorf("%w (one from before a change of root's key, or of another index, has another root)", err)
	}
	return fmt.Errorf("%s: %w: %w", name, errRefused, err)
}

// reason is one word for why a document is refused.
func reason(err error) string {
	for _, r := range []struct {
		is   error
		word string
	}{
		{proof.ErrNewer, "newer"}, {proof.ErrSigner, "signer"}, {proof.ErrForeign, "foreign"},
	} {
		if errors.Is(err, r.is) {
			return r.word
		}
	}
	return "altered"
}

// instant writes a time as documents do, "" for one that is not there.
func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// instantOr is instant for people.
func instantOr(t time.Time, never string) string {
	if t.IsZero() {
		return never
	}
	return instant(t)
}

// certificateJSON is a certificate for machines; binary values in hexadecimal.
type certificateJSON struct {
	Index       string      `json:"index_id"`
	Name        string      `json:"index"`
	Epoch       uint64      `json:"epoch"`
	User        string      `json:"user"`
	Through     uint64      `json:"through_seq"`
	Receipts    []namedJSON `json:"receipts"`
	State       string      `json:"state"` // erased or rewritten
	Time        time.Time   `json:"time"`
	Since       time.Time   `json:"since"` // from when on the next four were counted
	Rows        uint64      `json:"rows"`
	Bytes       uint64      `json:"bytes"`
	Segments    uint64      `json:"segments"`
	Unlinked    uint64      `json:"files_unlinked"`
	Applied     string      `json:"applied,omitempty"`
	Overwritten string      `json:"overwritten,omitempty"`
	Rewritten   string      `json:"rewritten,omitempty"`
	FileSystem  string      `json:"file_system"`
	NotCovered  []limitJSON `json:"not_covered"`
}

// namedJSON is a receipt that a certificate names.
type namedJSON struct {
	Seq     uint64 `json:"seq"`
	Head    string `json:"head"`
	Receipt string `json:"receipt"` // SHA-256 of its body
}

// limitJSON is what no certificate covers.
type limitJSON struct {
	Code string `json:"code"`
	Text string `json:"text"`
}

func certificateOf(c *proof.Certificate) certificateJSON {
	j := certificateJSON{
		Index: c.Index.String(), Name: c.Name, Epoch: c.Epoch, User: c.User.String(), Through: c.Through,
		Receipts: []namedJSON{}, State: string(c.State), Time: c.Time.UTC(), Since: c.Since.UTC(),
		Rows: c.Rows, Bytes: c.Bytes, Segments: c.Segments, Unlinked: c.Unlinked,
		Applied: instant(c.Applied), Overwritten: instant(c.Overwritten), Rewritten: instant(c.RewrittenAt),
		FileSystem: c.FileSystem,
	}
	for _, r := range c.Receipts {
		j.Receipts = append(j.Receipts, namedJSON{r.Seq, r.Head.String(), r.Receipt.String()})
	}
	for _, l := range proof.NotCovered() {
		j.NotCovered = append(j.NotCovered, limitJSON(l))
	}
	return j
}

// certificate adds what a certificate says.
func (p *page) certificate(c *proof.Certificate) {
	p.line("index", "%s (id %s)", formatID(c.Name), c.Index)
	p.line(string(c.State), "every delete up to sequence number %d", c.Through)
	for _, r := range c.Receipts {
		p.line("  receipt", "of delete %d, log head %s", r.Seq, r.Head)
	}
	p.line("since", "%s", instant(c.Since))
	p.line("  rows", "%s found, %s overwritten, in %s", count(c.Rows, "row"), count(c.Bytes, "byte"), count(c.Segments, "segment"))
	p.line("  removed", "%s, destroyed before", count(c.Unlinked, "segment file"))
	p.line("  applied", "%s", instantOr(c.Applied, "nothing was there to apply"))
	p.line("  overwritten", "%s", instantOr(c.Overwritten, "nothing was there to overwrite"))
	p.line("  rewritten", "%s", instantOr(c.RewrittenAt, "no: keyed tokens and sizes stay in the segments, sealed"))
	p.line("file system", "%s", c.FileSystem)
	p.line("time", "%s, by %s, epoch %d", instant(c.Time), c.User, c.Epoch)
}

// notCovered adds what no certificate covers.
func (p *page) notCovered() {
	label := "not covered"
	for _, l := range proof.NotCovered() {
		p.line(label, "%s: %s", l.Code, l.Text)
		label = ""
	}
}
