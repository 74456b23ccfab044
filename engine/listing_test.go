package engine_test

import (
	"errors"
	"testing"
	"time"

	"oubliette/crypto"
	"oubliette/proof"
)

// Every epoch that the engine begins lists its writers under root's signature:
// with what it has in the store, a writer makes out a receipt that verifies with
// root's public key alone. Who may only read cannot.
func TestWritersAreListedUnderRootsSignature(t *testing.T) {
	sg := newSiege(t, "reader", "writer", "both")
	root := crypto.RootSigner(sg.keys["root"], sg.index)
	for _, name := range []string{"writer", "both"} {
		th := sg.thief(t, sg.fs(t), name)
		s := got(proof.NewSigner(th.signer, th.record))(t)
		r := &proof.Receipt{Time: time.Unix(1, 0), Seq: 1, Group: 1, Count: 1}
		doc := got(s.Receipt(r))(t)
		if back := got(proof.VerifyReceipt(doc, root.Public()))(t); back.User != th.user || back.Index != sg.index || back.Name != "a" {
			t.Errorf("%s: %+v", name, back)
		}
	}
	th := sg.thief(t, sg.fs(t), "reader")
	if _, err := proof.NewSigner(crypto.NewSigner(th.user, crypto.NewSecret()), th.record); !errors.Is(err, proof.ErrSigner) {
		t.Errorf("a reader signs: %v", err)
	}
}
