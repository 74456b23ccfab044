package tombstone

import "oubliette/crypto"

// labelDigest binds the digest to its purpose. Its length is fixed, as are the
// salt's and a token's, so the concatenation is read in one way only.
const labelDigest = "oubliette/receipt/tokens/v1"

// Digest is what the receipt of a delete carries: SHA-256 over the label
// "oubliette/receipt/tokens/v1", the receipt's random salt (32 bytes) and the
// tokens, strictly ascending as [Sort] leaves them.
//
// It is over tokens and not over ids: ids can often be guessed, and a receipt
// is given away with its salt. Without the id key nobody can make the token of
// a guessed id, so the digest says nothing about ids; who has the key can show
// exactly which ids the receipt is for.
func Digest(salt [32]byte, sorted []crypto.Token) crypto.Hash {
	b := make([]byte, 0, len(labelDigest)+len(salt)+len(sorted)*tokenSize)
	b = append(b, labelDigest...)
	b = append(b, salt[:]...)
	for i := range sorted {
		b = append(b, sorted[i][:]...)
	}
	return crypto.Sum(b)
}
