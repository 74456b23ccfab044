package tombstone

import (
	"errors"
	"fmt"

	"oubliette/crypto"
	"oubliette/internal/codec"
	"oubliette/internal/fault"
)

const (
	// MaxTokens is how many tokens one record holds at most: the ids of one
	// delete.
	MaxTokens = 1_000_000

	recordVersion = 1 // of a delete's record, and of an expiry's
	headerSize    = 6 // version, flags, count
	tokenSize     = len(crypto.Token{})
)

// RecordSize is the size in bytes of the record of n tokens.
func RecordSize(n int) int { return headerSize + n*tokenSize }

// AppendRecord appends the record of sorted to dst. There are 1 to [MaxTokens]
// tokens, strictly ascending as [Sort] leaves them.
//
// It panics when they are not: the record would be acknowledged and then
// refused at the next opening, and the delete lost. Callers bound their input
// before they come here.
func AppendRecord(dst []byte, sorted []crypto.Token) []byte {
	if err := checkTokens(sorted); err != nil {
		panic("tombstone: record to write: " + err.Error())
	}
	e := codec.Encoder{B: dst}
	e.U8(recordVersion)
	e.U8(0)
	e.U32(uint32(len(sorted)))
	for i := range sorted {
		e.Raw(sorted[i][:])
	}
	return e.B
}

// DecodeRecord reads a record that is the whole of b. The tokens are a copy, 1
// to [MaxTokens] of them, strictly ascending. It allocates no more than the
// length of b.
//
// A version above 1 is a [fault.ErrNewer]; every other error says what is wrong
// and where, and it is for the caller to name the record.
func DecodeRecord(b []byte) ([]crypto.Token, error) {
	d := codec.NewDecoder(b)
	n := decodeHeader(d, tokenSize)
	if d.Err() != nil {
		return nil, fmt.Errorf("tombstone record: %w", d.Err())
	}
	tokens := make([]crypto.Token, n)
	for i := range tokens {
		d.Copy(tokens[i][:])
	}
	if err := d.Done(); err != nil {
		return nil, fmt.Errorf("tombstone record: %w", err)
	}
	if err := checkTokens(tokens); err != nil {
		return nil, fmt.Errorf("tombstone record: %w", err)
	}
	return tokens, nil
}

// decodeHeader reads what stands before the tokens, of a delete's or an expiry's
// record, and answers their number, which the input is long enough for: a token, and
// what belongs to it, takes size bytes.
func decodeHeader(d *codec.Decoder, size int) int {
	switch version := d.U8(); {
	case version > recordVersion:
		d.Fail("version %d, %d is the highest known: %w", version, recordVersion, fault.ErrNewer)
	case version < recordVersion:
		d.Fail("version %d does not exist", version)
	}
	if flags := d.U8(); flags != 0 {
		d.Fail("flags %#02x at offset 1, none are known", flags)
	}
	n := d.Count(size)
	if n > MaxTokens {
		d.Fail("%d tokens, at most %d allowed", n, MaxTokens)
	}
	return n
}

// checkTokens is what holds of every record's tokens, looked at when it is
// written and when it is read.
func checkTokens(tokens []crypto.Token) error {
	if len(tokens) == 0 {
		return errors.New("no tokens")
	}
	if len(tokens) > MaxTokens {
		return fmt.Errorf("%d tokens, at most %d allowed", len(tokens), MaxTokens)
	}
	if i := firstDisorder(tokens); i > 0 {
		if tokens[i] == tokens[i-1] {
			return fmt.Errorf("token %d at offset %d repeats the one before", i, RecordSize(i))
		}
		return fmt.Errorf("token %d at offset %d is below the one before", i, RecordSize(i))
	}
	return nil
}
