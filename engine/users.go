package engine

import (
	"context"
	"fmt"
	"slices"

	"oubliette/crypto"
	"oubliette/internal/meta"
)

// User is a user of an index, as root lists it.
type User struct {
	ID   UserID
	Perm Permission
}

// MaxUsers is how many users an index may have.
const MaxUsers = crypto.MaxUsers - 1 // root is listed, too

// CreateUserKeys lets a user into the index: from then on userKey opens, with
// WithUserID, what perm allows. A user who is there already gets these
// permissions and this key in place of the old ones. Only root may: rootKey is
// the index key. Neither key is kept. The zero id is root's and ErrInvalid.
//
// It begins a new epoch: calls wait meanwhile, what was deleted is erased first,
// and the segment that takes rows is closed. A user whose permission to read is
// taken away by it is revoked as by DeleteUserKeys.
func (ix *Index) CreateUserKeys(ctx context.Context, id UserID, userKey Key, perm Permission, rootKey Key) error {
	switch {
	case id == (UserID{}):
		return fmt.Errorf("user id of zeros, which is root's: %w", ErrInvalid)
	case perm == 0 || perm&^(PermRead|PermWrite) != 0:
		return fmt.Errorf("permissions %#x of user %s: %w", uint8(perm), id, ErrInvalid)
	case userKey.IsZero():
		return fmt.Errorf("user %s: %w", id, ErrKeyRequired)
	case userKey.Equal(rootKey):
		return fmt.Errorf("user %s with root's key: %w", id, ErrInvalid)
	}
	return ix.changeEpoch(ctx, rootKey, func(n *newEpoch) (bool, error) {
		p, err := crypto.DerivePrincipal(userKey, n.cat.id, id)
		if err != nil {
			return false, err
		}
		entry := crypto.EpochUser{User: id, Perm: perm, KEM: p.Public().Bytes()}
		if old := n.user(id); old >= 0 {
			n.reseal = n.users[old].Perm&PermRead != 0
			n.users[old] = entry
		} else if len(n.users) > MaxUsers {
			return false, fmt.Errorf("user %s: %d users, at most %d: %w", id, len(n.users), MaxUsers, ErrTooLarge)
		} else {
			n.users = append(n.users, entry)
		}
		n.anchors = func(b *meta.Batch, next *catalogued) {
			b.Set(meta.AnchorKey(next.id, id), crypto.SealAnchor(userKey, next.id, id, next.anchor()))
		}
		return true, nil
	})
}

// DeleteUserKeys revokes a user; one who is not there is none to revoke. Only
// root may. When it returns, the user's key opens nothing, and nothing that the
// user signs is accepted. Where the user could read, every segment's data key is
// sealed to a new reader key, and what was sealed to the old one has been
// overwritten. Rows from before stay open to somebody who kept a data key, or a
// copy of a file's header, until they are rewritten (Compact moves every segment
// from before); so does what was copied out of the store. Somebody who can write
// the files can put an older state back, in which the user is listed.
//
// It begins a new epoch; see CreateUserKeys. Taking out who could read costs two
// small synced writes a segment, and no row moves. When an old header slot cannot
// be overwritten the error says so: the user is revoked all the same, and the
// next Open goes on.
func (ix *Index) DeleteUserKeys(ctx context.Context, id UserID, rootKey Key) error {
	if id == (UserID{}) {
		return fmt.Errorf("user id of zeros, which is root's: %w", ErrInvalid)
	}
	return ix.changeEpoch(ctx, rootKey, func(n *newEpoch) (bool, error) {
		at := n.user(id)
		if at < 0 {
			return false, nil
		}
		n.reseal = n.users[at].Perm&PermRead != 0
		n.users = slices.Delete(n.users, at, at+1)
		n.anchors = func(b *meta.Batch, next *catalogued) { b.Delete(meta.AnchorKey(next.id, id)) }
		return true, nil
	})
}

// user is where a user stands among the users; -1: nowhere.
func (n *newEpoch) user(id UserID) int {
	return slices.IndexFunc(n.users, func(u crypto.EpochUser) bool { return u.User == id })
}

// ListUserKeys answers the index's users, sorted by id, root left out. Only root
// may ask.
func (ix *Index) ListUserKeys(ctx context.Context, rootKey Key) ([]User, error) {
	if ix.closed.Load() {
		return nil, fmt.Errorf("index %q: handle: %w", ix.name, ErrClosed)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if rootKey.IsZero() {
		return nil, fmt.Errorf("index %q: %w", ix.name, ErrKeyRequired)
	}
	c, err := ix.current()
	if err != nil {
		return nil, err
	}
	root, err := c.unwrapRoot(rootKey)
	if err != nil {
		return nil, err
	}
	root.wipe()
	out := make([]User, 0, len(c.record.Users)-1)
	for _, u := range c.record.Users[1:] {
		out = append(out, User{u.User, u.Perm})
	}
	return out, nil
}

// RotateKey gives the index a new index key: newKey is root's from then on, and
// oldKey opens nothing. Users keep their keys, and learn of the new root by the
// old one's signature at their next use. Somebody who has the old key and a copy
// of the files from before can read that copy.
//
// It begins a new epoch, at the cost of DeleteUserKeys.
func (ix *Index) RotateKey(ctx context.Context, oldKey, newKey Key) error {
	switch {
	case newKey.IsZero():
		return fmt.Errorf("index %q: new key: %w", ix.name, ErrKeyRequired)
	case newKey.Equal(oldKey):
		return fmt.Errorf("index %q: the new key is the old one: %w", ix.name, ErrInvalid)
	}
	var signer *crypto.Signer
	defer func() {
		if signer != nil {
			signer.Wipe()
		}
	}()
	return ix.changeEpoch(ctx, oldKey, func(n *newEpoch) (bool, error) {
		p, err := crypto.DerivePrincipal(newKey, n.cat.id, UserID{})
		if err != nil {
			return false, err
		}
		signer = crypto.RootSigner(newKey, n.cat.id)
		n.next, n.reseal = signer, true
		n.users[0].KEM = p.Public().Bytes()
		return true, nil
	})
}
