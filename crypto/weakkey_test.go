package crypto

import (
	"crypto/ed25519"
	"math/big"
	"slices"
	"testing"
)

// What makes the check needed: the standard library accepts these.
func TestWeakKeysWouldVerifyForgeries(t *testing.T) {
	identity := VerifyKey{1}
	forged := Signature{1} // R is the neutral point, S is zero
	for _, body := range []string{"", "any", "statement"} {
		if !ed25519.Verify(identity[:], PAE(DomainEpoch, []byte(body)), forged[:]) {
			t.Fatal("the forgery does not work, this test shows nothing")
		}
		if identity.Verify(DomainEpoch, []byte(body), forged) {
			t.Errorf("forged signature of %q verifies", body)
		}
	}
	var zero VerifyKey // of order 4: fits one body in four
	var fits int
	for i := range byte(64) {
		if ed25519.Verify(zero[:], PAE(DomainEpoch, []byte{i}), forged[:]) {
			fits++
		}
		if zero.Verify(DomainEpoch, []byte{i}, forged) {
			t.Errorf("forged signature of %d verifies under the zero key", i)
		}
	}
	if fits == 0 {
		t.Error("the forgery does not work under the zero key, this test shows nothing")
	}
}

func TestWeakLeavesHonestKeysAlone(t *testing.T) {
	for range 50 {
		if k := NewSigner(UserID{}, NewSecret()).Public(); k.Weak() {
			t.Errorf("%x is called weak", k)
		}
	}
}

// The list holds the y coordinates of all points of small order, found here by
// multiplying points of the curve by the order of its prime subgroup, and their
// encodings above p. RFC 8032, section 5.1, has the parameters.
func TestWeakKeysAreExactlyTheTorsion(t *testing.T) {
	c := newEdwards()
	found := map[string]*big.Int{}
	for y := int64(2); y < 60; y++ {
		if x := c.x(big.NewInt(y)); x != nil {
			_, ty := c.mul(c.order, x, big.NewInt(y))
			found[ty.String()] = ty
		}
	}
	var want []VerifyKey
	for _, y := range found {
		for v := y; v.BitLen() <= 255; v = new(big.Int).Add(v, c.p) {
			var k VerifyKey
			v.FillBytes(k[:])
			slices.Reverse(k[:])
			want = append(want, k)
		}
	}
	if len(want) != len(weakKeys) {
		t.Errorf("%d encodings of small order, the list has %d", len(want), len(weakKeys))
	}
	for _, k := range want {
		signed := k
		signed[31] |= 0x80
		if !k.Weak() || !signed.Weak() {
			t.Errorf("%x is not called weak", k)
		}
	}
}

// edwards is edwards25519 in affine coordinates, for the test alone.
type edwards struct{ p, d, order *big.Int }

func newEdwards() *edwards {
	n := func(s string) *big.Int { v, _ := new(big.Int).SetString(s, 0); return v }
	c := &edwards{p: n("0x7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed")}
	c.d = c.mod(new(big.Int).Mul(big.NewInt(-121665), c.inv(big.NewInt(121666))))
	c.order = n("0x1000000000000000000000000000000014def9dea2f79cd65812631a5cf5d3ed")
	return c
}

func (c *edwards) mod(v *big.Int) *big.Int { return v.Mod(v, c.p) }
func (c *edwards) inv(v *big.Int) *big.Int { return new(big.Int).ModInverse(v, c.p) }
func (c *edwards) times(v ...*big.Int) *big.Int {
	out := big.NewInt(1)
	for _, f := range v {
		c.mod(out.Mul(out, f))
	}
	return out
}

// x is an x coordinate that belongs to y, or nil: x² = (y²-1)/(dy²+1).
func (c *edwards) x(y *big.Int) *big.Int {
	one := big.NewInt(1)
	num := new(big.Int).Sub(c.times(y, y), one)
	den := new(big.Int).Add(c.times(c.d, y, y), one)
	return new(big.Int).ModSqrt(c.mod(c.times(num, c.inv(c.mod(den)))), c.p)
}

func (c *edwards) add(x1, y1, x2, y2 *big.Int) (x, y *big.Int) {
	one := big.NewInt(1)
	k := c.times(c.d, x1, x2, y1, y2)
	xn := c.mod(new(big.Int).Add(c.times(x1, y2), c.times(y1, x2)))
	yn := c.mod(new(big.Int).Add(c.times(y1, y2), c.times(x1, x2)))
	xd := c.inv(c.mod(new(big.Int).Add(one, k)))
	yd := c.inv(c.mod(new(big.Int).Sub(one, k)))
	return c.times(xn, xd), c.times(yn, yd)
}

func (c *edwards) mul(n, x, y *big.Int) (*big.Int, *big.Int) {
	rx, ry := big.NewInt(0), big.NewInt(1)
	for i := n.BitLen() - 1; i >= 0; i-- {
		rx, ry = c.add(rx, ry, rx, ry)
		if n.Bit(i) == 1 {
			rx, ry = c.add(rx, ry, x, y)
		}
	}
	return rx, ry
}
