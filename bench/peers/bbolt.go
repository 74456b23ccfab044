package peers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"oubliette/bench/store"
)

func init() {
	register(store.Kind{
		Name: "bbolt", Module: "go.etcd.io/bbolt", Settings: "every transaction synced, else defaults",
		Open: func(_ context.Context, s store.Setup) (store.Store, error) { return openBolt(s) },
		Promises: store.Promises{
			Atomic: true,
			Text:   "nothing about bytes of a deleted key: its page is free and keeps them until it is written again, or until everything is copied to another file",
		},
	})
}

const boltFile = "bolt.db"

var boltBucket = []byte("items")

// boltStore is bbolt with sealed values, one key an item.
type boltStore struct {
	dir  string
	seal *sealer
	mu   sync.RWMutex // of db: Compact changes it for another
	db   *bbolt.DB
}

func openBolt(s store.Setup) (*boltStore, error) {
	// What a crash has left of a Compact that had not come to its rename.
	if err := os.Remove(filepath.Join(s.Dir, boltFile+".new")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	b := &boltStore{dir: s.Dir, seal: newSealer(s.Key)}
	if err := b.open(); err != nil {
		return nil, err
	}
	err := b.db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists(boltBucket)
		return err
	})
	if err != nil {
		return nil, errors.Join(err, b.db.Close())
	}
	return b, nil
}

func boltOptions() *bbolt.Options {
	o := *bbolt.DefaultOptions // which sync every transaction
	o.Timeout = 10 * time.Second
	return &o
}

func (b *boltStore) open() (err error) {
	b.db, err = bbolt.Open(filepath.Join(b.dir, boltFile), 0o600, boltOptions())
	return err
}

func (b *boltStore) Upsert(_ context.Context, items []Item) error {
	parts := b.seal.sealAll(oneKey{}, items)
	return b.update(func(k *bbolt.Bucket) error {
		for _, x := range parts {
			if err := k.Put(x.key, x.value); err != nil {
				return err
			}
		}
		return nil
	})
}

func (b *boltStore) Delete(_ context.Context, ids []string) error {
	return b.update(func(k *bbolt.Bucket) error {
		for _, id := range ids {
			if err := k.Delete([]byte(id)); err != nil {
				return err
			}
		}
		return nil
	})
}

func (b *boltStore) update(do func(k *bbolt.Bucket) error) error {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.db.Update(func(tx *bbolt.Tx) error { return do(tx.Bucket(boltBucket)) })
}

func (b *boltStore) view(do func(k *bbolt.Bucket) error) error {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.db.View(func(tx *bbolt.Tx) error { return do(tx.Bucket(boltBucket)) })
}

func (b *boltStore) Get(_ context.Context, ids []string) (out []Item, err error) {
	err = b.view(func(k *bbolt.Bucket) error {
		for _, id := range ids {
			if sealed := k.Get([]byte(id)); sealed != nil {
				it, err := b.seal.openOne([]byte(id), sealed)
				if err != nil {
					return fmt.Errorf("bbolt: key %q: %w", id, err)
				}
				out = append(out, it)
			}
		}
		return nil
	})
	return out, err
}

// SealedBytes answers the values as they are kept.
func (b *boltStore) SealedBytes(_ context.Context, ids []string) (out [][]byte, err error) {
	err = b.view(func(k *bbolt.Bucket) error {
		for _, id := range ids {
			if sealed := k.Get([]byte(id)); sealed != nil {
				out = append(out, bytes.Clone(sealed))
			}
		}
		return nil
	})
	return out, err
}

// errStopped ends a transaction whose reader wants no more.
var errStopped = errors.New("stopped")

func (b *boltStore) Items(context.Context) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		err := b.view(func(k *bbolt.Bucket) error {
			return k.ForEach(func(key, sealed []byte) error {
				if !yield(b.seal.openOne(key, sealed)) {
					return errStopped
				}
				return nil
			})
		})
		if err != nil && !errors.Is(err, errStopped) {
			yield(Item{}, err)
		}
	}
}

// Erase does what bbolt's users can: it copies what lives to another file. bbolt
// cannot say what that has erased.
func (b *boltStore) Erase(ctx context.Context) (uint64, error) { return 0, b.Compact(ctx) }

// Compact copies what lives to a new file, as "bbolt compact" does, and renames
// it over the old one. A crash before the rename leaves the old file and a
// beginning of the new one, which the next open removes; after it, the new one,
// whose pages bbolt has synced with every transaction of the copy. Calls wait
// meanwhile.
func (b *boltStore) Compact(context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	path := filepath.Join(b.dir, boltFile)
	if err := b.copyTo(path + ".new"); err != nil {
		return err
	}
	if err := b.db.Close(); err != nil {
		return err
	}
	if err := errors.Join(os.Rename(path+".new", path), syncFolder(b.dir)); err != nil {
		return err
	}
	return b.open()
}

func (b *boltStore) copyTo(path string) error {
	dst, err := bbolt.Open(path, 0o600, boltOptions())
	if err != nil {
		return err
	}
	return errors.Join(bbolt.Compact(dst, b.db, 1<<20), dst.Close())
}

// Check runs bbolt's own check of pages.
func (b *boltStore) Check(context.Context) error {
	b.mu.RLock()
	defer b.mu.RUnlock()
	var errs []error
	err := b.db.View(func(tx *bbolt.Tx) error {
		for err := range tx.Check() {
			errs = append(errs, err)
		}
		return nil
	})
	return errors.Join(append(errs, err)...)
}

func (b *boltStore) Close() error { return b.db.Close() }
