package tombstone

import (
	"errors"
	"fmt"

	"oubliette/crypto"
	"oubliette/internal/codec"
)

// pairSize is a token and a sequence number.
const pairSize = tokenSize + 8

// ExpirySize is the size in bytes of the expiry record of n tokens.
func ExpirySize(n int) int { return headerSize + n*pairSize }

// AppendExpiry appends to dst the record of rows whose time has come: of each
// token those numbered below Seq. Unlike a delete's, each token has a number of
// its own, so that what has been upserted again since it was found expired is not
// deleted. There are 1 to [MaxTokens] of them, their tokens strictly ascending, no
// number 0.
//
// It panics when they are not: the record would be acknowledged and then refused
// at the next opening.
func AppendExpiry(dst []byte, sorted []Tombstone) []byte {
	if err := checkExpiry(sorted); err != nil {
		panic("tombstone: expiry record to write: " + err.Error())
	}
	e := codec.Encoder{B: dst}
	e.U8(recordVersion)
	e.U8(0)
	e.U32(uint32(len(sorted)))
	for i := range sorted {
		e.Raw(sorted[i].Token[:])
		e.U64(sorted[i].Seq)
	}
	return e.B
}

// DecodeExpiry reads an expiry record that is the whole of b and was written under
// the sequence number seq: no number in it is above that, lest it delete what
// comes. It allocates no more than twice the length of b, and answers errors as
// [DecodeRecord] does.
func DecodeExpiry(b []byte, seq uint64) ([]Tombstone, error) {
	d := codec.NewDecoder(b)
	n := decodeHeader(d, pairSize)
	if d.Err() != nil {
		return nil, fmt.Errorf("expiry record: %w", d.Err())
	}
	out := make([]Tombstone, n)
	for i := range out {
		d.Copy(out[i].Token[:])
		out[i].Seq = d.U64()
		if out[i].Seq > seq {
			d.Fail("token %d at offset %d expires below %d, the record is numbered %d", i, ExpirySize(i), out[i].Seq, seq)
		}
	}
	err := d.Done()
	if err == nil {
		err = checkExpiry(out)
	}
	if err != nil {
		return nil, fmt.Errorf("expiry record: %w", err)
	}
	return out, nil
}

// checkExpiry is what holds of every expiry record, looked at when it is written
// and when it is read.
func checkExpiry(pairs []Tombstone) error {
	if len(pairs) == 0 {
		return errors.New("no tokens")
	}
	if len(pairs) > MaxTokens {
		return fmt.Errorf("%d tokens, at most %d allowed", len(pairs), MaxTokens)
	}
	var last *crypto.Token
	for i := range pairs {
		p := &pairs[i]
		switch {
		case p.Seq == 0:
			return fmt.Errorf("token %d at offset %d expires below 0", i, ExpirySize(i))
		case last != nil && p.Token == *last:
			return fmt.Errorf("token %d at offset %d repeats the one before", i, ExpirySize(i))
		case last != nil && less(&p.Token, last):
			return fmt.Errorf("token %d at offset %d is below the one before", i, ExpirySize(i))
		}
		last = &p.Token
	}
	return nil
}
