package crypto

import "encoding/hex"

// weakKeys are the y coordinates, little-endian, of every encoding of a point
// of small order on edwards25519: the eight torsion points and their encodings
// above the field's prime. The sign of x, the top bit, is left out.
var weakKeys = [...][32]byte{
	yCoordinate("0000000000000000000000000000000000000000000000000000000000000000"), // order 4
	yCoordinate("0100000000000000000000000000000000000000000000000000000000000000"), // order 1
	yCoordinate("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), // order 8
	yCoordinate("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), // order 8
	yCoordinate("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"), // order 2
	yCoordinate("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"), // order 4, above p
	yCoordinate("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"), // order 1, above p
}

func yCoordinate(digits string) [32]byte {
	b, err := hex.DecodeString(digits)
	if err != nil {
		panic("a constant is hexadecimal: " + err.Error())
	}
	return [32]byte(b)
}

// Weak tells whether k is a point of small order. Under such a key anybody can
// make a signature that fits, and some signatures fit every message; the zero
// VerifyKey is one of them. crypto/ed25519 does not refuse them, Verify does.
func (k VerifyKey) Weak() bool {
	k[31] &= 0x7f
	for _, w := range weakKeys {
		if k == w {
			return true
		}
	}
	return false
}
