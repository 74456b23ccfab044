package crypto

import (
	"bytes"
	"fmt"
	"slices"

	"oubliette/internal/codec"
)

// EpochRecord is root's statement of who may do what in one epoch of an index,
// and of where the log, the manifest and the segments stood when it began. Only
// what it lists is valid. The encoding is canonical: a record that decodes
// encodes to the same bytes. What a record must keep to is in
// [EpochRecord.Check].
type EpochRecord struct {
	Index     IndexID
	Epoch     uint64 // from 1
	Name      string // the catalogue's name of the index: binds name and id
	Dimension uint32 // of vectors; 0: taken from the first
	Root      VerifyKey
	Reader    []byte // the epoch's reader key, public half (1,216 bytes)
	Previous  Hash   // of the epoch record before, as stored; zero in epoch 1
	MapLink   []byte // the epoch before's map key under this one's; empty in epoch 1
	Pin       EpochPin
	Users     []EpochUser // root first (zero id), then by id

	// Succession is the predecessor's signature where Root changed with this
	// epoch, zeros otherwise.
	Succession Signature
	Signature  Signature // root's, over everything before it
}

// EpochPin is where an index stood when the epoch began. Signatures of earlier
// epochs count only up to it.
type EpochPin struct {
	Group    uint64          // number of the log's last group
	Seq      uint64          // last sequence number
	Head     Hash            // of the log's chain
	Manifest Hash            // of the manifest, as stored; zero when there is none
	Segments []PinnedSegment // by id
}

// PinnedSegment is a live segment and the commitment to its data key.
type PinnedSegment struct {
	ID  SegmentID
	DEK Hash
}

// EpochUser is a principal of the epoch.
type EpochUser struct {
	User  UserID
	Perm  Permission
	Sign  VerifyKey // zero without PermWrite; Root for root
	KEM   []byte    // grants are sealed to it (1,216 bytes)
	Read  Hash      // SHA-256 of the sealed read grant; zero without PermRead
	Write Hash      // SHA-256 of the sealed write grant; zero without PermWrite and for root
	// Listing is root's signature of the ListingStatement, filled in by Sign;
	// zero without PermWrite and for root.
	Listing Signature
}

// Sign puts users and segments in order, fills in root's key and the users'
// listings, signs and encodes. predecessor is nil unless root's key changes with
// this epoch. A record that breaks a rule of Check is not signed: it would lock
// everybody out of the index. Each writer costs a signature of its own.
func (r *EpochRecord) Sign(root, predecessor *Signer) ([]byte, error) {
	r.arrange(root)
	if err := r.Check(); err != nil {
		return nil, fmt.Errorf("epoch record unfit to be signed: %w", err)
	}
	e := codec.Encoder{B: r.body()}
	r.Succession = Signature{}
	if predecessor != nil {
		r.Succession = predecessor.Sign(DomainSuccession, e.B)
	}
	e.Raw(r.Succession[:])
	r.Signature = root.Sign(DomainEpoch, e.B)
	e.Raw(r.Signature[:])
	return e.B, nil
}

func (r *EpochRecord) arrange(root *Signer) {
	r.Root = root.Public()
	for i := range r.Users {
		u := &r.Users[i]
		u.Listing = Signature{}
		switch {
		case u.User == UserID{}:
			u.Sign = r.Root
		case u.Perm&PermWrite != 0:
			u.Listing = root.Sign(DomainListing, ListingStatement(r.Index, r.Epoch, u.User, u.Sign))
		}
	}
	slices.SortFunc(r.Users, func(a, b EpochUser) int { return bytes.Compare(a.User[:], b.User[:]) })
	slices.SortFunc(r.Pin.Segments, func(a, b PinnedSegment) int { return bytes.Compare(a.ID[:], b.ID[:]) })
}

// SucceededFrom tells whether the holder of predecessor, the root before, has
// handed over to this record's root.
func (r *EpochRecord) SucceededFrom(predecessor VerifyKey) bool {
	return predecessor.Verify(DomainSuccession, r.body(), r.Succession)
}

// User finds a listed principal.
func (r *EpochRecord) User(id UserID) (*EpochUser, bool) {
	for i := range r.Users {
		if r.Users[i].User == id {
			return &r.Users[i], true
		}
	}
	return nil, false
}

// Writer is the key under which a principal's statements verify; false when it
// is not listed or may not write.
func (r *EpochRecord) Writer(id UserID) (VerifyKey, bool) {
	u, ok := r.User(id)
	if !ok || u.Perm&PermWrite == 0 {
		return VerifyKey{}, false
	}
	return u.Sign, true
}
