package crypto

import "testing"

// A mark is the signer's alone, and of exactly this body: what SignReceipt stands on.
func TestMarkIsOfOneSignerAndOneBody(t *testing.T) {
	seed := NewSecret()
	s := NewSigner(UserID{1}, seed)
	m := s.Mark([]byte("a receipt"))
	if again := NewSigner(UserID{1}, seed).Mark([]byte("a receipt")); again != m {
		t.Error("the same signer does not know it again")
	}
	if s.Mark([]byte("a receipt.")) == m || NewSigner(UserID{1}, NewSecret()).Mark([]byte("a receipt")) == m {
		t.Error("another body, or another signer, has the same mark")
	}
	s.Wipe()
	defer func() {
		if recover() == nil {
			t.Error("a signer marks after Wipe")
		}
	}()
	s.Mark([]byte("a receipt"))
}

func BenchmarkMark(b *testing.B) {
	s, body := NewSigner(UserID{}, NewSecret()), make([]byte, 224)
	b.Run("mark", func(b *testing.B) {
		for b.Loop() {
			s.Mark(body)
		}
	})
	b.Run("sign", func(b *testing.B) {
		for b.Loop() {
			s.Sign(DomainReceipt, body)
		}
	})
}
