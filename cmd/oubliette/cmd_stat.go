package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"oubliette/engine"
)

func (a *app) statCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "stat",
		Short: "Show what a store holds and how large it is",
		Long: `Show the store's indexes and files, which needs no key; with a key at hand, the
figures of the index, too (but how many items there are only with one that may
read). It changes nothing. An index that --index names has to be there.`,
		Args: noArguments,
		RunE: a.action(func(ctx context.Context, _ []string) error { return a.stat(ctx) }),
	}
}

// statJSON is what stat shows.
type statJSON struct {
	Store   string     `json:"store"`
	Indexes []string   `json:"indexes"`
	Files   usage      `json:"files"`
	Index   *indexStat `json:"index"` // null: no key at hand
}

// indexStat is what an index looks like; sizes are in bytes.
type indexStat struct {
	Name         string `json:"name"`
	ID           string `json:"id"`
	Items        *int   `json:"items"` // null: the key does not read
	Segments     int    `json:"segments"`
	OpenSegments int    `json:"open_segments"`
	Rows         int    `json:"rows"`
	DataBytes    uint64 `json:"data_bytes"`
	DeadBytes    uint64 `json:"dead_bytes"`
	PendingBytes uint64 `json:"pending_bytes"`
	Tombstones   int    `json:"tombstones"`
	Memory       int64  `json:"memory_bytes"`
	Waiting      bool   `json:"waiting"`
}

func (a *app) stat(ctx context.Context) error {
	s := statJSON{}
	var err error
	if s.Store, err = a.existingStore(); err != nil {
		return err
	}
	if a.keyFile == "" && a.getenv(envKey) == "" && !a.userGiven {
		err = a.withStore(ctx, s.Store, reading, func(db *engine.DB) (err error) {
			s.Indexes, err = a.indexes(db)
			return err
		})
	} else {
		err = a.withIndex(ctx, reading, func(db *engine.DB, ix *engine.Index) (err error) {
			if s.Indexes, err = a.indexes(db); err != nil {
				return err
			}
			s.Index, err = figures(ctx, db, ix)
			return err
		})
	}
	if err != nil {
		return err
	}
	if s.Files, err = a.usage(); err != nil {
		return err
	}
	return a.printStat(&s)
}

// indexes are those of the store; the one that was named has to be among them.
func (a *app) indexes(db *engine.DB) ([]string, error) {
	names, err := db.ListIndexes()
	if err == nil && a.indexGiven && !slices.Contains(names, a.index) {
		err = fmt.Errorf("index %q: %w", a.index, engine.ErrIndexNotFound)
	}
	return names, err
}

func figures(ctx context.Context, db *engine.DB, ix *engine.Index) (*indexStat, error) {
	var items *int
	switch n, err := ix.Count(ctx); {
	case err == nil:
		items = &n
	case !errors.Is(err, engine.ErrPermission):
		return nil, err
	}
	all := db.Metrics()
	if all.Failed != nil {
		return nil, all.Failed
	}
	m := all.Indexes[ix.Name()]
	return &indexStat{
		Name: ix.Name(), ID: ix.ID().String(), Items: items, Segments: m.Segments, OpenSegments: m.OpenSegments,
		Rows: m.Rows, DataBytes: m.DataBytes, DeadBytes: m.DeadBytes, PendingBytes: m.PendingBytes,
		Tombstones: m.Tombstones, Memory: m.Memory, Waiting: m.Waiting,
	}, m.Err
}

func (a *app) printStat(s *statJSON) error {
	if a.json {
		return writeJSON(a.stdout, s)
	}
	total := s.Files.total()
	var p page
	p.line("store", "%s, %s in %s", s.Store, size(total.Bytes), count(total.Files, "file"))
	p.line("  segments", "%s in %s", size(s.Files.Segments.Bytes), count(s.Files.Segments.Files, "file"))
	p.line("  log", "%s in %s", size(s.Files.Log.Bytes), count(s.Files.Log.Files, "file"))
	for _, name := range s.Indexes {
		p.line("index", "%s", formatID(name))
		if i := s.Index; i != nil && i.Name == name {
			p.index(i)
		}
	}
	return a.print(&p)
}

// index adds an index's figures.
func (p *page) index(i *indexStat) {
	waiting := ""
	if i.Waiting {
		waiting = " (waits for a command that writes)"
	}
	p.line("  id", "%s", i.ID)
	if i.Items != nil {
		p.line("  items", "%s", number(*i.Items))
	} else {
		p.line("  items", "not counted: the key does not read")
	}
	p.line("  segments", "%d closed, %d open", i.Segments, i.OpenSegments)
	p.line("  rows", "%s of data, %s of it dead", size(i.DataBytes), size(i.DeadBytes))
	p.line("  to erase", "%s, %s to apply%s", count(i.PendingBytes, "byte"), count(i.Tombstones, "tombstone"), waiting)
}
