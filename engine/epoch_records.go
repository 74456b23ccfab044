package engine

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"oubliette/crypto"
	"oubliette/internal/meta"
	"oubliette/wal"
)

// write puts the new epoch's records into a batch.
func (n *newEpoch) write(batch *meta.Batch, keys crypto.Grant, reader crypto.ReaderKey) (next *catalogued, signed []byte, err error) {
	old := n.cat.record
	record := &crypto.EpochRecord{
		Index: n.cat.id, Epoch: old.Epoch + 1, Name: old.Name, Dimension: old.Dimension,
		Root: n.next.Public(), Reader: reader.Public().Bytes(), Previous: n.cat.sum,
		MapLink: crypto.LinkMapKey(keys.Map, n.root.mapKey, n.cat.id, old.Epoch+1),
		Pin:     crypto.EpochPin{Group: n.at.Group, Seq: n.at.Seq, Head: n.at.Head},
		Users:   n.users,
	}
	raw, err := n.manifestOf(batch, record)
	if err != nil {
		return nil, nil, err
	}
	next = &catalogued{name: n.cat.name, id: n.cat.id, record: record, grants: make(map[grantKey][]byte)}
	batch.DeleteRange(meta.GrantPrefix(n.cat.id), meta.PrefixEnd(meta.GrantPrefix(n.cat.id)))
	for i := range record.Users {
		if err := n.grant(batch, next, &record.Users[i], keys); err != nil {
			return nil, nil, err
		}
	}
	var predecessor *crypto.Signer
	if n.next != n.root.signer {
		predecessor = n.root.signer
	}
	signed, err = record.Sign(n.next, predecessor)
	if err != nil {
		return nil, nil, fmt.Errorf("index %q: %w: %w", n.cat.name, ErrInvalid, err)
	}
	next.sum = crypto.Sum(signed)
	batch.Set(meta.EpochKey(n.cat.id, record.Epoch), signed)
	batch.Set(meta.ManifestKey(n.cat.id), raw)
	wal.Truncate(batch, n.cat.id, n.at.Group)
	n.keepPast(batch, next)
	if n.anchors != nil {
		n.anchors(batch, next)
	}
	return next, signed, nil
}

// manifestOf signs the manifest anew, in root's name, and pins in the record what
// stands in it.
func (n *newEpoch) manifestOf(batch *meta.Batch, record *crypto.EpochRecord) ([]byte, error) {
	before, ok, err := n.db.meta.Get(meta.ManifestKey(n.cat.id))
	if err != nil || !ok {
		return nil, errors.Join(err, fmt.Errorf("index %q: no manifest", n.cat.name))
	}
	record.Pin.Manifest = crypto.Sum(before)
	m := n.manifest.Clone()
	m.Version++
	m.Epoch = record.Epoch
	m.Start, m.Applied, m.Erased = n.at, n.at, n.at.Seq
	for _, s := range n.sessions {
		m.Cover(s.ID, s.Last)
	}
	for i := range m.Segments {
		record.Pin.Segments = append(record.Pin.Segments, crypto.PinnedSegment{ID: m.Segments[i].ID, DEK: m.Segments[i].DEK})
	}
	slices.SortFunc(record.Pin.Segments, func(a, b crypto.PinnedSegment) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	return m.Sign(n.next), nil
}

// grant seals the epoch's keys to a principal, whose key is not needed for it:
// its public half is listed. A writer other than root gets a signing key of its
// own.
func (n *newEpoch) grant(batch *meta.Batch, next *catalogued, u *crypto.EpochUser, keys crypto.Grant) error {
	pub, err := crypto.ParseReaderPublic(u.KEM)
	if err != nil {
		return fmt.Errorf("user %s: %w", u.User, err)
	}
	seal := func(kind crypto.GrantKind, g crypto.Grant) (crypto.Hash, error) {
		info := crypto.GrantInfo{Index: n.cat.id, Epoch: next.record.Epoch, User: u.User, Kind: kind}
		b, err := crypto.SealGrant(pub, info, g)
		if err != nil {
			return crypto.Hash{}, fmt.Errorf("user %s: %w", u.User, err)
		}
		next.grants[grantKey{u.User, kind}] = b
		batch.Set(meta.GrantKey(n.cat.id, next.record.Epoch, u.User, byte(kind)), b)
		return crypto.Sum(b), nil
	}
	u.Read, u.Write, u.Sign = crypto.Hash{}, crypto.Hash{}, crypto.VerifyKey{}
	if u.Perm&crypto.PermRead != 0 {
		if u.Read, err = seal(crypto.GrantRead, keys); err != nil {
			return err
		}
	}
	if u.User == (UserID{}) || u.Perm&crypto.PermWrite == 0 {
		return nil
	}
	seed := crypto.NewSecret()
	defer seed.Wipe()
	signer := crypto.NewSigner(u.User, seed)
	defer signer.Wipe()
	u.Sign = signer.Public()
	u.Write, err = seal(crypto.GrantWrite, crypto.Grant{ID: keys.ID, Map: keys.Map, Third: seed})
	return err
}

// keepPast keeps the records of earlier epochs that are still needed: from the
// oldest on in which a live segment's index or a kept outcome was written, for its
// map key and its writers; and those by which root has handed over, for users who
// have not seen it yet.
func (n *newEpoch) keepPast(batch *meta.Batch, next *catalogued) {
	oldest := next.record.Epoch
	for i := range n.manifest.Segments {
		oldest = min(oldest, n.manifest.Segments[i].Epoch)
	}
	if epoch := n.db.oldestOutcome(n.cat); epoch != 0 {
		oldest = min(oldest, epoch)
	}
	next.past = map[uint64]*crypto.EpochRecord{}
	keep := func(r *crypto.EpochRecord) {
		if r.Epoch < oldest && r.Succession == (crypto.Signature{}) {
			batch.Delete(meta.EpochKey(n.cat.id, r.Epoch))
			return
		}
		if r.Epoch < oldest {
			next.handed = append(next.handed, r)
		} else {
			next.past[r.Epoch] = r
		}
	}
	keep(n.cat.record)
	for _, r := range n.cat.past {
		keep(r)
	}
	for _, r := range n.cat.handed {
		keep(r)
	}
}
