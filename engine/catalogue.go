package engine

import (
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
	grants map[grantKey][]byte
	err    error // why the index cannot be loaded
}

type grantKey struct {
	user crypto.UserID
	kind crypto.GrantKind
}

// loadCatalogue reads every index's name, newest epoch record and grants. What
// is wrong with one index is told when that index is loaded.
func loadCatalogue(db *meta.DB) (map[string]*catalogued, error) {
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

func (c *catalogued) load(db *meta.DB) error {
	path := fmt.Sprintf("epoch record of index %q", c.name)
	prefix := meta.EpochPrefix(c.id)
	var raw []byte
	var epoch uint64
	err := db.Scan(prefix, meta.PrefixEnd(prefix), func(key, value []byte) error {
		_, epoch, _ = meta.ParseEpochKey(key) // 0, which no record has, where it is none
		raw = append(raw[:0], value...)       // the last one is the newest
		return nil
	})
	if err != nil {
		return err
	}
	if raw == nil {
		return fault.Corrupt(path, 0, "is missing: %w", fault.ErrDamaged)
	}
	record, err := crypto.DecodeEpochRecord(raw)
	if err != nil {
		return &fault.CorruptionError{Path: path, Err: err}
	}
	if record.Index != c.id || record.Name != c.name || record.Epoch != epoch {
		return fault.Corrupt(path, 0, "speaks of epoch %d of index %q (%s): %w", record.Epoch, record.Name, record.Index, fault.ErrDamaged)
	}
	c.record = record
	return c.loadGrants(db)
}

func (c *catalogued) loadGrants(db *meta.DB) error {
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

// writer is the key under which a user's signatures of an epoch verify.
func (c *catalogued) writer(user crypto.UserID, epoch uint64) (crypto.VerifyKey, bool) {
	if epoch != c.record.Epoch {
		return crypto.VerifyKey{}, false
	}
	return c.record.Writer(user)
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
