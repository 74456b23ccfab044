package engine

import (
	"bytes"
	"fmt"
	"slices"

	"oubliette/crypto"
	"oubliette/internal/fault"
	"oubliette/internal/meta"
)

// catalogued is what is known of an index without any key. It is read when the
// store is opened and replaced when root changes it.
type catalogued struct {
	name   string
	id     crypto.IndexID
	record *crypto.EpochRecord
	sum    crypto.Hash // of the record, as stored
	grants map[grantKey][]byte
	// past are the records of earlier epochs that are still there, by epoch, as far
	// as each is the predecessor that the next one names: root has vouched for them.
	past map[uint64]*crypto.EpochRecord
	// handed are those behind a gap, kept for their successions alone. Nothing
	// vouches for them.
	handed []*crypto.EpochRecord
	err    error // why the index cannot be loaded
}

type grantKey struct {
	user crypto.UserID
	kind crypto.GrantKind
}

// loadCatalogue reads every index's name, newest epoch record and grants. What
// is wrong with one index is told when that index is loaded.
func loadCatalogue(db records) (map[string]*catalogued, error) {
	out := make(map[string]*catalogued)
	prefix := meta.CataloguePrefix()
	err := db.Scan(prefix, meta.PrefixEnd(prefix), func(key, value []byte) error {
		name, ok := meta.ParseCatalogueKey(key)
		if !ok || len(value) != len(crypto.IndexID{}) {
			return fault.Corrupt("catalogue", 0, "entry of %d bytes under a key of %d: %w", len(value), len(key), fault.ErrDamaged)
		}
		out[name] = &catalogued{name: name, id: crypto.IndexID(value)}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, c := range out {
		c.err = c.load(db)
	}
	return out, nil
}

func (c *catalogued) load(db records) error {
	path := fmt.Sprintf("epoch record of index %q", c.name)
	var found []*crypto.EpochRecord
	var sums []crypto.Hash
	prefix := meta.EpochPrefix(c.id)
	err := db.Scan(prefix, meta.PrefixEnd(prefix), func(key, value []byte) error {
		record, err := crypto.DecodeEpochRecord(value)
		if err != nil {
			return &fault.CorruptionError{Path: path, Err: err}
		}
		_, epoch, _ := meta.ParseEpochKey(key) // 0, which no record has, where it is none
		if record.Index != c.id || record.Name != c.name || record.Epoch != epoch {
			return fault.Corrupt(path, 0, "speaks of epoch %d of index %q (%s): %w", record.Epoch, record.Name, record.Index, fault.ErrDamaged)
		}
		found, sums = append(found, record), append(sums, crypto.Sum(value))
		return nil
	})
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return fault.Corrupt(path, 0, "is missing: %w", fault.ErrDamaged)
	}
	if err := c.chain(found, sums); err != nil {
		return fault.Corrupt(path, 0, "%w", err)
	}
	return c.loadGrants(db)
}

// chain takes records in the order of their epochs: the newest, those before it that
// it leads to, and what is left behind a gap.
func (c *catalogued) chain(found []*crypto.EpochRecord, sums []crypto.Hash) error {
	at := len(found) - 1
	c.record, c.sum = found[at], sums[at]
	c.past = make(map[uint64]*crypto.EpochRecord)
	for ; at > 0 && found[at-1].Epoch == found[at].Epoch-1; at-- {
		if found[at].Previous != sums[at-1] {
			return fmt.Errorf("epoch %d does not follow the record of epoch %d that is here: %w", found[at].Epoch, found[at-1].Epoch, fault.ErrDamaged)
		}
		c.past[found[at-1].Epoch] = found[at-1]
	}
	c.handed = found[:at]
	return nil
}

func (c *catalogued) loadGrants(db records) error {
	c.grants = make(map[grantKey][]byte)
	for i := range c.record.Users {
		u := &c.record.Users[i]
		for kind, want := range map[crypto.GrantKind]crypto.Hash{crypto.GrantRead: u.Read, crypto.GrantWrite: u.Write} {
			if want == (crypto.Hash{}) {
				continue
			}
			path := fmt.Sprintf("grant %d of user %s of index %q", kind, u.User, c.name)
			b, ok, err := db.Get(meta.GrantKey(c.id, c.record.Epoch, u.User, byte(kind)))
			if err != nil {
				return err
			}
			if !ok || crypto.Sum(b) != want {
				return fault.Corrupt(path, 0, "is not the one that the epoch record lists: %w", fault.ErrDamaged)
			}
			c.grants[grantKey{u.User, kind}] = b
		}
	}
	return nil
}

// writer is the key under which a user's signatures of the newest epoch verify.
// What was signed in an earlier one counts only up to its end: the log was
// applied and the manifest signed anew by root then, and of the segments' footers
// those count that root has pinned (pinned).
func (c *catalogued) writer(user crypto.UserID, epoch uint64) (crypto.VerifyKey, bool) {
	if epoch != c.record.Epoch {
		return crypto.VerifyKey{}, false
	}
	return c.record.Writer(user)
}

// footerWriter is writer for the footer of one segment.
func (c *catalogued) footerWriter(id crypto.SegmentID, dek crypto.Hash) func(crypto.UserID, uint64) (crypto.VerifyKey, bool) {
	return func(user crypto.UserID, epoch uint64) (crypto.VerifyKey, bool) {
		past := c.past[epoch]
		if epoch == c.record.Epoch || past == nil || !c.pinned(id, dek) {
			return c.writer(user, epoch)
		}
		return past.Writer(user)
	}
}

// pinned tells whether root has vouched for a segment when the newest epoch
// began.
func (c *catalogued) pinned(id crypto.SegmentID, dek crypto.Hash) bool {
	pins := c.record.Pin.Segments
	i, ok := slices.BinarySearchFunc(pins, id, func(p crypto.PinnedSegment, id crypto.SegmentID) int {
		return bytes.Compare(p.ID[:], id[:])
	})
	return ok && pins[i].DEK == dek
}

// mapKeys are the map keys of the newest epoch and, by the links, of those
// before it whose records are there.
func (c *catalogued) mapKeys(newest crypto.Secret) (map[uint64]crypto.Secret, error) {
	keys := map[uint64]crypto.Secret{c.record.Epoch: newest.Clone()}
	for r := c.record; c.past[r.Epoch-1] != nil; r = c.past[r.Epoch-1] {
		before, err := crypto.FollowMapKey(keys[r.Epoch], c.id, r.Epoch, r.MapLink)
		if err != nil {
			wipeAll(keys)
			return nil, fault.Corrupt(fmt.Sprintf("epoch record of index %q", c.name), 0, "map key link of epoch %d: %w: %w", r.Epoch, err, fault.ErrDamaged)
		}
		keys[r.Epoch-1] = before
	}
	return keys, nil
}

// readerSince is the first epoch, of those whose records are there, that has the
// reader key of the newest.
func (c *catalogued) readerSince() uint64 {
	r := c.record
	for before := c.past[r.Epoch-1]; before != nil && bytes.Equal(before.Reader, r.Reader); before = c.past[r.Epoch-1] {
		r = before
	}
	return r.Epoch
}

func wipeAll(keys map[uint64]crypto.Secret) {
	for _, k := range keys {
		k.Wipe()
	}
}

// ListIndexes answers the names of all indexes, sorted. It needs no key: names
// stand in the clear.
func (db *DB) ListIndexes() ([]string, error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.mu.closed {
		return nil, fmt.Errorf("store: %w", ErrClosed)
	}
	out := make([]string, 0, len(db.mu.catalogue))
	for name := range db.mu.catalogue {
		out = append(out, name)
	}
	slices.Sort(out)
	return out, nil
}

// find looks an index up by name.
func (db *DB) find(name string) (*catalogued, error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.mu.closed {
		return nil, fmt.Errorf("store: %w", ErrClosed)
	}
	c, ok := db.mu.catalogue[name]
	if !ok {
		return nil, fmt.Errorf("index %q: %w", name, ErrIndexNotFound)
	}
	return c, c.err
}
