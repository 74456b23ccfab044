package crypto

import (
	"crypto/sha256"
	"testing"
)

const benchID = "item-00000000000000001" // 22 bytes

func BenchmarkToken(b *testing.B) {
	b.Run("hmac", func(b *testing.B) {
		b.ReportAllocs()
		tok := NewTokenizer(NewSecret())
		var got Token
		for b.Loop() {
			got = tok.Token(benchID)
		}
		if got == (Token{}) {
			b.Fatal("a token of zeros")
		}
	})
	b.Run("sha256", func(b *testing.B) { // what a bare hash of the id costs
		b.ReportAllocs()
		id := []byte(benchID)
		var sum [sha256.Size]byte
		for b.Loop() {
			sum = sha256.Sum256(id)
		}
		if sum == ([sha256.Size]byte{}) {
			b.Fatal("a hash of zeros")
		}
	})
}

func BenchmarkTokens10000(b *testing.B) {
	b.ReportAllocs()
	tok := NewTokenizer(NewSecret())
	in := ids(10_000)
	for b.Loop() {
		tok.Tokens(in)
	}
}

func BenchmarkSign(b *testing.B) {
	b.ReportAllocs()
	s := NewSigner(UserID{}, NewSecret())
	body := make([]byte, 160) // about a log group's statement
	for b.Loop() {
		s.Sign(DomainGroup, body)
	}
}

func BenchmarkVerify(b *testing.B) {
	b.ReportAllocs()
	s := NewSigner(UserID{}, NewSecret())
	body := make([]byte, 160)
	pub, sig := s.Public(), s.Sign(DomainGroup, body)
	for b.Loop() {
		if !pub.Verify(DomainGroup, body, sig) {
			b.Fatal("does not verify")
		}
	}
}

func BenchmarkSealDEK(b *testing.B) {
	b.ReportAllocs()
	v := loadSealed(b)
	pub, dek := readerKey(b, secret(b, v.ReaderSeed)).Public(), secret(b, v.DEK)
	for b.Loop() {
		if _, err := SealDEK(pub, v.dekInfo(), dek); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpenDEK(b *testing.B) {
	b.ReportAllocs()
	v := loadSealed(b)
	k := readerKey(b, secret(b, v.ReaderSeed))
	for b.Loop() {
		if _, err := OpenDEK(k, v.dekInfo(), v.DEKSealed); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDerivePrincipal(b *testing.B) {
	b.ReportAllocs()
	key := NewSecret()
	for b.Loop() {
		if _, err := DerivePrincipal(key, IndexID{1}, UserID{1}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpenGrant(b *testing.B) {
	b.ReportAllocs()
	v := loadSealed(b)
	c := &v.Grants[0]
	p := v.principal(b, c)
	for b.Loop() {
		if _, err := OpenGrant(p, v.grantInfo(c), c.Sealed); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeEpochRecord(b *testing.B) {
	b.ReportAllocs()
	record := load[epochVectors](b, "epoch.json").Second
	for b.Loop() {
		if _, err := DecodeEpochRecord(record); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSealField is the sealing of a vector of 768 dimensions.
func BenchmarkSealField(b *testing.B) {
	b.ReportAllocs()
	a := NewAEAD(NewSecret())
	plain, ad := make([]byte, 4*768), make([]byte, 44)
	out := make([]byte, 0, len(plain)+Overhead)
	b.SetBytes(int64(len(plain)))
	var n uint64
	var nonce [NonceSize]byte
	for b.Loop() {
		nonce = CounterNonce(n)
		n++
		out = a.Seal(out[:0], nonce[:], plain, ad)
	}
}
