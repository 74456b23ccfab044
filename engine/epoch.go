package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"oubliette/compaction"
	"oubliette/crypto"
	"oubliette/internal/meta"
	"oubliette/ledger"
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
//  4. the ledger is told; what a crash leaves out the next Open tells it.
//  5. the old slots are overwritten and synced. Open, without a key, finishes
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
	if err := ix.db.certain(); err != nil {
		return err
	}
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
	next, record, err := n.write(batch, keys, reader)
	if err != nil {
		batch.Close()
		return err
	}
	if err := n.db.meta.Commit(batch); err != nil {
		return err
	}
	// Behind the commit: a change that is tried again makes another record of the
	// same number. Where the ledger fails nothing is written any more, and it is as if
	// the commit had failed: reads go on in the old epoch, with the slots that it opens.
	if err := n.db.tell(next, ledger.EpochEntry(record)); err != nil {
		return err
	}
	n.db.mu.Lock()
	n.db.mu.catalogue[n.cat.name] = next
	n.db.mu.Unlock()
	n.db.access.forget(n.cat.record.Epoch, n.cat.id)
	return n.finish(next)
}

// finish overwrites what the old epoch's reader key opens.
func (n *newEpoch) finish(next *catalogued) error {
	if !n.reseal && !n.db.slotsLeft[n.cat.id] {
		return nil
	}
	return n.db.eraseOldSlots(next, n.manifest)
}
