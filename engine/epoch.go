package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"oubliette/compaction"
	"oubliette/crypto"
	"oubliette/internal/meta"
	"oubliette/segment"
	"oubliette/wal"
)

// newEpoch is a change of who may do what: root's, on its way.
type newEpoch struct {
	db    *DB
	cat   *catalogued    // of the epoch that ends
	root  *keyring       // root's keys in it
	seed  crypto.Secret  // of its reader key
	next  *crypto.Signer // root's from now on
	users []crypto.EpochUser
	// reseal: somebody who had the reader key must not have it any more.
	reseal  bool
	anchors func(*meta.Batch, *catalogued) // what users keep of root

	manifest  *compaction.Manifest // of the end
	at        wal.Position
	sessions  []compaction.Session
	dimension uint32
}

// changeEpoch lets root begin a new epoch. change answers what it consists of,
// or nil when there is nothing to change.
//
// Order:
//
//  1. drain: calls that come wait; those under way end; everything deleted is
//     applied and erased, every segment gets its index. The log holds nothing
//     that has not been applied, so no signature of the old epoch in it counts
//     any more.
//  2. reseal: in each live segment's free header slot its data key is sealed to
//     the new reader key, synced. A crash from here on leaves slots that no
//     epoch record names; the next change writes over them.
//  3. one synced batch: the epoch record, everybody's grants, the manifest signed
//     anew, the log cut. Before it the old epoch is whole, after it the new one,
//     and each segment has a slot for either.
//  4. the old slots are overwritten and synced. Open, without a key, finishes
//     what a crash leaves of that.
func (ix *Index) changeEpoch(ctx context.Context, rootKey Key, change func(*newEpoch) (bool, error)) error {
	if err := errors.Join(ix.db.writable(), ctx.Err()); err != nil {
		return err
	}
	if ix.closed.Load() {
		return fmt.Errorf("index %q: handle: %w", ix.name, ErrClosed)
	}
	if rootKey.IsZero() {
		return fmt.Errorf("index %q: %w", ix.name, ErrKeyRequired)
	}
	ix.db.adminMu.Lock()
	defer ix.db.adminMu.Unlock()
	cat, err := ix.current()
	if err != nil {
		return err
	}
	g, signer, err := cat.rootGrant(rootKey)
	if err != nil {
		return err
	}
	defer g.Third.Wipe()
	root, err := cat.rootRing(g, signer)
	if err != nil {
		return err
	}
	defer root.wipe()
	n := &newEpoch{db: ix.db, cat: cat, root: root, seed: g.Third, next: root.signer, users: slices.Clone(cat.record.Users)}
	changes, err := change(n)
	if err != nil || !changes && !ix.db.slotsLeft[cat.id] {
		return err
	}
	done, err := n.drain()
	if err != nil {
		if ix.db.meta.Err() == nil {
			ix.db.resume(cat, rootKey)
		}
		return err
	}
	defer done()  // calls wait until the catalogue has the new epoch, or the change has failed
	if !changes { // but an earlier change has not come to its end
		return ix.db.eraseOldSlots(cat, n.manifest)
	}
	return n.commit()
}

// drain ends the old epoch's state. Whatever becomes of the change, the next
// call reads the index from disk, once done has been called; unless the log has
// failed: then the old state goes on, for reading.
func (n *newEpoch) drain() (done func(), err error) {
	s, err := n.db.state(n.cat, n.root)
	if err != nil {
		return nil, err
	}
	s.loading.Lock()
	if s.over != nil {
		defer s.loading.Unlock()
		return nil, s.over
	}
	release := func() {
		if failed := n.db.meta.Err(); failed != nil {
			s.revive(failed)
		} else {
			n.db.forget(s)
			s.drop()
		}
		s.loading.Unlock()
	}
	defer func() {
		if err != nil { // done is nil by then
			release()
		}
	}()
	s.over = errEpochOver
	s.end(errEpochOver)
	s.mu.Lock()
	s.mu.keys = n.root
	s.mu.Unlock()
	if err := s.work.finish(context.Background()); err != nil {
		n.db.keepWaiting(s, err)
		return nil, fmt.Errorf("index %q: before another epoch: %w", n.cat.name, err)
	}
	n.manifest, n.at, n.sessions, n.dimension = s.manifest, s.mu.published, s.mu.sessions, s.mu.dim.value
	n.db.mu.Lock()
	delete(n.db.waiting, n.cat.id) // nothing waits any more
	delete(n.db.unerased, n.cat.id)
	n.db.mu.Unlock()
	if len(s.mu.view.open) > 0 || s.mu.view.tombs[0].Len() > 0 || len(s.mu.view.tombs) > 1 {
		return nil, fmt.Errorf("index %q: segments without an index or deletes not applied are left: %w", n.cat.name, ErrFailed)
	}
	return release, nil
}

// resume reads an index again after a change that has failed, with root's keys
// for its maintenance: what is deleted has to be erased in time, whether another
// call comes or not. An error is told by that call, and by Close.
func (db *DB) resume(c *catalogued, rootKey Key) {
	ring, err := db.access.unwrap(c, rootKey, UserID{})
	if err != nil {
		return
	}
	if s, err := db.state(c, ring); err == nil && s.enter(ring) == nil {
		s.leave()
	}
}

// commit writes the new epoch and ends what is left of the old one.
func (n *newEpoch) commit() error {
	keys := crypto.Grant{ID: n.root.id, Map: crypto.NewSecret(), Third: n.seed}
	defer keys.Map.Wipe()
	reader := n.root.reader
	if n.reseal {
		keys.Third = crypto.NewSecret()
		defer keys.Third.Wipe()
		var err error
		if reader, err = crypto.NewReaderKey(keys.Third); err != nil {
			return err
		}
		if err := n.resealAll(reader.Public()); err != nil {
			return err
		}
	}
	batch := n.db.meta.NewBatch()
	next, err := n.write(batch, keys, reader)
	if err != nil {
		batch.Close()
		return err
	}
	if err := n.db.meta.Commit(batch); err != nil {
		return err
	}
	n.db.mu.Lock()
	n.db.mu.catalogue[n.cat.name] = next
	n.db.mu.Unlock()
	n.db.access.forget(n.cat.record.Epoch, n.cat.id)
	if !n.reseal && !n.db.slotsLeft[n.cat.id] {
		return nil
	}
	return n.db.eraseOldSlots(next, n.manifest)
}

// resealAll seals every live segment's data key to the new reader key as well.
func (n *newEpoch) resealAll(reader crypto.ReaderPublic) error {
	for i := range n.manifest.Segments {
		seg := &n.manifest.Segments[i]
		f, err := segment.Open(n.db.opts.FS, n.db.segmentPath(n.cat.id, seg.ID), segment.Identity{Index: n.cat.id, Segment: seg.ID})
		if err != nil {
			return err
		}
		err = f.Reseal(n.db.opts.FS, n.root.reader, seg.DEK, n.cat.record.Epoch+1, reader)
		f.Release()
		if err != nil {
			return err
		}
	}
	return nil
}

// write puts the new epoch's records into a batch.
func (n *newEpoch) write(batch *meta.Batch, keys crypto.Grant, reader crypto.ReaderKey) (*catalogued, error) {
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
		return nil, err
	}
	next := &catalogued{name: n.cat.name, id: n.cat.id, record: record, grants: make(map[grantKey][]byte)}
	batch.DeleteRange(meta.GrantPrefix(n.cat.id), meta.PrefixEnd(meta.GrantPrefix(n.cat.id)))
	for i := range record.Users {
		if err := n.grant(batch, next, &record.Users[i], keys); err != nil {
			return nil, err
		}
	}
	var predecessor *crypto.Signer
	if n.next != n.root.signer {
		predecessor = n.root.signer
	}
	record.Users[0].Sign = record.Root
	slices.SortFunc(record.Users, func(a, b crypto.EpochUser) int { return bytes.Compare(a.User[:], b.User[:]) })
	if err := record.Check(); err != nil {
		return nil, fmt.Errorf("index %q: %w: %w", n.cat.name, ErrInvalid, err)
	}
	b := record.Sign(n.next, predecessor)
	next.sum = crypto.Sum(b)
	batch.Set(meta.EpochKey(n.cat.id, record.Epoch), b)
	batch.Set(meta.ManifestKey(n.cat.id), raw)
	wal.Truncate(batch, n.cat.id, n.at.Group)
	n.keepPast(batch, next)
	if n.anchors != nil {
		n.anchors(batch, next)
	}
	return next, nil
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
	m.Start, m.Applied = n.at, n.at
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
// oldest on in which a live segment's index was written, for its map key and its
// writers; and those by which root has handed over, for users who have not seen
// it yet.
func (n *newEpoch) keepPast(batch *meta.Batch, next *catalogued) {
	oldest := next.record.Epoch
	for i := range n.manifest.Segments {
		oldest = min(oldest, n.manifest.Segments[i].Epoch)
	}
	next.past = map[uint64]*crypto.EpochRecord{}
	keep := func(r *crypto.EpochRecord) {
		if r.Epoch < oldest && r.Succession == (crypto.Signature{}) {
			batch.Delete(meta.EpochKey(n.cat.id, r.Epoch))
			return
		}
		next.past[r.Epoch] = r
	}
	keep(n.cat.record)
	for _, r := range n.cat.past {
		keep(r)
	}
}

// eraseOldSlots overwrites the header slots that the newest epoch has replaced.
// It needs no key.
func (db *DB) eraseOldSlots(c *catalogued, m *compaction.Manifest) error {
	reader, err := crypto.ParseReaderPublic(c.record.Reader)
	if err != nil {
		return err
	}
	left := db.slotsLeft[c.id]
	var errs []error
	for i := range m.Segments {
		path, id := db.segmentPath(c.id, m.Segments[i].ID), m.Segments[i].ID
		if !left {
			if _, err := segment.EraseOldSlot(db.opts.FS, path, id, reader.Hash()); err == nil {
				continue
			}
		}
		errs = append(errs, segment.EraseOldSlotAgain(db.opts.FS, path, id, reader.Hash()))
	}
	delete(db.slotsLeft, c.id)
	if err := errors.Join(errs...); err != nil {
		db.slotsLeft[c.id] = true
		return fmt.Errorf("index %q: the new epoch is committed; what the old one opened is left (the next Open tries again): %w", c.name, err)
	}
	return nil
}
