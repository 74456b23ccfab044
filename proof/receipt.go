package proof

import (
	"crypto/subtle"
	"fmt"
	"time"

	"oubliette/crypto"
	"oubliette/internal/codec"
	"oubliette/tombstone"
)

// Receipt is what the signer of a delete says of it.
type Receipt struct {
	Author
	Time    time.Time        // when it was made, by the signer's clock
	Session crypto.SessionID // the run of the log
	Seq     uint64           // the delete's sequence number in the index
	Group   uint64           // number of the log's group with the delete in it
	Head    crypto.Hash      // of the log's chain behind that group
	Count   int              // distinct ids, known to the index or not
	Salt    [32]byte
	Digest  crypto.Hash // tombstone.Digest of Salt and the ids' tokens

	// Mark is that by which who made the delete knows the receipt again before it
	// signs it (crypto.Signer.Mark). It does not stand in the document.
	Mark [16]byte
}

// Marked is what a Mark covers: every field that a document has, but who signed it
// in which epoch.
func (r *Receipt) Marked() []byte {
	e := codec.Encoder{B: make([]byte, 0, 224)}
	e.Raw(r.Index[:])
	e.Raw(r.User[:])
	e.Raw(r.Session[:])
	e.U64(r.Seq)
	e.U64(r.Group)
	e.Raw(r.Head[:])
	e.U64(uint64(r.Time.Unix()))
	e.U32(uint32(r.Time.Nanosecond()))
	e.U64(uint64(r.Count))
	e.Raw(r.Salt[:])
	e.Raw(r.Digest[:])
	return e.B
}

func (r *Receipt) fields(c *coder) {
	n := uint64(r.Count)
	c.object("", func() {
		c.constant("type", "receipt")
		c.version()
		r.head(c)
		c.time("time", &r.Time)
		c.hex("session", r.Session[:])
		c.number("sequence", &r.Seq)
		c.number("group", &r.Group)
		c.hex("head", r.Head[:])
		c.number("count", &n)
		c.hex("salt", r.Salt[:])
		c.hex("digest", r.Digest[:])
		r.tail(c)
	})
	switch {
	case r.Seq == 0:
		c.fail("sequence", "0, they count from 1")
	case r.Group == 0:
		c.fail("group", "0, they count from 1")
	case n == 0 || n > tombstone.MaxTokens:
		c.fail("count", "%d, not from 1 to %d", n, tombstone.MaxTokens)
	}
	r.Count = int(n) // a count that is refused is not used
}

// Covers answers nil when the receipt is of exactly these ids, in whatever order
// and however often each stands there, and ErrOtherIDs when it is not. It takes
// the index's id key, which makes the tokens: to who has not got it, a receipt
// says nothing of ids.
func (r *Receipt) Covers(t *crypto.Tokenizer, ids []string) error {
	tokens := tombstone.Sort(t.Tokens(ids))
	digest := tombstone.Digest(r.Salt, tokens)
	if subtle.ConstantTimeCompare(digest[:], r.Digest[:]) != 1 || len(tokens) != r.Count {
		return fmt.Errorf("%d distinct ids, a receipt of %d: %w", len(tokens), r.Count, ErrOtherIDs)
	}
	return nil
}

// Reference is how a certificate names the receipt.
func (r *Receipt) Reference() Reference {
	c := writing()
	r.fields(c)
	return Reference{Seq: r.Seq, Head: r.Head, Receipt: crypto.Sum(c.out)}
}
