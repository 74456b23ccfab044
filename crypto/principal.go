package crypto

// Permission is what a principal may do. Permissions are or-ed.
type Permission uint8

// The permissions. Root has both, and alone what needs the index key itself.
const (
	PermRead  Permission = 1 << iota // Get, IDs, Items, Count
	PermWrite                        // Upsert, Delete
)

// Principal holds what is derived, without any record, from the key that a
// caller brings: the key pair to which its grants are sealed.
type Principal struct {
	User UserID
	kem  ReaderKey
}

// DerivePrincipal derives the grant key pair of a user of one index. The
// label, the index and the user are bound, so one key used for two indexes or
// two users yields unrelated pairs. The derived seed is the KEM's own private
// key format; HPKE's DeriveKeyPair would hash it once more by a rule that is
// still a draft, and a pair that changes locks its user out.
func DerivePrincipal(key Secret, index IndexID, user UserID) (Principal, error) {
	seed := Derive(key, nil, labelGrantKEM, index[:], user[:])
	defer seed.Wipe()
	k, err := NewReaderKey(seed)
	if err != nil {
		return Principal{}, err
	}
	return Principal{User: user, kem: k}, nil
}

// Public is the half that the epoch record lists and grants are sealed to.
func (p Principal) Public() ReaderPublic { return p.kem.Public() }

// RootSigner derives root's signing key of one index from the index key. Being
// derived, it needs no record to be trusted: a caller with the index key knows
// what root's signatures must verify under.
func RootSigner(key Secret, index IndexID) *Signer {
	seed := Derive(key, nil, labelRootSign, index[:])
	defer seed.Wipe()
	return NewSigner(UserID{}, seed)
}
