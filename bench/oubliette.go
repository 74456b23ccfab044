package main

import (
	"context"
	"errors"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/engine"
)

// oubliette is the engine under test, with its defaults.
type oubliette struct {
	db *engine.DB
	ix *engine.Index
}

const indexName = "bench"

func openOubliette(dir string, fs vfs.FS) (Store, error) {
	db, err := engine.Open(dir, &engine.Options{FS: fs})
	if err != nil {
		return nil, err
	}
	ix, err := db.CreateIndex(context.Background(), indexName, engine.NewKey(), engine.IndexConfig{})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &oubliette{db, ix}, nil
}

func (o *oubliette) Upsert(ctx context.Context, items []Item) error { return o.ix.Upsert(ctx, items) }

func (o *oubliette) Delete(ctx context.Context, ids []string) error {
	_, err := o.ix.Delete(ctx, ids)
	return err
}

func (o *oubliette) Get(ctx context.Context, ids []string) ([]Item, error) {
	return o.ix.Get(ctx, ids, engine.AllFields)
}

// Settle purges, which also seals what is full, and waits until one segment at
// most is open.
func (o *oubliette) Settle(ctx context.Context) error {
	if _, err := o.ix.Purge(ctx); err != nil {
		return err
	}
	return poll(ctx, func() bool {
		m := o.db.Metrics().Indexes[indexName]
		return m.OpenSegments <= 1 && m.PendingBytes == 0
	})
}

func (o *oubliette) Erase(ctx context.Context) (uint64, error) {
	before := o.db.Metrics().Indexes[indexName].BytesErased
	c, err := o.ix.Purge(ctx)
	return c.Bytes - before, err
}

func (o *oubliette) Compact(ctx context.Context) error { return o.ix.Compact(ctx) }

func (o *oubliette) Close() error { return o.db.Close() }
