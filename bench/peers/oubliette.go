package peers

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"oubliette/bench/store"
	"oubliette/engine"
)

func init() {
	register(store.Kind{
		Name: "oubliette", OnFS: true, Expires: true,
		Module: "oubliette", Settings: "defaults: segments of 256 MiB, 64 MiB of cache, erased within 10 s unless a workload says otherwise",
		Open:         func(ctx context.Context, s store.Setup) (store.Store, error) { return openOubliette(ctx, s, false) },
		OpenReadOnly: func(ctx context.Context, s store.Setup) (store.Store, error) { return openOubliette(ctx, s, true) },
		Promises: store.Promises{
			Atomic: true, Erases: true, CloseWaits: true,
			Text: "when Purge returns, every byte of what was deleted, replaced or had expired before it has been overwritten in every file",
		},
	})
}

// oubliette is package engine. With a folder aside it keeps a ledger there, and
// a ring of keys, because then it changes them.
type oubliette struct {
	db   *engine.DB
	ring *keyRing // nil: the key stays
	// ix is bound to the current key.
	ix atomic.Pointer[engine.Index]
	// rotating is held while the key changes.
	rotating sync.Mutex
	root     engine.Key // guarded by rotating
	restored string     // where a chore restores backups to; empty: nowhere
}

const indexName = "bench"

func oublietteOptions(s store.Setup) *engine.Options {
	o := &engine.Options{FS: s.FS, PurgeWithin: s.PurgeWithin}
	if s.Busy {
		o.SegmentSize, o.MemoryLimit, o.PurgeWithin = 64<<10, 256<<10, 400*time.Millisecond
	}
	if s.Aside != "" {
		o.Ledger = engine.LedgerFile(s.FS, filepath.Join(s.Aside, "ledger"))
	}
	return o
}

func openOubliette(ctx context.Context, s store.Setup, readOnly bool) (_ *oubliette, err error) {
	key, err := engine.KeyFromBytes(s.Key[:])
	if err != nil {
		return nil, err
	}
	o := &oubliette{root: key}
	if s.Aside != "" {
		o.restored = filepath.Join(s.Aside, "restored")
		if o.ring, err = openKeyRing(filepath.Join(s.Aside, "keys"), key); err != nil {
			return nil, err
		}
	}
	options := oublietteOptions(s)
	options.ReadOnly = readOnly
	if o.db, err = engine.Open(s.Dir, options); err != nil {
		return nil, err
	}
	if err = o.load(ctx); err == nil && o.ring != nil && !readOnly {
		err = o.settleKeys(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, o.db.Close())
	}
	return o, nil
}

// load opens the index by the newest key of the ring that fits, and makes it
// when there is none.
func (o *oubliette) load(ctx context.Context) error {
	keys := []engine.Key{o.root}
	if o.ring != nil {
		keys = o.ring.newest()
	}
	var errs []error
	for _, key := range keys {
		ix, err := o.db.LoadIndex(ctx, indexName, engine.WithIndexKey(key))
		if errors.Is(err, engine.ErrIndexNotFound) {
			ix, err = o.db.CreateIndex(ctx, indexName, key, engine.IndexConfig{})
		}
		if err == nil {
			o.root = key
			o.ix.Store(ix)
			return nil
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// with makes a call by the current key, and again when the key has changed
// under way: a call that is refused for its key has changed nothing.
func (o *oubliette) with(do func(ix *engine.Index) error) error {
	for {
		ix := o.ix.Load()
		err := do(ix)
		if !errors.Is(err, engine.ErrWrongKey) {
			return err
		}
		o.rotating.Lock() // it is over when this is had
		same := o.ix.Load() == ix
		o.rotating.Unlock()
		if same {
			return err
		}
	}
}

func (o *oubliette) Upsert(ctx context.Context, items []Item) error {
	return o.with(func(ix *engine.Index) error { return ix.Upsert(ctx, items) })
}

func (o *oubliette) Delete(ctx context.Context, ids []string) error {
	return o.with(func(ix *engine.Index) error {
		_, err := ix.Delete(ctx, ids)
		return err
	})
}

func (o *oubliette) Get(ctx context.Context, ids []string) (items []Item, err error) {
	err = o.with(func(ix *engine.Index) (err error) {
		items, err = ix.Get(ctx, ids, engine.AllFields)
		return err
	})
	return items, err
}

// Items begins again when the key changes half-way, which ends a scan by the old
// one, and leaves out what it has answered already.
func (o *oubliette) Items(ctx context.Context) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		seen := make(map[string]bool) // stays empty where no key changes
		err := o.with(func(ix *engine.Index) error {
			for it, err := range ix.Items(ctx, engine.AllFields) {
				if err != nil {
					return err
				}
				if seen[it.ID] {
					continue
				}
				if o.ring != nil {
					seen[it.ID] = true
				}
				if !yield(it, nil) {
					return nil
				}
			}
			return nil
		})
		if err != nil {
			yield(Item{}, err)
		}
	}
}

// Settle purges, which also seals what is full, and waits until one segment at
// most is open.
func (o *oubliette) Settle(ctx context.Context) error {
	if _, err := o.Erase(ctx); err != nil {
		return err
	}
	return poll(ctx, func() bool {
		m := o.db.Metrics().Indexes[indexName]
		return m.OpenSegments <= 1 && m.PendingBytes == 0
	})
}

func (o *oubliette) Erase(ctx context.Context) (bytes uint64, err error) {
	before := o.db.Metrics().Indexes[indexName].BytesErased
	err = o.with(func(ix *engine.Index) error {
		c, err := ix.Purge(ctx)
		bytes = c.Bytes - before
		return err
	})
	return bytes, err
}

func (o *oubliette) Compact(ctx context.Context) error {
	return o.with(func(ix *engine.Index) error { return ix.Compact(ctx) })
}

// Pending are the tombstones that are not applied yet.
func (o *oubliette) Pending() int { return o.db.Metrics().Indexes[indexName].Tombstones }

func (o *oubliette) Close() error { return o.db.Close() }

func (o *oubliette) SealedBytes(ctx context.Context, ids []string) (out [][]byte, err error) {
	err = o.with(func(ix *engine.Index) (err error) {
		out, err = ix.SealedBytes(ctx, ids)
		return err
	})
	return out, err
}

// Check reads everything, and tries keys that open nothing any more. No chore
// may be under way.
func (o *oubliette) Check(ctx context.Context) error {
	err := o.with(func(ix *engine.Index) error {
		_, err := ix.Check(ctx)
		return err
	})
	if o.ring != nil {
		err = errors.Join(err, o.checkRefused(ctx))
	}
	return err
}

func (o *oubliette) DeleteFor(ctx context.Context, ids []string) (receipt []byte, err error) {
	err = o.with(func(ix *engine.Index) error {
		r, err := ix.Delete(ctx, ids)
		if err != nil {
			return err
		}
		receipt, err = json.Marshal(r)
		return err
	})
	return receipt, err
}

func (o *oubliette) Account(ctx context.Context, receipt []byte) (a store.Account, err error) {
	var r engine.Receipt
	if err := json.Unmarshal(receipt, &r); err != nil {
		return a, err
	}
	err = o.with(func(ix *engine.Index) error {
		e, err := ix.Status(ctx, r)
		a = store.Account{Erased: e.State == engine.Erased, Counted: e.Counted, Found: e.Rows}
		return err
	})
	return a, err
}
