package crypto

import (
	"bytes"
	"crypto/ed25519"
	"testing"
)

var domains = []Domain{
	DomainEpoch, DomainGroup, DomainManifest, DomainFooter, DomainOutcome, DomainSuccession, DomainGone,
	DomainListing, DomainReceipt, DomainCertificate,
}

func TestPAEGivesTheExamplesOfDSSE(t *testing.T) {
	v := load[struct {
		Cases []struct {
			Type string
			Body hexBytes
			PAE  string
		}
	}](t, "pae.json")
	for i, c := range v.Cases {
		if got := PAE(Domain(c.Type), c.Body); string(got) != c.PAE {
			t.Errorf("case %d: %q, want %q", i, got, c.PAE)
		}
	}
}

func TestSignGivesTheVectors(t *testing.T) {
	v := load[struct {
		Seed, Public hexBytes
		Cases        []struct {
			Domain          Domain
			Body, Signature hexBytes
		}
	}](t, "sign.json")
	s := NewSigner(UserID{1}, secret(t, v.Seed))
	pub := s.Public()
	if !bytes.Equal(pub[:], v.Public) {
		t.Fatalf("public key %x, want %x", pub, v.Public)
	}
	tried := map[Domain]bool{}
	for i, c := range v.Cases {
		tried[c.Domain] = true
		sig := s.Sign(c.Domain, c.Body)
		if !bytes.Equal(sig[:], c.Signature) {
			t.Errorf("case %d: %x, want %x", i, sig, c.Signature)
		}
		if !pub.Verify(c.Domain, c.Body, sig) {
			t.Errorf("case %d does not verify", i)
		}
	}
	for _, d := range domains {
		if !tried[d] {
			t.Errorf("no vector for domain %s", d)
		}
	}
}

func TestSignatureIsRefusedInEveryOtherDomain(t *testing.T) {
	s := NewSigner(UserID{}, NewSecret())
	body := []byte("a statement")
	for _, d := range domains {
		sig := s.Sign(d, body)
		for _, other := range append(domains, "", d+"x") {
			if got := s.Public().Verify(other, body, sig); got != (other == d) {
				t.Errorf("signed for %s, verified for %s: %v", d, other, got)
			}
		}
		if ed25519.Verify(s.pub[:], body, sig[:]) {
			t.Errorf("%s: the signature speaks of the bare body", d)
		}
	}
}

func TestSignatureIsRefusedForAnotherBodyKeyOrBit(t *testing.T) {
	s, other := NewSigner(UserID{}, NewSecret()), NewSigner(UserID{}, NewSecret())
	body := []byte("a statement")
	sig := s.Sign(DomainGroup, body)
	if other.Public().Verify(DomainGroup, body, sig) {
		t.Error("verifies under another key")
	}
	flips(body, func(at int, b []byte) {
		if s.Public().Verify(DomainGroup, b, sig) {
			t.Errorf("body flipped at byte %d verifies", at)
		}
	})
	flips(sig[:], func(at int, b []byte) {
		if s.Public().Verify(DomainGroup, body, Signature(b)) {
			t.Errorf("signature flipped at byte %d verifies", at)
		}
	})
}

func TestPAEIsInjective(t *testing.T) {
	parts := []string{"", "a", "a 1", " ", "1 a 1 b", "DSSEv1 1 a 1 b", "0 ", "12 "}
	seen := map[string][2]string{}
	for _, d := range parts {
		for _, b := range parts {
			enc := string(PAE(Domain(d), []byte(b)))
			if was, ok := seen[enc]; ok {
				t.Errorf("%q and %q encode alike", was, [2]string{d, b})
			}
			seen[enc] = [2]string{d, b}
		}
	}
}

func TestWipedSignerPanicsRatherThanSign(t *testing.T) {
	s := NewSigner(UserID{}, NewSecret())
	pub := s.Public()
	s.Wipe()
	if s.Public() != pub {
		t.Error("Wipe took the public key")
	}
	mustPanic(t, func() { s.Sign(DomainGroup, nil) })
}

func mustPanic(t *testing.T, f func()) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	f()
}
