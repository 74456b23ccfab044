package main

import (
	"context"
	"errors"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// pebbleStore is raw Pebble with sealed values.
type pebbleStore struct {
	db     *pebble.DB
	cache  *pebble.Cache
	seal   *sealer
	layout layout
}

// layout says how an item is laid out over keys.
type layout interface {
	// parts are an item's keys and values in the clear.
	parts(it *Item) []part
	// keys are the keys of an id, in the order of parts.
	keys(id string) [][]byte
	// item puts an item together from its values, in the order of keys.
	item(values [][]byte) (Item, error)
}

type part struct{ key, value []byte }

const (
	pebbleMemTable = 64 << 20
	pebbleCache    = 64 << 20
)

func openPebble(dir string, fs vfs.FS, l layout) (Store, error) {
	cache := pebble.NewCache(pebbleCache + pebbleMemTable)
	o := &pebble.Options{
		FS: fs, Cache: cache, Logger: silent{},
		FormatMajorVersion:          pebble.FormatNewest,
		MemTableSize:                pebbleMemTable,
		MemTableStopWritesThreshold: 4,
	}
	o.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.DBCompressionNone })
	db, err := pebble.Open(dir, o)
	if err != nil {
		cache.Unref()
		return nil, err
	}
	return &pebbleStore{db: db, cache: cache, seal: newSealer(), layout: l}, nil
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
	sealed := make([][]part, len(items))
	inParallel(len(items), func(i int) {
		parts := p.layout.parts(&items[i])
		for k := range parts {
			parts[k].value = p.seal.seal(parts[k].key, parts[k].value)
		}
		sealed[i] = parts
	})
	b := p.db.NewBatch()
	defer b.Close()
	for _, parts := range sealed {
		for _, x := range parts {
			if err := b.Set(x.key, x.value, nil); err != nil {
				return err
			}
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
	values := make([][]byte, len(keys))
	for i, key := range keys {
		sealed, closer, err := p.db.Get(key)
		if err != nil {
			return Item{}, err
		}
		values[i], err = p.seal.open(key, sealed)
		if err = errors.Join(err, closer.Close()); err != nil {
			return Item{}, err
		}
	}
	return p.layout.item(values)
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
