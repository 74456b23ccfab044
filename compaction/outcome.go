package compaction

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"time"

	"oubliette/crypto"
	"oubliette/internal/codec"
	"oubliette/internal/fault"
)

// OutcomeKind tells outcomes apart.
type OutcomeKind uint8

// The kinds of outcomes.
const (
	// OutcomeFound: deletes have been applied; what each of them has found.
	OutcomeFound OutcomeKind = 1
	// OutcomeErased: what was applied up to there has been overwritten and synced.
	OutcomeErased OutcomeKind = 2
	// OutcomeMoved: a segment has gone; its living rows stand under fresh keys.
	OutcomeMoved OutcomeKind = 3
)

// Outcome is a writer's signed note of what has become of deletes, kept for those
// who ask. It says nothing of ids, not even sealed. What is read and erased does not
// depend on it: what is dead stands in dead records, how far the store has come in
// the manifest.
type Outcome struct {
	Index crypto.IndexID
	Epoch uint64
	Kind  OutcomeKind
	Time  time.Time // in milliseconds, by the writer's clock

	// Version is the number of the manifest that it was committed with. With kind,
	// Through and Segment it makes the key under which it stands.
	Version uint64

	Through uint64           // OutcomeFound, OutcomeErased: the last sequence number it covers
	Segment crypto.SegmentID // OutcomeMoved

	// Of OutcomeFound. Not whole: a segment could not be looked through, and another
	// outcome adds to this one.
	Whole    bool
	Segments []crypto.SegmentID // with rows that deletes have found
	Calls    []Call             // by Seq

	User      crypto.UserID // who signed
	Signature crypto.Signature
}

// Call is what one delete has found.
type Call struct {
	Seq   uint64
	Asked uint32 // distinct ids
	Rows  uint32 // living items among them, at its moment
	Bytes uint64 // of their rows, sealed
}

const (
	outcomeMagic   = "OUBLOUT\x00"
	outcomeVersion = 1
	// minCall is the least that a call takes: four numbers of a byte.
	minCall = 4
)

// Sign encodes the outcome under the signer's name.
func (o *Outcome) Sign(s *crypto.Signer) []byte {
	o.User = s.User()
	var e codec.Encoder
	e.Raw([]byte(outcomeMagic))
	e.U16(outcomeVersion)
	e.Raw(o.Index[:])
	e.U64(o.Epoch)
	e.U8(uint8(o.Kind))
	e.U64(uint64(o.Time.UnixMilli()))
	e.U64(o.Version)
	e.U64(o.Through)
	e.Raw(o.Segment[:])
	e.U8(flag(o.Whole))
	e.U32(uint32(len(o.Segments)))
	for i := range o.Segments {
		e.Raw(o.Segments[i][:])
	}
	e.U32(uint32(len(o.Calls)))
	e.B = appendCalls(e.B, o.Calls)
	e.Raw(o.User[:])
	o.Signature = s.Sign(crypto.DomainOutcome, e.B)
	e.Raw(o.Signature[:])
	return e.B
}

func flag(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}

// appendCalls lays calls out: the distance to the sequence number before, ids,
// rows and bytes, each as a variable-length integer (LEB128). A delete of one id
// takes five or six bytes.
func appendCalls(b []byte, calls []Call) []byte {
	last := uint64(0)
	for _, c := range calls {
		b = binary.AppendUvarint(b, c.Seq-last)
		b = binary.AppendUvarint(b, uint64(c.Asked))
		b = binary.AppendUvarint(b, uint64(c.Rows))
		b = binary.AppendUvarint(b, c.Bytes)
		last = c.Seq
	}
	return b
}

// DecodeOutcome reads an outcome and checks that it is index's and signed by one
// whom writer lists for its epoch. It allocates no more than six times as many
// bytes as b has.
func DecodeOutcome(b []byte, index crypto.IndexID, writer func(crypto.UserID, uint64) (crypto.VerifyKey, bool)) (*Outcome, error) {
	d := codec.NewDecoder(b)
	if !bytes.Equal(d.Raw(len(outcomeMagic)), []byte(outcomeMagic)) {
		return nil, fmt.Errorf("outcome: %w", fault.ErrForeign)
	}
	if err := checkVersion(d, "outcome", outcomeVersion); err != nil {
		return nil, err
	}
	o := new(Outcome)
	o.decode(d)
	end := d.Offset()
	d.Copy(o.Signature[:])
	if err := d.Done(); err != nil {
		return nil, fmt.Errorf("outcome: %w: %w", fault.ErrDamaged, err)
	}
	key, ok := writer(o.User, o.Epoch)
	if o.Index != index || !ok || !key.Verify(crypto.DomainOutcome, b[:end], o.Signature) {
		return nil, fmt.Errorf("outcome: not signed by a writer of this index: %w", fault.ErrDamaged)
	}
	return o, nil
}

func (o *Outcome) decode(d *codec.Decoder) {
	d.Copy(o.Index[:])
	o.Epoch = d.U64()
	o.Kind = OutcomeKind(d.U8())
	o.Time = time.UnixMilli(int64(d.U64())).UTC()
	o.Version = d.U64()
	o.Through = d.U64()
	d.Copy(o.Segment[:])
	whole := d.U8()
	o.Whole = whole == 1
	if d.Err() == nil && (o.Kind < OutcomeFound || o.Kind > OutcomeMoved || whole > 1) {
		d.Fail("kind %d, whole %d", o.Kind, whole)
	}
	o.Segments = make([]crypto.SegmentID, d.Count(16))
	for i := range o.Segments {
		d.Copy(o.Segments[i][:])
	}
	o.Calls = decodeCalls(d)
	if d.Err() == nil {
		o.check(d)
	}
	d.Copy(o.User[:])
}

// check holds figures against each other.
func (o *Outcome) check(d *codec.Decoder) {
	rows := false
	for i := range o.Calls {
		rows = rows || o.Calls[i].Rows > 0
	}
	switch n := len(o.Calls); {
	case n > 0 && o.Calls[n-1].Seq > o.Through:
		d.Fail("call %d behind %d, through which it is", o.Calls[n-1].Seq, o.Through)
	case rows != (len(o.Segments) > 0):
		d.Fail("rows found: %v, in %d segments", rows, len(o.Segments))
	case o.Kind != OutcomeFound && n+len(o.Segments) > 0, (o.Kind == OutcomeMoved) != (o.Segment != crypto.SegmentID{}):
		d.Fail("kind %d with %d calls, %d segments, segment %s", o.Kind, n, len(o.Segments), o.Segment)
	}
}

// decodeCalls refuses numbers in more bytes than they need, sequence numbers that
// do not ascend, and more rows than ids.
func decodeCalls(d *codec.Decoder) []Call {
	out := make([]Call, d.Count(minCall))
	last := uint64(0)
	for i := range out {
		step, asked, rows := d.Uvarint(), d.Uvarint(), d.Uvarint()
		c := Call{Seq: last + step, Asked: uint32(asked), Rows: uint32(rows), Bytes: d.Uvarint()}
		if d.Err() == nil && (step == 0 || c.Seq < last || asked > math.MaxUint32 || rows > asked) {
			d.Fail("call %d: number %d behind %d, %d rows of %d ids", i, c.Seq, last, rows, asked)
		}
		if d.Err() != nil {
			return nil
		}
		out[i], last = c, c.Seq
	}
	return out
}

// Call answers what the call of that number has found by this outcome.
func (o *Outcome) Call(seq uint64) (Call, bool) {
	i, ok := slices.BinarySearchFunc(o.Calls, seq, func(c Call, seq uint64) int {
		switch {
		case c.Seq < seq:
			return -1
		case c.Seq > seq:
			return 1
		}
		return 0
	})
	if !ok {
		return Call{}, false
	}
	return o.Calls[i], true
}
