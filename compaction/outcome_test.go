package compaction

import (
	"bytes"
	"encoding/binary"
	"errors"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"oubliette/crypto"
	"oubliette/internal/fault"
)

func outcome() *Outcome {
	return &Outcome{
		Index: index, Epoch: 3, Kind: OutcomeFound, Time: time.UnixMilli(1_700_000_000_123).UTC(), Version: 12, Through: 900, Whole: true,
		Segments: []crypto.SegmentID{{1}, {2}},
		Calls:    []Call{{7, 1, 1, 4000}, {8, 3, 0, 0}, {900, 1_000_000, 999_999, 1 << 40}},
	}
}

func TestOutcomeReadsBack(t *testing.T) {
	signer, writer := clerk()
	rapid.Check(t, func(t *rapid.T) {
		o := outcome()
		o.Version = rapid.Uint64().Draw(t, "version")
		o.Time = time.UnixMilli(rapid.Int64Range(0, 1<<45).Draw(t, "time")).UTC()
		o.Whole = rapid.Bool().Draw(t, "whole")
		o.Calls = []Call{}
		seq := uint64(0)
		for range rapid.IntRange(0, 5).Draw(t, "calls") {
			seq += rapid.Uint64Range(1, 1<<40).Draw(t, "step")
			asked := rapid.Uint32().Draw(t, "ids")
			o.Through = seq
			o.Calls = append(o.Calls, Call{seq, asked, rapid.Uint32Range(0, asked).Draw(t, "rows"), rapid.Uint64().Draw(t, "bytes")})
		}
		o.Segments = []crypto.SegmentID{}
		for _, c := range o.Calls {
			if c.Rows > 0 {
				o.Segments = []crypto.SegmentID{{1}}
			}
		}
		got, err := DecodeOutcome(o.Sign(signer), index, writer)
		if err != nil || !reflect.DeepEqual(got, o) {
			t.Fatalf("%+v, %v, want %+v", got, err, o)
		}
		for _, c := range o.Calls {
			if again, ok := got.Call(c.Seq); !ok || again != c {
				t.Fatalf("call %d: %v, %v", c.Seq, again, ok)
			}
			if _, ok := got.Call(c.Seq - 1); ok && c.Seq > 1 && !hasCall(o.Calls, c.Seq-1) {
				t.Fatalf("call %d is not there", c.Seq-1)
			}
		}
	})
}

func hasCall(calls []Call, seq uint64) bool {
	for _, c := range calls {
		if c.Seq == seq {
			return true
		}
	}
	return false
}

func TestEveryAlteredOutcomeIsRefused(t *testing.T) {
	signer, writer := clerk()
	whole := outcome().Sign(signer)
	for i := range whole {
		for _, bit := range []byte{1, 0x80} {
			b := bytes.Clone(whole)
			b[i] ^= bit
			want := fault.ErrDamaged
			if i < 8 {
				want = fault.ErrForeign
			} else if i < 10 && !(i == 8 && bit == 1) {
				want = fault.ErrNewer
			}
			if o, err := DecodeOutcome(b, index, writer); o != nil || !errors.Is(err, want) || errorsNamed(err) != 1 {
				t.Errorf("byte %d: %v, want %v alone", i, err, want)
			}
		}
	}
	for n := range whole {
		if _, err := DecodeOutcome(whole[:n], index, writer); err == nil {
			t.Errorf("%d of %d bytes are taken", n, len(whole))
		}
	}
	stranger := crypto.NewSigner(crypto.UserID{8}, crypto.NewSecret())
	if _, err := DecodeOutcome(outcome().Sign(stranger), index, writer); !errors.Is(err, fault.ErrDamaged) {
		t.Errorf("a stranger's: %v", err)
	}
	if _, err := DecodeOutcome(whole, crypto.IndexID{}, writer); !errors.Is(err, fault.ErrDamaged) {
		t.Errorf("asked for another index: %v", err)
	}
}

// TestOutcomesOutOfBoundsAreRefused: they are signed well, by a writer whose program
// is at fault.
func TestOutcomesOutOfBoundsAreRefused(t *testing.T) {
	signer, writer := clerk()
	for name, spoil := range map[string]func(*Outcome){
		"kind 0":                func(o *Outcome) { o.Kind = 0 },
		"kind 4":                func(o *Outcome) { o.Kind = 4 },
		"rows of no segment":    func(o *Outcome) { o.Segments = nil },
		"segments of no row":    func(o *Outcome) { o.Calls = o.Calls[1:2] },
		"a call behind the end": func(o *Outcome) { o.Through = 899 },
		"moved, with calls":     func(o *Outcome) { o.Kind = OutcomeMoved },
		"moved nothing":         func(o *Outcome) { *o = Outcome{Index: index, Epoch: 3, Kind: OutcomeMoved} },
		"found a segment":       func(o *Outcome) { o.Segment[0] = 1 },
		"more rows than ids":    func(o *Outcome) { o.Calls[0].Rows = 2 },
		"a call twice":          func(o *Outcome) { o.Calls[1].Seq = 7 },
		"calls out of order":    func(o *Outcome) { o.Calls[1].Seq = 6 },
		"sequence number 0":     func(o *Outcome) { o.Calls[0].Seq = 0 },
		"numbers that overflow": func(o *Outcome) { o.Calls[0].Seq = 1<<64 - 1; o.Calls[1].Seq = 3 },
	} {
		o := outcome()
		spoil(o)
		if _, err := DecodeOutcome(o.Sign(signer), index, writer); !errors.Is(err, fault.ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCountsOfOutcomesAreHeldAgainstTheBytes(t *testing.T) {
	signer, writer := clerk()
	whole := outcome().Sign(signer)
	segments := 8 + 2 + 16 + 8 + 1 + 8 + 8 + 8 + 16 + 1
	for _, at := range []int{segments, segments + 4 + 2*16} {
		if n := binary.LittleEndian.Uint32(whole[at:]); n != 2 && n != 3 {
			t.Fatalf("no count at %d", at)
		}
		b := bytes.Clone(whole)
		binary.LittleEndian.PutUint32(b[at:], 1<<32-1)
		allocated := testing.AllocsPerRun(1, func() {
			if _, err := DecodeOutcome(b, index, writer); !errors.Is(err, fault.ErrDamaged) {
				t.Errorf("count at %d: %v", at, err)
			}
		})
		if allocated > 100 {
			t.Errorf("count at %d: %v allocations", at, allocated)
		}
	}
}
