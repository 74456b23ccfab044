package compaction

import (
	"bytes"
	"testing"

	"oubliette/crypto"
	"oubliette/internal/codec"
	"oubliette/internal/corpus"
)

// FuzzDecodeManifest takes any signature, so that what is behind it is reached:
// whatever decodes encodes to the same bytes.
func FuzzDecodeManifest(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := DecodeManifest(b, index, func(crypto.UserID, uint64) (crypto.VerifyKey, bool) { return crypto.VerifyKey{}, true }); err == nil {
			t.Fatal("taken without a signature")
		}
		d := codec.NewDecoder(b)
		if d.Raw(10); d.Err() != nil {
			return
		}
		m := new(Manifest)
		if corpus.Bound(t, len(b), 4, func() { m.decode(d) }); d.Err() != nil {
			return
		}
		var e codec.Encoder
		m.append(&e)
		if !bytes.Equal(e.B[10:], b[10:d.Offset()]) {
			t.Fatalf("encodes to\n%x from\n%x", e.B[10:], b[10:d.Offset()])
		}
	})
}

// FuzzDecodeOutcome signs what comes, so that what is behind the signature is
// reached: whatever decodes encodes to the same bytes.
func FuzzDecodeOutcome(f *testing.F) {
	signer, writer := clerk()
	f.Fuzz(func(t *testing.T, body []byte) {
		sig := signer.Sign(crypto.DomainOutcome, body)
		b := append(bytes.Clone(body), sig[:]...)
		var o *Outcome
		var err error
		corpus.Bound(t, len(b), 8, func() { o, err = DecodeOutcome(b, index, writer) })
		if err != nil {
			return
		}
		if again := o.Sign(signer); !bytes.Equal(again, b) && o.User == signer.User() {
			t.Fatalf("%x encodes as %x", b, again)
		}
	})
}

// FuzzDecodeDead: no record panics, and what decodes reads back as itself.
func FuzzDecodeDead(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		var d *Dead
		var err error
		corpus.Bound(t, len(b), 16, func() { d, err = DecodeDead(b, index, seg) })
		if err == nil {
			checkDead(t, d)
		} else if n := errorsNamed(err); n != 1 {
			t.Fatalf("%v names %d causes", err, n)
		}
	})
}

// TestSeeds holds the corpora in testdata against the formats of today.
func TestSeeds(t *testing.T) {
	corpus.Hold(t, "FuzzDecodeManifest", manifestSeeds(t), func(s corpus.Seed) error {
		signer := fixedSigner(t)
		_, err := DecodeManifest(s.Bytes(0), index, func(crypto.UserID, uint64) (crypto.VerifyKey, bool) { return signer.Public(), true })
		return err
	})
	corpus.Hold(t, "FuzzDecodeOutcome", outcomeSeeds(t), func(s corpus.Seed) error {
		signer, writer := clerk()
		sig := signer.Sign(crypto.DomainOutcome, s.Bytes(0))
		_, err := DecodeOutcome(append(bytes.Clone(s.Bytes(0)), sig[:]...), index, writer)
		return err
	})
	corpus.Hold(t, "FuzzDecodeDead", deadSeeds(), func(s corpus.Seed) error {
		_, err := DecodeDead(s.Bytes(0), index, seg)
		return err
	})
}

// fixedSigner signs alike each time.
func fixedSigner(t testing.TB) *crypto.Signer {
	seed, err := crypto.SecretFromBytes(count(make([]byte, 32), 1))
	if err != nil {
		t.Fatal(err)
	}
	return crypto.NewSigner(crypto.UserID{7}, seed)
}

// cutAndLonger are near misses of what is taken.
func cutAndLonger(name string, b []byte) []corpus.Seed {
	return []corpus.Seed{corpus.Hostile(name+"-cut", b[:len(b)-1]), corpus.Hostile(name+"-longer", append(bytes.Clone(b), 0))}
}

func manifestSeeds(t testing.TB) []corpus.Seed {
	signer := fixedSigner(t)
	whole := manifest().Sign(signer)
	ahead := manifest()
	ahead.Erased = ahead.Applied.Seq + 1
	sessions := 8 + 2 + 16 + 8 + 8 + 4 + 2*88 + 8
	bomb := bytes.Clone(whole)
	copy(bomb[sessions:], []byte{0xFF, 0xFF, 0xFF, 0x0F})
	return append(cutAndLonger("whole", whole),
		corpus.Valid("whole", whole), corpus.Valid("empty", (&Manifest{Index: index}).Sign(signer)),
		corpus.Hostile("magic", []byte(manifestMagic)), corpus.Hostile("erased-ahead", ahead.Sign(signer)), corpus.Hostile("length-bomb", bomb))
}

func outcomeSeeds(t testing.TB) []corpus.Seed {
	signer := fixedSigner(t)
	body := func(o *Outcome) []byte {
		b := o.Sign(signer)
		return b[:len(b)-len(crypto.Signature{})]
	}
	whole := body(outcome())
	bomb := bytes.Clone(whole)
	copy(bomb[8+2+16+8+1+8+8+8+16+1:], []byte{0xFF, 0xFF, 0xFF, 0xFF})
	behind := outcome()
	behind.Through = 8
	return append(cutAndLonger("found", whole),
		corpus.Valid("found", whole), corpus.Valid("erased", body(&Outcome{Index: index, Epoch: 3, Kind: OutcomeErased, Through: 5})),
		corpus.Valid("moved", body(&Outcome{Index: index, Epoch: 3, Kind: OutcomeMoved, Segment: crypto.SegmentID{9}})),
		corpus.Hostile("empty", []byte{}), corpus.Hostile("length-bomb", bomb), corpus.Hostile("call-behind", body(behind)))
}

func deadSeeds() (out []corpus.Seed) {
	h := honest()
	whole := h.encode()
	out = append(cutAndLonger("whole", whole), corpus.Valid("whole", whole))
	h.count = 1 << 30
	out = append(out, corpus.Hostile("length-bomb", h.encode()))
	h = honest()
	h.entries = 0
	for name, rows := range map[string][]byte{"runs": withRuns(0, 8, 5, 3, 20, 3), "array": plain(1, 2, 9)} {
		h.rows = rows
		out = append(out, corpus.Valid(name, h.encode()))
	}
	for name, rows := range map[string][]byte{"miscounted": miscounted(), "no-rows": nil} {
		h.rows = rows
		out = append(out, corpus.Hostile(name, h.encode()))
	}
	h.rows = withRuns(3, 2, manyRuns(40)...)
	out = append(out, corpus.Valid("many-runs", h.encode()))
	h.rows = withRuns(3, 2, manyRuns(maxRuns+1)...)
	return append(out, corpus.Hostile("too-many-runs", h.encode()))
}
