package engine_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"oubliette/crypto"
	"oubliette/engine"
	"oubliette/internal/codec"
	"oubliette/internal/corpus"
	"oubliette/proof"
)

// receiptStore holds two deletes: one erased, one hidden.
type receiptStore struct {
	fuzzStore
	root     crypto.VerifyKey
	receipts [2]engine.Receipt
}

func newReceiptStore(t testing.TB) *receiptStore {
	ctx, s := context.Background(), new(receiptStore)
	ix := s.use(t)
	s.left = math.MaxInt // nothing is written any more
	must(t, ix.Upsert(ctx, []engine.Item{{ID: "a"}, {ID: "b"}}))
	s.receipts[0] = got(ix.Delete(ctx, []string{"a", "z"}))(t)
	got(ix.Purge(ctx))(t)
	s.receipts[1] = got(ix.Delete(ctx, []string{"b"}))(t)
	s.root = got(ix.RootKey(ctx))(t)
	return s
}

// alter changes the fields of a receipt that fields names, bit by bit, to what stands
// in b; behind its end stand zeros.
func alter(r engine.Receipt, fields uint16, b []byte) engine.Receipt {
	d := codec.NewDecoder(append(bytes.Clone(b), make([]byte, 1024)...))
	for i, change := range []func(){
		func() { d.Copy(r.Index[:]) }, func() { r.Name = string(d.Blob(64)) }, func() { r.Epoch = d.U64() }, func() { d.Copy(r.User[:]) },
		func() { r.Time = time.Unix(int64(d.U64()), int64(d.U32())) }, func() { d.Copy(r.Session[:]) }, func() { r.Seq = d.U64() },
		func() { r.Group = d.U64() }, func() { d.Copy(r.Head[:]) }, func() { r.Count = int(d.U64()) }, func() { d.Copy(r.Salt[:]) },
		func() { d.Copy(r.Digest[:]) }, func() { d.Copy(r.Mark[:]) },
		func() { r.Listing = &proof.Listing{}; d.Copy(r.Listing.Key[:]) },
	} {
		if fields&(1<<i) != 0 {
			change()
		}
	}
	return r
}

// FuzzReceipt asks for what has become of a delete by receipts that somebody has
// altered. Whatever they say, they are refused with an error that says why or name the
// delete that they name; and none is signed but as it was made.
func FuzzReceipt(f *testing.F) {
	s := newReceiptStore(f)
	f.Cleanup(func() { s.close(f) })
	f.Fuzz(func(t *testing.T, which byte, fields uint16, b []byte) {
		ctx, true0 := context.Background(), s.receipts[which%2]
		r := alter(true0, fields, b)
		st, err := s.ix.Status(ctx, r)
		if err != nil {
			wantOneOf(t, err, engine.ErrInvalid, engine.ErrCorrupt)
		} else if st.State == engine.Unknown || r.Seq != true0.Seq && r.Seq != s.receipts[1-which%2].Seq {
			t.Fatalf("%+v, altered to %+v, is %+v", true0, r, st)
		}
		cert, err := s.ix.Certify(ctx, r)
		if err != nil {
			wantOneOf(t, err, engine.ErrInvalid, engine.ErrCorrupt, engine.ErrNotErased)
		} else if r.Seq != s.receipts[0].Seq {
			t.Fatalf("certified %+v for %+v", cert, r)
		} else if doc, err := proof.VerifyCertificate(cert.Document, s.root); err != nil || !doc.Names(&r) {
			t.Fatalf("a certificate of %+v: %+v, %v", r, doc, err)
		}
		signed, err := s.ix.SignReceipt(ctx, r)
		if err != nil {
			wantOneOf(t, err, engine.ErrInvalid, engine.ErrCorrupt, engine.ErrPermission)
			return
		}
		doc, err := proof.VerifyReceipt(signed, s.root)
		want := true0
		want.Mark = [16]byte{}
		if err != nil || doc != want {
			t.Fatalf("%+v, altered to %+v, is signed as %+v: %v", true0, r, doc, err)
		}
	})
}

func wantOneOf(t testing.TB, err error, of ...error) {
	t.Helper()
	for _, e := range of {
		if errors.Is(err, e) {
			return
		}
	}
	t.Fatalf("%v, want one of %v", err, of)
}

// TestSeedsOfReceipts: valid is what Status knows.
func TestSeedsOfReceipts(t *testing.T) {
	s := newReceiptStore(t)
	defer s.close(t)
	one := []byte{1, 0, 0, 0, 0, 0, 0, 0}
	corpus.Hold(t, "FuzzReceipt", []corpus.Seed{
		corpus.Valid("erased", byte(0), uint16(0), []byte{}), corpus.Valid("hidden", byte(1), uint16(0), []byte{}),
		corpus.Valid("other-time", byte(0), uint16(1<<4), one), corpus.Valid("no-salt", byte(0), uint16(1<<10), []byte{}),
		corpus.Valid("no-mark", byte(0), uint16(1<<12), []byte{}), corpus.Valid("other-name", byte(0), uint16(1<<1), []byte("\x01\x00\x00\x00b")),
		corpus.Valid("listing", byte(0), uint16(1<<13), []byte{}),
		corpus.Hostile("no-index", byte(0), uint16(1), []byte{}), corpus.Hostile("number-0", byte(0), uint16(1<<6), []byte{}),
		corpus.Hostile("number-to-come", byte(0), uint16(1<<6), []byte{9, 0, 0, 0, 0, 0, 0, 0}), corpus.Hostile("no-session", byte(0), uint16(1<<5), []byte{}),
		corpus.Hostile("no-count", byte(0), uint16(1<<9), []byte{}), corpus.Hostile("no-head", byte(1), uint16(1<<8), []byte{}),
	}, func(seed corpus.Seed) error {
		_, err := s.ix.Status(context.Background(), alter(s.receipts[seed.Values[0].(byte)], seed.Values[1].(uint16), seed.Bytes(2)))
		return err
	})
}
