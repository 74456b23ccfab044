package peers

import (
	"context"
	"errors"
	"iter"
	"sync"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"

	"oubliette/bench/store"
)

func init() {
	register(store.Kind{
		Name: "badger", Module: "github.com/dgraph-io/badger/v4",
		Settings: "its own encryption (AES-256-CTR, nothing authenticated) in place of sealed values, 16 MiB of index cache for it, every transaction synced, value log files of 64 MiB, no compression, no conflict detection, else defaults",
		Open:     func(_ context.Context, s store.Setup) (store.Store, error) { return openBadger(s) },
		Reveal:   revealBadger,
		Promises: store.Promises{
			Atomic: true, // up to a transaction's limit
			Text:   "nothing about when bytes of a deleted key are gone; compactions and the value log's collection drop what is old enough",
		},
	})
}

// badgerStore is Badger with its own encryption, synced, one key an item.
type badgerStore struct {
	db   *badger.DB
	tidy sync.Mutex // one collection of the value log at a time
}

func openBadger(s store.Setup) (*badgerStore, error) {
	o := badger.DefaultOptions(s.Dir).
		WithSyncWrites(true).
		WithLogger(nil).
		WithMetricsEnabled(false).
		WithValueLogFileSize(64 << 20). // it makes its file twice as long at once
		WithEncryptionKey(s.Key[:]).
		WithIndexCacheSize(16 << 20).  // without one it decrypts a table's index for every read
		WithCompression(options.None). // what stands for real vectors and contents does not compress
		WithDetectConflicts(false)     // nothing is written by what was read
	if s.Busy {
		o = o.WithMemTableSize(4 << 20).WithValueLogFileSize(4 << 20).WithValueThreshold(1 << 10).
			WithBaseTableSize(256 << 10).WithBaseLevelSize(1 << 20).WithNumLevelZeroTables(2).WithBlockCacheSize(16 << 20)
	}
	db, err := badger.Open(o)
	if err != nil {
		return nil, err
	}
	return &badgerStore{db: db}, nil
}

func (b *badgerStore) Upsert(_ context.Context, items []Item) error {
	return b.update(len(items), func(tx *badger.Txn, i int) error {
		p := oneKey{}.parts(&items[i])[0]
		return tx.Set(p.key, p.value)
	})
}

func (b *badgerStore) Delete(_ context.Context, ids []string) error {
	return b.update(len(ids), func(tx *badger.Txn, i int) error { return tx.Delete([]byte(ids[i])) })
}

// update does n steps in one transaction; in as many as it takes where Badger
// calls one too big.
func (b *badgerStore) update(n int, step func(tx *badger.Txn, i int) error) error {
	tx := b.db.NewTransaction(true)
	defer func() { tx.Discard() }()
	for i := range n {
		err := step(tx, i)
		if errors.Is(err, badger.ErrTxnTooBig) {
			if err := tx.Commit(); err != nil {
				return err
			}
			tx = b.db.NewTransaction(true)
			err = step(tx, i)
		}
		if err != nil {
			return err
		}
	}
	return tx.Commit()
}

func (b *badgerStore) Get(_ context.Context, ids []string) (out []Item, err error) {
	err = b.each(ids, func(value []byte) error {
		it, err := oneKey{}.item([][]byte{value})
		out = append(out, it)
		return err
	})
	return out, err
}

// SealedBytes answers the values as they stand in files that are revealed.
func (b *badgerStore) SealedBytes(_ context.Context, ids []string) (out [][]byte, err error) {
	err = b.each(ids, func(value []byte) error {
		out = append(out, value)
		return nil
	})
	return out, err
}

// each hands over copies of the values that are there.
func (b *badgerStore) each(ids []string, do func(value []byte) error) error {
	return b.db.View(func(tx *badger.Txn) error {
		for _, id := range ids {
			entry, err := tx.Get([]byte(id))
			if errors.Is(err, badger.ErrKeyNotFound) {
				continue
			}
			if err != nil {
				return err
			}
			value, err := entry.ValueCopy(nil)
			if err == nil {
				err = do(value)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func (b *badgerStore) Items(context.Context) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		tx := b.db.NewTransaction(false)
		defer tx.Discard()
		it := tx.NewIterator(badger.DefaultIteratorOptions)
		defer it.Close()
		for it.Rewind(); it.Valid(); it.Next() {
			var item Item
			value, err := it.Item().ValueCopy(nil)
			if err == nil {
				item, err = oneKey{}.item([][]byte{value})
			}
			if !yield(item, err) {
				return
			}
		}
	}
}

// Erase does what Badger can while it is open: it compacts all levels into one
// and collects the value log. A memtable with its log stays until it is full or
// the store is closed. Badger cannot say what that has erased.
func (b *badgerStore) Erase(ctx context.Context) (uint64, error) { return 0, b.Compact(ctx) }

func (b *badgerStore) Compact(ctx context.Context) error {
	b.tidy.Lock()
	defer b.tidy.Unlock()
	if err := b.db.Flatten(1); err != nil {
		return err
	}
	for ctx.Err() == nil {
		err := b.db.RunValueLogGC(0.1) // of a file that is dead
		if errors.Is(err, badger.ErrNoRewrite) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (b *badgerStore) Close() error { return b.db.Close() }
