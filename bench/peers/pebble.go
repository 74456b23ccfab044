package peers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/cockroachdb/pebble/v2"

	"oubliette/bench/store"
)

// pebbleStore is raw Pebble with sealed values.
type pebbleStore struct {
	db     *pebble.DB
	cache  *pebble.Cache
	seal   *sealer
	layout layout
}

func init() {
	for name, l := range map[string]layout{"pebble": oneKey{}, "pebble3": threeKeys{}} {
		register(store.Kind{
			Name: name, OnFS: true,
			Module: "github.com/cockroachdb/pebble/v2", Settings: pebbleSettings(l),
			Open: func(_ context.Context, s store.Setup) (store.Store, error) { return openPebble(s, l) },
			Promises: store.Promises{
				Atomic: true,
				Text:   "nothing about when bytes of a deleted key are gone; compactions drop them, and log files are used again as they are",
			},
		})
	}
}

// What Pebble is given, in bytes.
const (
	PebbleMemTable = 64 << 20
	PebbleCache    = 64 << 20
)

func pebbleSettings(l layout) string {
	return fmt.Sprintf("%d key(s) an item, memtable %d MiB, cache %d MiB, newest format, no compression of what is sealed, else defaults",
		len(l.keys("")), PebbleMemTable>>20, PebbleCache>>20)
}

func openPebble(s store.Setup, l layout) (store.Store, error) {
	cache := pebble.NewCache(PebbleCache + PebbleMemTable)
	o := &pebble.Options{
		FS: s.FS, Cache: cache, Logger: silent{},
		FormatMajorVersion:          pebble.FormatNewest,
		MemTableSize:                PebbleMemTable,
		MemTableStopWritesThreshold: 4,
	}
	if s.Busy {
		o.MemTableSize = 256 << 10
	}
	o.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.DBCompressionNone })
	db, err := pebble.Open(s.Dir, o)
	if err != nil {
		cache.Unref()
		return nil, err
	}
	return &pebbleStore{db: db, cache: cache, seal: newSealer(s.Key), layout: l}, nil
}

// silent drops what Pebble says; a fatal error ends the run.
type silent struct{}

func (silent) Infof(string, ...any)  {}
func (silent) Errorf(string, ...any) {}
func (silent) Fatalf(format string, args ...any) {
	pebble.DefaultLogger.Fatalf(format, args...)
}

// Upsert seals on all cores and commits one batch.
func (p *pebbleStore) Upsert(_ context.Context, items []Item) error {
	b := p.db.NewBatch()
	defer b.Close()
	for _, x := range p.seal.sealAll(p.layout, items) {
		if err := b.Set(x.key, x.value, nil); err != nil {
			return err
		}
	}
	return b.Commit(pebble.Sync)
}

func (p *pebbleStore) Delete(_ context.Context, ids []string) error {
	if len(ids) == 1 {
		if keys := p.layout.keys(ids[0]); len(keys) == 1 {
			return p.db.Delete(keys[0], pebble.Sync)
		}
	}
	b := p.db.NewBatch()
	defer b.Close()
	for _, id := range ids {
		for _, key := range p.layout.keys(id) {
			if err := b.Delete(key, nil); err != nil {
				return err
			}
		}
	}
	return b.Commit(pebble.Sync)
}

func (p *pebbleStore) Get(_ context.Context, ids []string) ([]Item, error) {
	var out []Item
	for _, id := range ids {
		it, err := p.get(id)
		if errors.Is(err, pebble.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, it)
	}
	return out, nil
}

func (p *pebbleStore) get(id string) (Item, error) {
	keys := p.layout.keys(id)
	values, err := p.sealed(keys)
	if err != nil {
		return Item{}, err
	}
	return p.item(keys, values)
}

// sealed answers the sealed values of an item's keys.
func (p *pebbleStore) sealed(keys [][]byte) ([][]byte, error) {
	values := make([][]byte, len(keys))
	for i, key := range keys {
		sealed, closer, err := p.db.Get(key)
		if err != nil {
			return nil, err
		}
		values[i] = bytes.Clone(sealed)
		if err := closer.Close(); err != nil {
			return nil, err
		}
	}
	return values, nil
}

// item opens an item's sealed values.
func (p *pebbleStore) item(keys, sealed [][]byte) (Item, error) {
	values := make([][]byte, len(sealed))
	for i := range sealed {
		var err error
		if values[i], err = p.seal.open(keys[i], sealed[i]); err != nil {
			return Item{}, fmt.Errorf("pebble: key %q: %w", keys[i], err)
		}
	}
	return p.layout.item(values)
}

// SealedBytes answers the values as they are kept.
func (p *pebbleStore) SealedBytes(_ context.Context, ids []string) ([][]byte, error) {
	var out [][]byte
	for _, id := range ids {
		values, err := p.sealed(p.layout.keys(id))
		if errors.Is(err, pebble.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, values...)
	}
	return out, nil
}

// Items goes over all keys, as they stand when it begins.
func (p *pebbleStore) Items(context.Context) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		it, err := p.db.NewIter(nil)
		if err != nil {
			yield(Item{}, err)
			return
		}
		if p.items(it, yield) {
			if err := it.Close(); err != nil {
				yield(Item{}, err)
			}
			return
		}
		it.Close() // whoever stopped has been told all that counts
	}
}

// items yields an item for each run of keys of one id. It answers whether
// nobody has stopped it.
func (p *pebbleStore) items(it *pebble.Iterator, yield func(Item, error) bool) bool {
	for valid := it.First(); valid; {
		id, _ := p.layout.of(it.Key())
		keys := p.layout.keys(id)
		sealed := make([][]byte, len(keys))
		found := 0
		for ; valid; valid = it.Next() {
			other, place := p.layout.of(it.Key())
			if other != id || place < 0 {
				break
			}
			sealed[place] = bytes.Clone(it.Value())
			found++
		}
		if found != len(keys) {
			yield(Item{}, fmt.Errorf("pebble: id %q has %d of %d keys", id, found, len(keys)))
			return false
		}
		if !yield(p.item(keys, sealed)) {
			return false
		}
	}
	return true
}

// Settle waits for flushes and compactions that are due by themselves. What is
// in a memtable that is not full stays there.
func (p *pebbleStore) Settle(ctx context.Context) error {
	return poll(ctx, func() bool {
		m := p.db.Metrics()
		return m.Flush.NumInProgress == 0 && m.Compact.NumInProgress == 0
	})
}

// Erase does what Pebble can: flush, then compact all keys. It cannot say what
// that has erased.
func (p *pebbleStore) Erase(ctx context.Context) (uint64, error) { return 0, p.Compact(ctx) }

func (p *pebbleStore) Compact(ctx context.Context) error {
	if err := p.db.Flush(); err != nil {
		return err
	}
	return p.db.Compact(ctx, []byte{0}, []byte{0xff, 0xff}, true)
}

func (p *pebbleStore) Close() error {
	err := p.db.Close()
	p.cache.Unref()
	return err
}
