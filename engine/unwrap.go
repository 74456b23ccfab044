package engine

import (
	"bytes"
	"cmp"
	"crypto/subtle"
	"fmt"
	"maps"
	"slices"

	"oubliette/crypto"
	"oubliette/internal/fault"
	"oubliette/internal/meta"
)

// unwrap opens what the epoch grants a principal.
func (c *catalogued) unwrap(key Key, user UserID) (*keyring, error) {
	if user == (UserID{}) {
		return c.unwrapRoot(key)
	}
	return c.unwrapUser(key, user)
}

// unwrapUser opens a user's keys with the user's key. A wrong key and a user
// whom the index does not know are one error, and take the same time: a key pair
// is derived and compared, and nothing else is done.
func (c *catalogued) unwrapUser(key Key, user UserID) (ring *keyring, err error) {
	p, err := crypto.DerivePrincipal(key, c.id, user)
	if err != nil {
		return nil, err
	}
	listed, known := c.listed(user)
	same := subtle.ConstantTimeCompare(p.Public().Bytes(), listed.KEM) == 1
	if !same || !known {
		return nil, fmt.Errorf("index %q: %w", c.name, ErrWrongKey)
	}
	ring = &keyring{index: c.id, user: user, perm: listed.Perm, epoch: c.record.Epoch}
	defer func() {
		if err != nil {
			ring.wipe()
		}
	}()
	if listed.Perm&crypto.PermRead != 0 {
		if err := c.openReadGrant(p, ring); err != nil {
			return nil, err
		}
	}
	if listed.Perm&crypto.PermWrite != 0 {
		if err := c.openWriteGrant(p, ring, listed.Sign); err != nil {
			return nil, err
		}
	}
	return ring, nil
}

// listed is a user's entry in the epoch record; somebody's, and false, when
// there is none.
func (c *catalogued) listed(user UserID) (*crypto.EpochUser, bool) {
	i, ok := slices.BinarySearchFunc(c.record.Users, user, func(u crypto.EpochUser, id UserID) int {
		return bytes.Compare(u.User[:], id[:])
	})
	return &c.record.Users[min(i, len(c.record.Users)-1)], ok
}

func (c *catalogued) openReadGrant(p crypto.Principal, ring *keyring) error {
	g, err := c.openGrant(p, crypto.GrantRead)
	if err != nil {
		return err
	}
	defer g.Third.Wipe() // the reader key has what it needs of its seed
	if ring.reader, err = crypto.NewReaderKey(g.Third); err != nil {
		g.Wipe()
		return err
	}
	if !bytes.Equal(ring.reader.Public().Bytes(), c.record.Reader) {
		g.Wipe()
		return c.badGrant(p.User, fmt.Errorf("reader key is not the epoch's"))
	}
	ring.id, ring.mapKey = g.ID, g.Map
	return nil
}

func (c *catalogued) openWriteGrant(p crypto.Principal, ring *keyring, sign crypto.VerifyKey) error {
	g, err := c.openGrant(p, crypto.GrantWrite)
	if err != nil {
		return err
	}
	defer g.Third.Wipe()
	signer := crypto.NewSigner(p.User, g.Third)
	read := !ring.reader.IsZero()
	if signer.Public() != sign || read && (!g.ID.Equal(ring.id) || !g.Map.Equal(ring.mapKey)) {
		signer.Wipe()
		g.Wipe()
		return c.badGrant(p.User, fmt.Errorf("keys are not those that are listed"))
	}
	ring.signer = signer
	if read {
		g.ID.Wipe()
		g.Map.Wipe()
		return nil
	}
	ring.id, ring.mapKey = g.ID, g.Map
	return nil
}

func (c *catalogued) openGrant(p crypto.Principal, kind crypto.GrantKind) (crypto.Grant, error) {
	info := crypto.GrantInfo{Index: c.id, Epoch: c.record.Epoch, User: p.User, Kind: kind}
	g, err := crypto.OpenGrant(p, info, c.grants[grantKey{p.User, kind}])
	if err != nil {
		return g, c.badGrant(p.User, err)
	}
	return g, nil
}

// badGrant: the key is the one that is listed, and the grant, whose hash stands
// in the record, does not open with it.
func (c *catalogued) badGrant(user UserID, err error) error {
	return fault.Corrupt(fmt.Sprintf("grant of user %s of index %q", user, c.name), 0, "%w: %w", err, fault.ErrDamaged)
}

// anchor holds the epoch record against what the user has seen of root, and
// raises that to the newest epoch. Root needs none: it derives its key.
func (a *access) anchor(c *catalogued, key Key, user UserID) error {
	if user == (UserID{}) {
		return nil
	}
	path := fmt.Sprintf("anchor of user %s of index %q", user, c.name)
	// After the log has failed the database may show what is not on the disk.
	corrupt := func(path, format string, args ...any) error {
		if err := a.meta.Err(); err != nil {
			return err
		}
		return fault.Corrupt(path, 0, format, args...)
	}
	b, ok, err := a.meta.Get(meta.AnchorKey(c.id, user))
	if err != nil {
		return err
	}
	if !ok {
		return corrupt(path, "is missing: %w", fault.ErrDamaged)
	}
	seen, err := crypto.OpenAnchor(key, c.id, user, b)
	if err != nil {
		return corrupt(path, "%w: %w", err, fault.ErrDamaged)
	}
	if err := c.followsFrom(seen); err != nil {
		return corrupt(fmt.Sprintf("epoch record of index %q", c.name), "%w: %w", err, fault.ErrDamaged)
	}
	if seen.Epoch == c.record.Epoch || a.readOnly || a.meta.Err() != nil {
		return nil
	}
	batch := a.meta.NewBatch()
	batch.Set(meta.AnchorKey(c.id, user), crypto.SealAnchor(key, c.id, user, c.anchor()))
	if seen.Root != c.record.Root {
		return a.meta.Commit(batch) // who has the old root's key must not be root again after a crash
	}
	return a.meta.CommitLazy(batch) // lost in a crash, it is done again
}

// anchor is what a user who sees this record has seen.
func (c *catalogued) anchor() crypto.Anchor {
	return crypto.Anchor{Root: c.record.Root, Epoch: c.record.Epoch, Record: c.sum}
}

// followsFrom tells whether the newest record is root's, as a user knows who has
// seen an earlier one: not older, and root's key the same or handed over by its
// predecessor each time.
func (c *catalogued) followsFrom(seen crypto.Anchor) error {
	switch {
	case c.record.Epoch < seen.Epoch:
		return fmt.Errorf("is of epoch %d, epoch %d has been seen", c.record.Epoch, seen.Epoch)
	case c.record.Epoch == seen.Epoch && c.sum != seen.Record:
		return fmt.Errorf("is not the one of epoch %d that has been seen", seen.Epoch)
	}
	root := seen.Root
	records := append(slices.Collect(maps.Values(c.past)), c.handed...)
	slices.SortFunc(records, func(a, b *crypto.EpochRecord) int { return cmp.Compare(a.Epoch, b.Epoch) })
	for _, r := range append(records, c.record) {
		if r.Epoch > seen.Epoch && r.Root != root && r.SucceededFrom(root) {
			root = r.Root
		}
	}
	if root != c.record.Root {
		return fmt.Errorf("root's key is not the one that has been seen, nor handed over by it")
	}
	return nil
}
