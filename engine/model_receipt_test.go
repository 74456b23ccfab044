package engine_test

import (
	"context"
	"fmt"

	"oubliette/engine"
	"oubliette/proof"
)

// knows is nil when Status knows a delete, by its number among the receipts, and says
// what the model says.
func (x *modelIndex) knows(ix *engine.Index, n int) error {
	if n < 0 {
		return nil
	}
	r := &x.receipts[n]
	s, err := ix.Status(context.Background(), r.Receipt)
	if err != nil {
		return fmt.Errorf("delete %d of %v: %w", r.Seq, r.ids, err)
	}
	if s.Counted && (s.Rows < r.found || s.Rows > r.found+r.late || s.Asked != r.Count || (s.Bytes > 0) != (s.Rows > 0)) {
		return fmt.Errorf("delete %d of %d ids found %d items, or %d more that had expired; status %+v", r.Seq, r.Count, r.found, r.late, s)
	}
	return nil
}

// modelErased is how many of the last deletes are asked for after a purge.
const modelErased = 6

// erased is fatal unless the last deletes are erased, and counted.
func (m *modelMachine) erased(x *modelIndex) {
	m.t.Helper()
	ix := m.roots[x.name]
	for n := max(0, len(x.receipts)-modelErased); n < len(x.receipts); n++ {
		m.must(x.knows(ix, n))
		s, err := ix.Status(context.Background(), x.receipts[n].Receipt)
		if m.must(err); s.State != engine.Erased || !s.Counted {
			m.t.Fatalf("delete %d has been purged; status %+v", x.receipts[n].Seq, s)
		}
	}
}

// status asks for a delete, as anybody who is let in.
func (m *modelMachine) status() {
	x := m.index()
	if len(x.receipts) == 0 {
		return
	}
	n := m.pick(len(x.receipts), "delete")
	who := m.as(x)
	_, err := who.ix.Status(context.Background(), x.receipts[n].Receipt, who.opts...)
	if !m.wants("Status by "+who.who, err, who.may(0)) {
		m.must(x.knows(m.roots[x.name], n))
	}
}

// prove makes a document of a receipt, and one of its erasure, and checks them.
func (m *modelMachine) prove() {
	x := m.index()
	if len(x.receipts) == 0 {
		return
	}
	ctx := context.Background()
	n := m.pick(len(x.receipts), "delete")
	r := &x.receipts[n]
	ix := m.roots[x.name]
	root, err := ix.RootKey(ctx)
	m.must(err)
	var want error
	before, err := ix.Status(ctx, r.Receipt)
	m.must(err)
	cert, err := ix.Certify(ctx, r.Receipt)
	s, failed := ix.Status(ctx, r.Receipt)
	m.must(failed)
	if err != nil && before.State != engine.Erased || s.State != engine.Erased { // may come to be meanwhile
		want = engine.ErrNotErased
	}
	if !m.wants("Certify", err, want) {
		have, err := proof.VerifyCertificate(cert.Document, root)
		if m.must(err); !have.Names(&r.Receipt) || have.Rows != uint64(s.Rows) || have.Bytes != s.Bytes {
			m.t.Fatalf("the certificate of delete %d says %+v, its status %+v", r.Seq, have, s)
		}
	}
	want = nil
	if !r.key.Equal(x.keys.root) { // a user has made it, or root with another key
		want = engine.ErrPermission
	}
	doc, err := ix.SignReceipt(ctx, r.Receipt)
	if !m.wants("SignReceipt", err, want) {
		have, err := proof.VerifyReceipt(doc, root)
		if m.must(err); have.Seq != r.Seq || have.Digest != r.Digest || have.Count != r.Count {
			m.t.Fatalf("the document of delete %d says %+v", r.Seq, have)
		}
	}
}
