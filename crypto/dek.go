package crypto

// SealedDEKSize is the length of a sealed data key in bytes.
const SealedDEKSize = KeySize + hpkeOverhead

// DEKInfo is what a sealed data key is bound to: it opens nowhere else.
type DEKInfo struct {
	Index   IndexID
	Segment SegmentID
	Epoch   uint64
}

func (i DEKInfo) bytes() []byte {
	return bind(labelDEKInfo, i.Index[:], i.Segment[:], le64(i.Epoch))
}

// SealDEK seals a segment's data key to the epoch's reader key. HPKE base mode
// authenticates no sender: what makes a key a segment's is the commitment to it
// in a signed record (CommitDEK).
func SealDEK(pub ReaderPublic, info DEKInfo, dek Secret) ([]byte, error) {
	return sealTo(pub, info.bytes(), dek.Reveal())
}

// OpenDEK opens a sealed data key. The caller holds it against the signed
// commitment.
func OpenDEK(key ReaderKey, info DEKInfo, sealed []byte) (Secret, error) {
	b, err := openWith(key, info.bytes(), sealed, KeySize)
	if err != nil {
		return Secret{}, err
	}
	defer clear(b)
	return SecretFromBytes(b)
}
