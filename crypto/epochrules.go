package crypto

import (
	"bytes"
	"errors"
	"fmt"
)

// Limits of an epoch record.
const (
	MaxName     = 255     // bytes in the name of an index
	MaxUsers    = 10_000  // principals of an index, root among them
	MaxSegments = 100_000 // live segments of an index when an epoch begins
)

// Check answers the first rule that r breaks, or nil. The rules hold for every
// record that [DecodeEpochRecord] answers, so that two readers of one record
// never differ in what it says:
//
//   - epoch 1 has no predecessor: no Previous, no MapLink, no Succession; every
//     later epoch has the first two;
//   - segments stand in ascending order of their ids, none twice;
//   - users stand in ascending order of their ids, none twice; the first is
//     root, which has both permissions and signs with Root;
//   - a key, a hash or a listing stands where the permission asks for it and
//     nowhere else;
//   - no key is of small order (see [VerifyKey.Weak]).
//
// That a listing is there is all that is checked of it. It is root's word
// inside a record that root has signed, and only who gives it away, or gets it
// without the record, has to verify it.
func (r *EpochRecord) Check() error {
	switch {
	case len(r.Name) > MaxName:
		return fmt.Errorf("name of %d bytes, at most %d", len(r.Name), MaxName)
	case len(r.Users) > MaxUsers:
		return fmt.Errorf("%d users, at most %d", len(r.Users), MaxUsers)
	case len(r.Pin.Segments) > MaxSegments:
		return fmt.Errorf("%d segments, at most %d", len(r.Pin.Segments), MaxSegments)
	case len(r.Reader) != ReaderPublicSize:
		return fmt.Errorf("reader key of %d bytes, not %d", len(r.Reader), ReaderPublicSize)
	case r.Root.Weak():
		return errors.New("root's key is of small order")
	}
	if err := r.checkChain(); err != nil {
		return err
	}
	if err := r.Pin.check(); err != nil {
		return err
	}
	return r.checkUsers()
}

func (r *EpochRecord) checkChain() error {
	first := r.Epoch == 1
	switch {
	case r.Epoch == 0:
		return errors.New("epoch 0, they count from 1")
	case first != (r.Previous == Hash{}):
		return fmt.Errorf("epoch %d with previous record %s", r.Epoch, r.Previous)
	case first && len(r.MapLink) != 0, !first && len(r.MapLink) != mapLinkSize:
		return fmt.Errorf("epoch %d with a map key link of %d bytes", r.Epoch, len(r.MapLink))
	case first && r.Succession != Signature{}:
		return errors.New("epoch 1 with a succession")
	}
	return nil
}

func (p *EpochPin) check() error {
	for i := 1; i < len(p.Segments); i++ {
		if bytes.Compare(p.Segments[i-1].ID[:], p.Segments[i].ID[:]) >= 0 {
			return fmt.Errorf("segment %s out of order", p.Segments[i].ID)
		}
	}
	return nil
}

func (r *EpochRecord) checkUsers() error {
	if len(r.Users) == 0 || r.Users[0].User != (UserID{}) {
		return errors.New("root is not the first user")
	}
	if root := &r.Users[0]; root.Perm != PermRead|PermWrite || root.Sign != r.Root {
		return errors.New("root's entry is not root's")
	}
	for i := range r.Users {
		u := &r.Users[i]
		if i > 0 && bytes.Compare(r.Users[i-1].User[:], u.User[:]) >= 0 {
			return fmt.Errorf("user %s out of order", u.User)
		}
		if err := u.check(); err != nil {
			return fmt.Errorf("user %s: %w", u.User, err)
		}
	}
	return nil
}

func (u *EpochUser) check() error {
	read, write := u.Perm&PermRead != 0, u.Perm&PermWrite != 0
	granted := write && u.User != UserID{} // root's signing key is derived, not granted
	switch {
	case u.Perm == 0 || u.Perm&^(PermRead|PermWrite) != 0:
		return fmt.Errorf("permissions %#x", uint8(u.Perm))
	case len(u.KEM) != ReaderPublicSize:
		return fmt.Errorf("KEM key of %d bytes, not %d", len(u.KEM), ReaderPublicSize)
	case read == (u.Read == Hash{}):
		return errors.New("read grant and permission differ")
	case granted == (u.Write == Hash{}):
		return errors.New("write grant and permission differ")
	case granted == (u.Listing == Signature{}):
		return errors.New("listing and permission differ")
	case write && u.Sign.Weak():
		return errors.New("signing key is of small order")
	case !write && u.Sign != VerifyKey{}:
		return errors.New("signing key without permission to write")
	}
	return nil
}
